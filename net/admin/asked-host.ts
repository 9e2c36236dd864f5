/**
 * Checks whether a request names this daemon's host. A page that a browser has loaded from elsewhere can pretend to
 * be at our address by its name (DNS rebinding), and could then read our answers; the browser still sends the page's
 * own name. An address is no such name, nor is localhost.
 */
import { isIP } from "node:net";

const HOST = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/;

/** @param header  of the request; undefined: none, which no browser leaves out */
export function isOurHost(header: string | undefined, names: readonly string[]): boolean {
  if (header === undefined) return true;
  const [, address, name = ""] = HOST.exec(header.trim()) ?? [];
  if (address !== undefined) return isIP(address) === 6;
  const host = name.toLowerCase().replace(/\.$/, "");
  return isIP(host) === 4 || host === "localhost" || names.includes(host);
}

/**
 * Returns the host name of a header that names this daemon, without the port; "": none that a Content-Security-Policy
 * can name.
 */
export function hostnameOf(header: string | undefined): string {
  const name = HOST.exec(header?.trim() ?? "")?.[2] ?? "";
  return /^[\w.-]+$/.test(name) ? name.toLowerCase() : "";
}
