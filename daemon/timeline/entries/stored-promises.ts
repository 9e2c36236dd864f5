/**
 * The mark with what this daemon has promised and voted: CRC-32 of the rest (4, big-endian) ‖ 1 if it is complete, 0 if
 * promises may be missing (1) ‖ promises. Damaged promises are lost ones: an earlier promise in their place would let
 * this daemon vote twice.
 */
import { crc32 } from "node:zlib";
import { MalformedFrame } from "../../../protocol/errors.js";
import { readStoredPromises } from "../../../protocol/members/decision-messages.js";
import { type Decision, readDecision } from "../../../protocol/version-2/decision-body.js";

const CRC_BYTES = 4;
const HEAD_BYTES = CRC_BYTES + 1;

interface PromisesMark {
  /** Whether no promise is missing. */
  readonly isComplete: boolean;
  /** The bytes of the promises; null if there are none. */
  readonly promises: Buffer | null;
  /** The bodies of the decisions for which this daemon has voted last, and their dates; empty: none. */
  readonly accepted: readonly (Pick<Decision, "at" | "seq"> & { readonly body: Buffer })[];
}

/** @param promises  null: none, because all may be lost */
export function writePromisesMark(promises: Buffer | null, isComplete = true): Buffer {
  const mark = Buffer.concat([
    Buffer.alloc(CRC_BYTES),
    Buffer.of(Number(isComplete)),
    promises ?? Buffer.alloc(0),
  ]);
  mark.writeUInt32BE(crc32(mark.subarray(CRC_BYTES)), 0);
  return mark;
}

/** Reads a mark. Returns null if it is damaged. */
export function readPromisesMark(mark: Buffer): PromisesMark | null {
  if (mark.length < HEAD_BYTES || crc32(mark.subarray(CRC_BYTES)) !== mark.readUInt32BE(0)) return null;

  const isComplete = mark[CRC_BYTES] === 1;
  const promises = Buffer.from(mark.subarray(HEAD_BYTES));
  if (promises.length === 0) return isComplete ? null : { isComplete, promises: null, accepted: [] };

  try {
    const bodies = readStoredPromises(promises).accepted?.bodies ?? [];
    const accepted = bodies.map((body) => {
      const { at, seq } = readDecision(body);
      return { at, seq, body };
    });
    return { isComplete, promises, accepted };
  } catch (problem) {
    if (problem instanceof MalformedFrame) return null;
    throw problem;
  }
}
