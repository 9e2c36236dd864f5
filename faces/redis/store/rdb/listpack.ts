/**
 * Reads listpacks, in which Redis 7 stores small collections: a header of 6 bytes, entries that are each followed by
 * their own length, and an end mark. Source: redis-server 7.0's dumps.
 */
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { MalformedRdb } from "./malformed-rdb.js";

const HEAD_BYTES = 6;
const COUNT_AT = 4;
/** The count in the header of a listpack that has more entries than the field can represent. */
const COUNT_UNKNOWN = 0xffff;
const END = 0xff;

/** Entry lengths at which the length field after the entry becomes one byte longer. */
const BACKWARD_LENGTHS: readonly number[] = [128, 16383, 2097151, 268435455];

interface Entry {
  readonly value: ByteString;
  /** Number of bytes of the entry without the length that follows it. */
  readonly bytes: number;
}

/** Number of bytes of an integer by its first byte; integers are little-endian. */
const INTEGERS: Readonly<Record<number, number>> = { 241: 2, 242: 3, 243: 4 };
const INTEGER_64 = 0xf4;
const STRING_32 = 0xf0;

/** Returns all entries, integers as decimal texts. @throws MalformedRdb */
export function readListpack(bytes: Buffer): ByteString[] {
  const end = bytes.length - 1;
  if (end < HEAD_BYTES || bytes.readUInt32LE(0) !== bytes.length || bytes[end] !== END)
    throw new MalformedRdb("a listpack has a different length than stated");
  const values: ByteString[] = [];
  let at = HEAD_BYTES;
  while (at < end) {
    const entry = readEntry(bytes.subarray(at, end));
    values.push(entry.value);
    at += entry.bytes + 1 + BACKWARD_LENGTHS.filter((min) => entry.bytes >= min).length;
  }
  const count = bytes.readUInt16LE(COUNT_AT);
  if (at !== end || (count !== values.length && count !== COUNT_UNKNOWN))
    throw new MalformedRdb("a listpack has a different number of entries than stated");
  return values;
}

function readEntry(bytes: Buffer): Entry {
  const first = bytes[0] as number;
  if (first < 0x80) return { value: String(first), bytes: 1 };
  if (first < 0xc0) return stringEntry(bytes, 1, first & 0x3f);
  if (first < 0xe0) {
    const value = ((first & 0x1f) << 8) | byteAt(bytes, 1);
    return { value: String(value >= 0x1000 ? value - 0x2000 : value), bytes: 2 };
  }
  if (first < 0xf0) return stringEntry(bytes, 2, ((first & 0x0f) << 8) | byteAt(bytes, 1));
  if (first === STRING_32 && bytes.length > 4) return stringEntry(bytes, 5, bytes.readUInt32LE(1));
  if (first === INTEGER_64 && bytes.length > 8) return { value: String(bytes.readBigInt64LE(1)), bytes: 9 };
  const width = INTEGERS[first];
  if (width === undefined || bytes.length <= width)
    throw new MalformedRdb("a listpack contains an unknown entry");
  return { value: String(bytes.readIntLE(1, width)), bytes: 1 + width };
}

function stringEntry(bytes: Buffer, start: number, length: number): Entry {
  if (start + length > bytes.length) throw new MalformedRdb("a listpack's entry reaches beyond its end");
  return { value: bytesOf(bytes, start, start + length), bytes: start + length };
}

function byteAt(bytes: Buffer, index: number): number {
  const byte = bytes[index];
  if (byte === undefined) throw new MalformedRdb("a listpack is truncated");
  return byte;
}
