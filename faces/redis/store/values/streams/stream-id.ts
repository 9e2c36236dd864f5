/**
 * The id of a stream's entry: two unsigned 64-bit numbers, `ms-seq`, combined in one number ms · 2⁶⁴ + seq. Ids
 * therefore compare like numbers, and the next id is one greater. Source: Redis 7, "Streams".
 */
import type { ByteString } from "../../../../../protocol/byte-string.js";

export type StreamId = bigint;

export const STREAM_ID_MAX: StreamId = 2n ** 128n - 1n;

const SEQ_BITS = 64n;
const SEQ_MASK = 2n ** SEQ_BITS - 1n;

export const streamId = (ms: bigint, seq: bigint): StreamId => (ms << SEQ_BITS) | seq;
export const msOf = (id: StreamId): bigint => id >> SEQ_BITS;
export const seqOf = (id: StreamId): bigint => id & SEQ_MASK;

const SHORT = BigInt(Number.MAX_SAFE_INTEGER);

/** A number is written several times as fast as a bigint. */
const short = (part: bigint): bigint | number => (part <= SHORT ? Number(part) : part);

/** The latest id and its text, because a choice and then a reply need the same one. */
let latestId: StreamId = 0n;
let latestText = "0-0";

/** Returns `ms-seq` in decimal digits. */
export function streamIdText(id: StreamId): string {
  if (id !== latestId) {
    latestText = `${short(msOf(id))}-${short(seqOf(id))}`;
    latestId = id;
  }
  return latestText;
}

/** Parses the result of `streamIdText`. @throws SyntaxError if the text has another form */
export function streamIdOfText(text: string): StreamId {
  const [ms = "", seq = ""] = text.split("-");
  return streamId(BigInt(ms), BigInt(seq));
}

/** An entry of a stream. */
export interface StreamEntry {
  readonly id: StreamId;
  /** Name, value, name, value, … */
  readonly fields: readonly ByteString[];
}
