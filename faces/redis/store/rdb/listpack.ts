/**
 * Listpacks, in which Redis 7 stores small collections: a header of 6 bytes, entries that are each followed by
 * their own length, and an end mark. Streams are also written in this form. Source: redis-server 7.0's dumps.
 */
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { MalformedRdb } from "./rdb-reader.js";
import { RdbWriter } from "./rdb-writer.js";

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

const STRING_6_MAX = 0x3f;
const STRING_12_MAX = 0xfff;
const INTEGER_7_MAX = 0x7fn;

/** The writer of listpacks, the form in which redis-server reads streams. Source: redis-server 7.0's dumps. */
export class ListpackWriter {
  readonly #writer = new RdbWriter();
  #count = 0;

  /** @param value a signed 64-bit integer */
  integer(value: bigint): void {
    if (value >= 0n && value <= INTEGER_7_MAX) {
      this.#writer.byte(Number(value));
      this.#end(1);
    } else {
      this.#writer.byte(INTEGER_64);
      this.#writer.int64(value);
      this.#end(9);
    }
  }

  string(bytes: ByteString): void {
    const { length } = bytes;
    const writer = this.#writer;
    const head = length <= STRING_6_MAX ? 1 : length <= STRING_12_MAX ? 2 : 5;
    if (head === 1) writer.byte(0x80 | length);
    else if (head === 2) {
      writer.byte(0xe0 | (length >> 8));
      writer.byte(length & 0xff);
    } else {
      writer.byte(0xf0);
      writer.uint32(length);
    }

    writer.bytes(bytes);
    this.#end(head + length);
  }

  /** Returns the complete listpack. */
  toBytes(): ByteString {
    const entries = this.#writer.toBytes();
    const listpack = new RdbWriter();
    listpack.uint32(HEAD_BYTES + entries.length + 1);
    listpack.uint16(Math.min(this.#count, COUNT_UNKNOWN));
    listpack.bytes(entries);
    listpack.byte(END);
    return listpack.toBytes();
  }

  /**
   * Ends an entry with its length, seven bits in each byte, the highest first; all bytes but the first have the highest
   * bit set.
   */
  #end(bytes: number): void {
    const size = BACKWARD_LENGTHS.filter((min) => bytes >= min).length;
    for (let index = size; index >= 0; index--) {
      const bits = Math.floor(bytes / 2 ** (7 * index)) & 0x7f;
      this.#writer.byte(index === size ? bits : 0x80 | bits);
    }
    this.#count++;
  }
}
