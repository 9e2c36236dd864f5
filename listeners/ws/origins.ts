/**
 * Decides which pages may connect. A browser lets any page of any site open a WebSocket to any address, this
 * machine's included, and names the page's site in `Origin`; a program sends any origin, or none. Without a key a
 * client can do nothing here; this check denies unnamed pages the rest: that a daemon listens, its clock, and
 * connections.
 */
import { isLoopback } from "../../net/process/loopback.js";

export interface Asked {
  /** The page's site; absent: the client is no browser. */
  readonly origin: string | undefined;
  /** The daemon's name in the client's request. */
  readonly host: string | undefined;
}

/**
 * @param named    origins of --ws-origin
 * @param address  the address on which the daemon listens; on loopback, pages of this machine need not be named
 */
export function isWelcome({ origin, host }: Asked, named: readonly string[], address: string): boolean {
  if (origin === undefined || named.includes(origin.toLowerCase())) return true;
  if (named.length > 0 || isLoopback(address) !== true) return false;
  // A site can direct its own name to our address (DNS rebinding): origin and host still contain that name.
  return /^https?:\/\//.test(origin) && isOfThisMachine(origin) && isOfThisMachine(`http://${host ?? ""}`);
}

function isOfThisMachine(url: string): boolean {
  const { hostname } = URL.parse(url) ?? {};
  return hostname !== undefined && isLoopback(hostname.replace(/^\[(.*)\]$/, "$1")) === true;
}
