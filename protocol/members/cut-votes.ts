/**
 * What a member says of its state at a cut: everything dated up to a time makes this very snapshot. Signed by the member's
 * own key, so that others can hand it on. Source: docs/protocol-v2.md "Members".
 */
import { type ByteString, bytesOf } from "../byte-string.js";

export interface CutVote {
  /** Milliseconds since 1970: of everything dated up to it. */
  readonly at: number;
  /** Length of the snapshot. */
  readonly bytes: number;
  /** Its last 32 bytes, which stand for all of it. */
  readonly seal: ByteString;
  /** Whose it is: SubjectPublicKeyInfo, DER. */
  readonly spki: ByteString;
  readonly signature: ByteString;
}

/** In one message: more than any member has to tell. */
export const VOTES_MOST = 256;

const DOMAIN = "dbsync2\0cut\0";
const SEAL_BYTES = 32;
const HEAD_BYTES = 8 + 8 + SEAL_BYTES;
/** Of a key, and of a signature: lengths that a byte can say. */
const PART_BYTES_MAX = 255;

/** What is signed. @param cluster  32 bytes */
export function cutVoteBytes(cluster: ByteString, vote: Omit<CutVote, "spki" | "signature">): Buffer {
  return Buffer.concat([Buffer.from(DOMAIN + cluster, "latin1"), headOf(vote)]);
}

/** Each: at (8, big-endian) ‖ bytes (8) ‖ seal (32) ‖ length (1) ‖ SubjectPublicKeyInfo ‖ length (1) ‖ signature. */
export function writeCutVotes(votes: Iterable<CutVote>): Buffer {
  const parts: Buffer[] = [];
  for (const vote of votes) {
    parts.push(headOf(vote));
    for (const part of [vote.spki, vote.signature])
      parts.push(Buffer.of(part.length), Buffer.from(part, "latin1"));
  }
  return Buffer.concat(parts);
}

/** @returns null: these are none, or too many */
export function readCutVotes(packed: Buffer, most = Number.POSITIVE_INFINITY): CutVote[] | null {
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
    if (votes.length === most) return null;
    votes.push({ at: Number(at), bytes: Number(bytes), seal, spki, signature });
  }
  return votes;
}

function headOf({ at, bytes, seal }: Pick<CutVote, "at" | "bytes" | "seal">): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeBigUInt64BE(BigInt(at), 0);
  head.writeBigUInt64BE(BigInt(bytes), 8);
  head.write(seal, 16, "latin1");
  return head;
}
