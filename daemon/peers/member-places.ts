/** What the address at the other end of a member's connection tells. */
import { isLoopback } from "../loopback.js";
import type { MemberConnection } from "./member-connection.js";

/** What the log has said it of before: strangers by their address without its port, which is another one each time. */
export const subjectOf = ({ address }: MemberConnection, name: string): string =>
  address === null ? name.replace(/:\d+$/, "") : name;

/** Whether the other end is on this machine. A name that must be looked up is not taken for it. */
export function isOfLoopback({ address, remote }: MemberConnection): boolean {
  const host = address === null ? remote.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1") : address.host;
  return isLoopback(host.replace(/^::ffff:/i, "")) === true;
}
