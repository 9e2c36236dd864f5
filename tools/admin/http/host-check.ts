/**
 * Checks whether a request names this daemon's host. A page from another site can make its own name resolve to the
 * daemon's address (DNS rebinding), and could then read the daemon's answers. The browser still sends the name of the
 * page's site, so the daemon refuses unknown names. Addresses and localhost cannot be used for this attack.
 */
import { isIP } from "node:net";

const HOST = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/;

/**
 * Whether a request is for this daemon.
 * @param header  the header `Host`, or undefined if the client did not send it; browsers always do
 */
export function isOurHost(header: string | undefined, names: readonly string[]): boolean {
  if (header === undefined) return true;
  const [, address, name = ""] = HOST.exec(header.trim()) ?? [];
  if (address !== undefined) return isIP(address) === 6;
  const host = name.toLowerCase().replace(/\.$/, "");
  return isIP(host) === 4 || host === "localhost" || names.includes(host);
}

/**
 * Returns the host name of a `Host` header, without the port, or "" if it cannot be used in a Content-Security-Policy.
 */
export function hostnameOf(header: string | undefined): string {
  const name = HOST.exec(header?.trim() ?? "")?.[2] ?? "";
  return /^[\w.-]+$/.test(name) ? name.toLowerCase() : "";
}
