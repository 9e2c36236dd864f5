/**
 * Who may be a member: whoever proved a key that is pinned, or that an administrator let in, or knows the cluster's
 * secret. Where somebody connects from proves nothing. Source: docs/protocol-v2.md "Members".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { PeerAddress } from "../options/peer-address.js";

/** Each a code of peers/farewells.ts. */
export type NoMember = "no-peers" | "not-a-member" | "revoked";

export interface MembershipParts {
  /** As it is now. */
  readonly ring: KeyRing;
  readonly peers: readonly Pick<PeerAddress, "pin">[];
}

/**
 * Why a daemon is no member; null: it is one. A key that was revoked is out for good, whatever else it shows.
 * @param knowsSecret  that it knows the cluster's secret
 */
export function refusalOfMember(
  id: ByteString,
  knowsSecret: boolean,
  { ring, peers }: MembershipParts,
): NoMember | null {
  if (peers.length === 0) return "no-peers";
  const record = ring.find(id);
  if (record !== undefined && record.role !== "daemon") return "not-a-member";
  if (record !== undefined && record.revokedAt !== null) return "revoked";
  // Where there are no administrators a daemon's key lets itself in, to sign: that is nobody's word for it.
  const isLetIn = record !== undefined && record.addedBy !== null && record.addedBy !== id;
  return knowsSecret || isLetIn || peers.some(({ pin }) => pin === id) ? null : "not-a-member";
}
