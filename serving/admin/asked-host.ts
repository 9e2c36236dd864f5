/**
 * Whether a request names a host that is ours. A page that a browser has loaded from elsewhere may come to be at our address
 * by its name (DNS rebinding), and could then read what we answer; the browser still says the page's own name. An address is
 * no such name, nor is localhost.
 */
import { isIP } from "node:net";

/** @param header  of the request; undefined: none, which no browser leaves out */
export function isOurHost(header: string | undefined, names: readonly string[]): boolean {
  if (header === undefined) return true;
  const [, address, name = ""] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(header.trim()) ?? [];
  if (address !== undefined) return isIP(address) === 6;
  const host = name.toLowerCase().replace(/\.$/, "");
  return isIP(host) === 4 || host === "localhost" || names.includes(host);
}
