/** The rule by which daemons are members. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { MembershipState } from "../../../protocol/members/member-list.js";
import type { PeerAddress } from "../../options/peer-address.js";
import type { KeyRing } from "../../store/key-ring.js";

/** The reasons for rejecting a daemon; each is a code of protocol/figures/close-reasons.ts. */
type NonMemberReason = "no-peers" | "not-a-member" | "revoked" | "left-out" | "not-listed";

/**
 * Returns why a daemon is not a member, or null if it is one. If there is a member list, the members are the daemons in
 * the list. Otherwise they are the daemons that have proved a pinned key, a key that an administrator has authorized,
 * or knowledge of the cluster's secret. The address of a connection is not a proof. A daemon with a revoked key can
 * never be a member, whatever it proves. Source: docs/member-protocol.md.
 * @param knowsSecret  whether the daemon has proved that it knows the cluster's secret
 * @param ring         the current key ring
 * @param membership   the state of the known member lists; if there is a list, only its daemons are members
 */
export function refusalOfMember(
  id: ByteString,
  knowsSecret: boolean,
  {
    ring,
    peers,
    membership,
  }: { readonly ring: KeyRing; readonly peers: readonly PeerAddress[]; readonly membership: MembershipState },
): NonMemberReason | null {
  if (peers.length === 0) return "no-peers";

  const record = ring.find(id);
  if (record !== undefined && record.role !== "daemon") return "not-a-member";
  if (record !== undefined && record.revokedAt !== null) return "revoked";
  if (membership.removed.has(id)) return "left-out";
  if (membership.members.has(id)) return null;

  // A key that its own daemon has added does not count as authorized. Without administrators, daemons add their own
  // keys so that they can sign.
  const isAuthorized = record !== undefined && record.addedBy !== null && record.addedBy !== id;

  // Check this before the list, because a daemon without any proof must not learn anything about the list.
  if (!knowsSecret && !isAuthorized && !peers.some(({ pin }) => pin === id)) return "not-a-member";
  return membership.heads.length > 0 ? "not-listed" : null;
}
