/**
 * Reads and writes the elements of messages between members. Each value has exactly one encoding. Each reader throws
 * MalformedFrame.
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";
import { HASH_BYTES } from "../version-2/envelope.js";

export function readNumber(reader: RespReader): number {
  const bytes = reader.readBulkView();
  const text = bytes.length <= 16 ? bytesOf(bytes) : "";
  if (!/^(0|[1-9]\d{0,15})$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw reader.malformed("expected a canonical decimal below 2^53");
  }
  return Number(text);
}

export function readFlag(reader: RespReader): boolean {
  const flag = readShort(reader, 1);
  if (flag !== "0" && flag !== "1") throw reader.malformed('expected "0" or "1"');
  return flag === "1";
}

export function readFixed(reader: RespReader, length: number): ByteString {
  const bytes = reader.readBulkView();
  if (bytes.length !== length) throw reader.malformed(`expected ${length} bytes`);
  return bytesOf(bytes);
}

export function readShort(reader: RespReader, max: number): ByteString {
  const bytes = reader.readBulkView();
  if (bytes.length > max) throw reader.malformed(`expected at most ${max} bytes`);
  return bytesOf(bytes);
}

/**
 * The count and sum of a set of entries. It is only a hint, because a signer could search for ids that result in a
 * certain sum.
 */
export interface Total {
  readonly count: number;
  /** The sum of the ids modulo 2²⁵⁶, 32 bytes, big-endian. */
  readonly sum: ByteString;
}

/** Counts and sums of the entries that a member has, and their encoding. */
export interface Totals {
  /** The envelopes that change the key ring. */
  readonly ring: Total;
  readonly data: Total;
}

export const totalElements = ({ ring, data }: Totals): ByteString[] => [
  String(ring.count),
  ring.sum,
  String(data.count),
  data.sum,
];

/** Parses totals. @throws MalformedFrame */
export function readTotals(reader: RespReader): Totals {
  const ring = readTotal(reader);
  return { ring, data: readTotal(reader) };
}

function readTotal(reader: RespReader): Total {
  return { count: readNumber(reader), sum: readFixed(reader, HASH_BYTES) };
}
