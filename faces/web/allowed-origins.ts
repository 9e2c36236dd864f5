/**
 * Decides which pages may connect. A browser allows any page of any site to open a WebSocket to any address, including
 * this machine, and reports the page's site in `Origin`. Other programs send any origin, or none. A client without a
 * key cannot do anything here. This check prevents pages that are not named from opening connections, from detecting
 * the daemon, and from reading its clock.
 */
import { isLoopback } from "../../daemon/net/process/host-and-port.js";

export interface WebSocketRequest {
  /** The page's site; absent if the client is not a browser. */
  readonly origin: string | undefined;
  /** The daemon's name in the client's request. */
  readonly host: string | undefined;
}

/**
 * @param named    the origins of --ws-origin
 * @param address  the address on which the daemon listens; on loopback, pages of this machine need not be named
 */
export function isWelcome(
  { origin, host }: WebSocketRequest,
  named: readonly string[],
  address: string,
): boolean {
  if (origin === undefined || named.includes(origin.toLowerCase())) return true;
  if (named.length > 0 || isLoopback(address) !== true) return false;
  // A site can make its own name resolve to our address (DNS rebinding), but origin and host still contain that name.
  return /^https?:\/\//.test(origin) && isOfThisMachine(origin) && isOfThisMachine(`http://${host ?? ""}`);
}

function isOfThisMachine(url: string): boolean {
  const { hostname } = URL.parse(url) ?? {};
  return hostname !== undefined && isLoopback(hostname.replace(/^\[(.*)\]$/, "$1")) === true;
}
