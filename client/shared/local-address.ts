/** Detects addresses on this machine. */
import type { Address } from "./server-list.js";

/** Whether the connection stays on this machine, so that no third party can intercept it. */
export function isLoopback({ host }: Address): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
