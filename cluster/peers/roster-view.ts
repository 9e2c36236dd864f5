/** Functions of the roster without state: the status of all known members, and whether a message is accepted. */
import type { ByteString } from "../../protocol/byte-string.js";
import { AWAY, type Dialer } from "./connections/dialer.js";
import type { MemberConnection } from "./connections/member-connection.js";
import type { Member } from "./member.js";
import type { ClusterState, MemberStatus } from "./shared/cluster-state.js";
import type { ExchangeMessage } from "./shared/exchange-message.js";

/** Why a member that the list names is not connected, if no address is known of it. */
const NO_ADDRESS = "No address of --peer leads to it.";

/**
 * Returns addresses of --peer first, then members that connected from elsewhere, then those that the list names and
 * no address leads to: without these, a missing member that was taken out of --peer would keep everything from
 * becoming final unseen.
 * @param named  the other members of the list; null: there is none
 * @param lastHeard  milliseconds since a disconnected one last sent something; null: not known
 */
export function statusesOf(
  dialers: readonly Dialer[],
  members: ReadonlyMap<ByteString, Member>,
  lastHeard: (id: ByteString | null) => number | null,
  named: ReadonlySet<ByteString> | null,
): MemberStatus[] {
  const listed = new Set<ByteString>();
  const statuses = dialers.map((dialer) => {
    const member = dialer.id === null ? undefined : members.get(dialer.id);
    if (member === undefined || listed.has(member.id)) return dialer.describe(lastHeard(dialer.id));
    listed.add(member.id);
    return member.describe(dialer.name);
  });
  for (const member of members.values()) {
    if (!listed.has(member.id)) statuses.push(member.describe(member.connection.remote));
  }
  const known = new Set(statuses.map(({ id }) => id));
  const unseen = [...(named ?? [])].filter((id) => !known.has(id));
  // Each may be at an address where no daemon has answered yet.
  const unanswered = dialers.filter(({ id, isSelf }) => id === null && !isSelf).length;
  if (unseen.length > unanswered)
    for (const id of unseen) statuses.push({ ...AWAY, id, trouble: NO_ADDRESS, lastHeard: lastHeard(id) });
  return statuses;
}

/** Whether a message is accepted: a list may have removed its sender a moment ago, or may not name this daemon yet. */
export function isHeard(
  { id, refusal }: MemberConnection,
  { kind }: ExchangeMessage,
  lists: ClusterState["lists"],
): boolean {
  if (lists === undefined || kind === "list" || kind === "status") return true;
  return refusal === null && lists.mayTakeFrom(id);
}
