/** Counts and sums of the entries that a member has, and their encoding. */
import type { ByteString } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";
import { HASH_BYTES } from "../version-2/envelope.js";
import { readFixed, readNumber } from "./member-elements.js";

/**
 * The count and sum of a set of entries. It is only a hint, because a signer could search for ids that result in a
 * certain sum.
 */
export interface Total {
  readonly count: number;
  /** The sum of the ids modulo 2²⁵⁶, 32 bytes, big-endian. */
  readonly sum: ByteString;
}

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
