/**
 * Decides which daemons may be members: if there is a member list, its daemons; otherwise those that proved a pinned
 * key, a key that an administrator authorized, or the cluster's secret. The address of a connection proves nothing.
 * Source: docs/protocol-v2.md "Members".
 */

import type { PeerAddress } from "../../options/peer-address.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Standing } from "../../protocol/members/succession.js";
import type { KeyRing } from "../../store/key-ring.js";

/** Each is a code of cluster/peers/shared/close-reasons.ts. */
export type NoMember = "no-peers" | "not-a-member" | "revoked" | "left-out" | "not-listed";

/**
 * Returns why a daemon is no member; null: it is one. A revoked key is excluded permanently, whatever else the daemon
 * proves.
 * @param knowsSecret  whether it proved the cluster's secret
 * @param ring         as it is now
 * @param standing     the state of the member lists that were seen: if there is a list, its daemons alone are members
 */
export function refusalOfMember(
  id: ByteString,
  knowsSecret: boolean,
  {
    ring,
    peers,
    standing,
  }: { readonly ring: KeyRing; readonly peers: readonly PeerAddress[]; readonly standing: Standing },
): NoMember | null {
  if (peers.length === 0) return "no-peers";
  const record = ring.find(id);
  if (record !== undefined && record.role !== "daemon") return "not-a-member";
  if (record !== undefined && record.revokedAt !== null) return "revoked";
  if (standing.left.has(id)) return "left-out";
  if (standing.members.has(id)) return null;
  // Without administrators a daemon adds its own key, to sign: that authorizes it to nothing else.
  const isLetIn = record !== undefined && record.addedBy !== null && record.addedBy !== id;
  // A daemon without proof learns nothing about the list.
  if (!knowsSecret && !isLetIn && !peers.some(({ pin }) => pin === id)) return "not-a-member";
  return standing.heads.length > 0 ? "not-listed" : null;
}
