/** What a member holds, as counts and sums, and how that travels. */
import type { ByteString } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";
import { HASH_BYTES } from "../version-2/envelope.js";
import { readFixed, readNumber } from "./member-elements.js";

/** How much a member holds: a hint, since a signer could grind the sum. */
export interface Total {
  readonly count: number;
  /** Ids summed modulo 2²⁵⁶, 32 bytes, big-endian. */
  readonly sum: ByteString;
}

export interface Totals {
  /** Envelopes that change keys. */
  readonly ring: Total;
  readonly data: Total;
}

export const totalElements = ({ ring, data }: Totals): ByteString[] => [
  String(ring.count),
  ring.sum,
  String(data.count),
  data.sum,
];

/** @throws MalformedFrame */
export function readTotals(reader: RespReader): Totals {
  const ring = readTotal(reader);
  return { ring, data: readTotal(reader) };
}

function readTotal(reader: RespReader): Total {
  return { count: readNumber(reader), sum: readFixed(reader, HASH_BYTES) };
}
