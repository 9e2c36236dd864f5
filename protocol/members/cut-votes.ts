/**
 * A member's vote on its state at a cut: it declares that all entries dated up to the cut result in exactly this
 * snapshot. The member signs the vote with its own key, so other members can forward it.
 * Source: docs/protocol-v2.md "Members".
 */
import { type ByteString, bytesOf } from "../byte-string.js";

/** The state at a cut, according to a member's snapshot. */
export interface CutState {
  /** The cut, in milliseconds since 1970: the snapshot contains all entries dated up to it. */
  readonly at: number;
  /** The length of the snapshot in bytes. */
  readonly bytes: number;
  /** The snapshot's last 32 bytes, a hash of its contents. */
  readonly seal: ByteString;
}

export interface CutVote extends CutState {
  /** The voter's key: SubjectPublicKeyInfo, DER. */
  readonly spki: ByteString;
  readonly signature: ByteString;
}

/** The maximum number of votes in one message. No member has more. */
export const VOTES_MAX = 256;

const DOMAIN = "dbsync2\0cut\0";
const SEAL_BYTES = 32;
const HEAD_BYTES = 8 + 8 + SEAL_BYTES;
/** The maximum length of a key or a signature, which must fit into one byte. */
const PART_BYTES_MAX = 255;

/** Returns the bytes that a vote's signature covers. @param cluster  32 bytes */
export function cutVoteBytes(cluster: ByteString, state: CutState): Buffer {
  return Buffer.concat([Buffer.from(DOMAIN + cluster, "latin1"), headOf(state)]);
}

/**
 * Packs votes, each as at (8, big-endian) ‖ bytes (8) ‖ seal (32) ‖ length (1) ‖ SubjectPublicKeyInfo ‖ length (1) ‖
 * signature.
 */
export function writeCutVotes(votes: Iterable<CutVote>): Buffer {
  const parts: Buffer[] = [];
  for (const vote of votes) {
    parts.push(headOf(vote));
    for (const part of [vote.spki, vote.signature])
      parts.push(Buffer.of(part.length), Buffer.from(part, "latin1"));
  }
  return Buffer.concat(parts);
}

/** Unpacks votes. Returns null if the bytes are invalid or there are too many votes. */
export function readCutVotes(packed: Buffer, max = Number.POSITIVE_INFINITY): CutVote[] | null {
  const votes: CutVote[] = [];
  let offset = 0;
  const takePart = (): ByteString => {
    const end = offset + 1 + (packed[offset] ?? PART_BYTES_MAX + 1);
    const part = bytesOf(packed, offset + 1, end);
    offset = end;
    return part;
  };

  while (offset < packed.length) {
    if (offset + HEAD_BYTES > packed.length) return null;
    const [at, bytes] = [packed.readBigUInt64BE(offset), packed.readBigUInt64BE(offset + 8)];
    const seal = bytesOf(packed, offset + 16, offset + HEAD_BYTES);
    offset += HEAD_BYTES;
    const [spki, signature] = [takePart(), takePart()];
    if (offset > packed.length || at > Number.MAX_SAFE_INTEGER || bytes > Number.MAX_SAFE_INTEGER)
      return null;
    if (votes.length === max) return null;
    votes.push({ at: Number(at), bytes: Number(bytes), seal, spki, signature });
  }
  return votes;
}

function headOf({ at, bytes, seal }: CutState): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeBigUInt64BE(BigInt(at), 0);
  head.writeBigUInt64BE(BigInt(bytes), 8);
  head.write(seal, 16, "latin1");
  return head;
}
