/**
 * Which pages may connect. A browser lets any page of any site open a WebSocket to any address, this machine's among them, and says
 * in `Origin` where the page is from; a program says what it likes, or nothing. Nothing can be done here without a key; this keeps pages
 * that nobody has named from the rest: who listens, what time it is, and places among the connections.
 */
import { isLoopback } from "../../net/process/loopback.js";

export interface Asked {
  /** Absent: no browser. */
  readonly origin: string | undefined;
  /** What the client takes this daemon for. */
  readonly host: string | undefined;
}

/**
 * @param named    by --ws-origin
 * @param address  where the daemon listens; on loopback pages of this machine need not be named
 */
export function isWelcome({ origin, host }: Asked, named: readonly string[], address: string): boolean {
  if (origin === undefined || named.includes(origin.toLowerCase())) return true;
  if (named.length > 0 || isLoopback(address) !== true) return false;
  // A page of another site can come to be at our address by its name (DNS rebinding): its origin has the name still, and so has its host.
  return /^https?:\/\//.test(origin) && isOfThisMachine(origin) && isOfThisMachine(`http://${host ?? ""}`);
}

function isOfThisMachine(url: string): boolean {
  const { hostname } = URL.parse(url) ?? {};
  return hostname !== undefined && isLoopback(hostname.replace(/^\[(.*)\]$/, "$1")) === true;
}
