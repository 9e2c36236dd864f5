/**
 * Who may be a member: whose key is a daemon's in the key ring, or is pinned. A key that was revoked is out for good. As long
 * as nothing is pinned, whoever is on this machine may. Source: docs/protocol-v2.md "Members".
 */
import type { ByteString } from "../protocol/byte-string.js";
import type { KeyRing } from "../store/key-ring.js";
import type { PeerAddress } from "./peers/member-socket.js";

export interface MembershipParts {
  /** As it is now. */
  readonly ring: KeyRing;
  readonly peers: readonly Pick<PeerAddress, "pin">[];
}

/** @param isNear  it is on this machine */
export function mayBeMember(id: ByteString, isNear: boolean, { ring, peers }: MembershipParts): boolean {
  const record = ring.find(id);
  if (record !== undefined) return record.role === "daemon" && record.revokedAt === null;
  if (peers.some(({ pin }) => pin === id)) return true;
  return isNear && peers.every(({ pin }) => pin === null);
}
