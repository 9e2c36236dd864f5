/** Which of two connections to one member is kept: both sides come to the same. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { MemberConnection } from "./member-connection.js";

/**
 * Of two connections the one that the lower id has opened is kept; of two that the same side has opened the newer, since
 * it opens one only when it has lost the one before, or did not know that two addresses are one daemon's.
 * @param connection  the newer one
 * @param ownId  this daemon's
 */
export function isBetter(connection: MemberConnection, other: MemberConnection, ownId: ByteString): boolean {
  if (connection.side === other.side) return true;
  return ownId < connection.id === (connection.side === "opener");
}
