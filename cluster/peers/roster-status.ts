/** Stateless functions of the roster: the status of all known members, and whether a message is accepted. */
import type { ByteString } from "../../protocol/byte-string.js";
import { type Dialer, NOT_CONNECTED } from "./connections/dialer.js";
import type { MemberConnection } from "./connections/member-connection.js";
import type { Member } from "./member.js";
import type { ClusterState, MemberStatus } from "./shared/cluster-state.js";
import type { ExchangeMessage } from "./shared/exchange-message.js";

/** Why a listed member is not connected, if no address for it is known. */
const NO_ADDRESS = "No address of --peer leads to it.";

/**
 * Returns the status of the addresses of --peer first, then of members that connected from other addresses, then of
 * listed members without a known address. The latter must be shown: a missing member prevents writes from becoming
 * final, even after it was removed from --peer.
 * @param named  the other members of the list, or null if there is no list
 * @param lastHeard  milliseconds since a disconnected member last sent something, or null if unknown
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
  // A listed member without a known address may be at an address of --peer where no daemon has replied yet.
  const unanswered = dialers.filter(({ id, isSelf }) => id === null && !isSelf).length;
  if (unseen.length > unanswered)
    for (const id of unseen)
      statuses.push({ ...NOT_CONNECTED, id, trouble: NO_ADDRESS, lastHeard: lastHeard(id) });
  return statuses;
}

/** Whether a message is accepted: a list may have removed its sender a moment ago, or may not name this daemon yet. */
export function isAccepted(
  { id, refusal }: MemberConnection,
  { kind }: ExchangeMessage,
  lists: ClusterState["lists"],
): boolean {
  if (lists === undefined || kind === "list" || kind === "status") return true;
  return refusal === null && lists.mayTakeFrom(id);
}
