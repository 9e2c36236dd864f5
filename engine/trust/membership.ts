/**
 * Who may be a member: where there is a list of members, its daemons; else whoever proved a key that is pinned, or that an
 * administrator let in, or knows the cluster's secret. Where somebody connects from proves nothing. Source: docs/protocol-v2.md "Members".
 */

import type { PeerAddress } from "../../options/peer-address.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Standing } from "../../protocol/members/succession.js";
import type { KeyRing } from "../../store/key-ring.js";

/** Each a code of cluster/peers/shared/close-reasons.ts. */
export type NoMember = "no-peers" | "not-a-member" | "revoked" | "left-out" | "not-listed";

export interface MembershipParts {
  /** As it is now. */
  readonly ring: KeyRing;
  readonly peers: readonly Pick<PeerAddress, "pin">[];
  /** The lists of members that were seen: where there is one its daemons are members, and no others. */
  readonly standing: Standing;
}

/**
 * Why a daemon is no member; null: it is one. A key that was revoked is out for good, whatever else it shows.
 * @param knowsSecret  that it knows the cluster's secret
 */
export function refusalOfMember(
  id: ByteString,
  knowsSecret: boolean,
  { ring, peers, standing }: MembershipParts,
): NoMember | null {
  if (peers.length === 0) return "no-peers";
  const record = ring.find(id);
  if (record !== undefined && record.role !== "daemon") return "not-a-member";
  if (record !== undefined && record.revokedAt !== null) return "revoked";
  if (standing.left.has(id)) return "left-out";
  if (standing.members.has(id)) return null;
  // Where there are no administrators a daemon's key lets itself in, to sign: that is nobody's word for it.
  const isLetIn = record !== undefined && record.addedBy !== null && record.addedBy !== id;
  // Others are strangers, which are told nothing of the list.
  if (!knowsSecret && !isLetIn && !peers.some(({ pin }) => pin === id)) return "not-a-member";
  return standing.heads.length > 0 ? "not-listed" : null;
}
