/** Chooses which of two connections to one member is kept: both sides choose the same. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { MemberConnection } from "./member-connection.js";

/**
 * Prefers the connection that the lower id has opened; of two that the same side has opened the newer, since that
 * side opens one only when it has lost the one before, or did not know that two addresses are one daemon's.
 * @param connection  the newer one
 * @param ownId  this daemon's
 */
export function isBetter(connection: MemberConnection, other: MemberConnection, ownId: ByteString): boolean {
  if (connection.side === other.side) return true;
  return ownId < connection.id === (connection.side === "opener");
}
