/** Which daemons are on this machine. */
import type { Address } from "./servers.js";

/** Whether nobody stands between this process and the daemon. */
export function isLoopback({ host }: Address): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
