/**
 * Reads ziplists, in which Redis before 7 stored small collections: a header of 10 bytes, entries that each begin with
 * the length of the previous one, and an end mark. Source: dumps of Redis 6.
 */
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { MalformedRdb } from "./rdb-reader.js";

const HEAD_BYTES = 10;
const COUNT_AT = 8;
/** The count in the header of a ziplist that has more entries than the field can represent. */
const COUNT_UNKNOWN = 0xffff;
const END = 0xff;
/** The first byte of a previous entry's length if the length itself is in the next four bytes. */
const LONG_PREVIOUS = 0xfe;

/** Number of bytes of an integer by its first byte; integers are little-endian. */
const INTEGERS: Readonly<Record<number, number>> = { 254: 1, 192: 2, 240: 3, 208: 4 };
const INTEGER_64 = 0xe0;
/** A first byte that is at least this contains an integer from 0 to 12. */
const SMALL_MIN = 0xf1;
const SMALL_MAX = 0xfd;

/** Returns all entries, integers as decimal texts. @throws MalformedRdb */
export function readZiplist(bytes: Buffer): ByteString[] {
  const end = bytes.length - 1;
  if (end < HEAD_BYTES || bytes.readUInt32LE(0) !== bytes.length || bytes[end] !== END)
    throw new MalformedRdb("a ziplist has a different length than stated");
  const values: ByteString[] = [];
  let at = HEAD_BYTES;
  while (at < end) {
    at += bytes[at] === LONG_PREVIOUS ? 5 : 1;
    const entry = readEntry(bytes.subarray(at, Math.max(at, end)));
    values.push(entry.value);
    at += entry.bytes;
  }
  const count = bytes.readUInt16LE(COUNT_AT);
  if (at !== end || (count !== values.length && count !== COUNT_UNKNOWN))
    throw new MalformedRdb("a ziplist has a different number of entries than stated");
  return values;
}

function readEntry(bytes: Buffer): { value: ByteString; bytes: number } {
  const first = bytes[0];
  if (first === undefined) throw new MalformedRdb("a ziplist is truncated");
  if (first < 0x40) return stringEntry(bytes, 1, first);
  if (first < 0x80) return stringEntry(bytes, 2, ((first & 0x3f) << 8) | (bytes[1] ?? 0));
  if (first === 0x80 && bytes.length > 4) return stringEntry(bytes, 5, bytes.readUInt32BE(1));
  if (first >= SMALL_MIN && first <= SMALL_MAX) return { value: String(first - SMALL_MIN), bytes: 1 };
  if (first === INTEGER_64 && bytes.length > 8) return { value: String(bytes.readBigInt64LE(1)), bytes: 9 };
  const width = INTEGERS[first];
  if (width === undefined || bytes.length <= width)
    throw new MalformedRdb("a ziplist contains an unknown entry");
  return { value: String(bytes.readIntLE(1, width)), bytes: 1 + width };
}

function stringEntry(bytes: Buffer, start: number, length: number): { value: ByteString; bytes: number } {
  if (start + length > bytes.length) throw new MalformedRdb("a ziplist's entry reaches beyond its end");
  return { value: bytesOf(bytes, start, start + length), bytes: start + length };
}
