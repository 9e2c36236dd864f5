/**
 * Reads values from RDB, in every form in which Redis up to 7.0 dumps strings, lists, sets, sorted sets, hashes and
 * streams. To read another type of value, add a row to the table. Source: redis-server 7.0's dumps.
 */

import { parseDouble } from "../../../../daemon/store/arguments/number-arguments.js";
import { Hash } from "../../../../daemon/store/values/hash.js";
import { List } from "../../../../daemon/store/values/list.js";
import { MemberSet } from "../../../../daemon/store/values/member-set.js";
import { SortedSet } from "../../../../daemon/store/values/sorted-set.js";
import type { Value } from "../../../../daemon/store/values/value.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { Stream } from "../values/streams/stream.js";
import { readListpack } from "./listpack.js";
import { MalformedRdb, type RdbReader } from "./rdb-reader.js";
import { readStream } from "./streams-in-rdb.js";

type ValueReader = (reader: RdbReader) => Value;

/** Readers by the number that precedes a value. The numbers are Redis's. */
const READERS: Readonly<Record<number, ValueReader>> = {
  0: (reader) => reader.readString(),
  1: (reader) => listOf(strings(reader, reader.readLength())),
  2: (reader) => setOf(strings(reader, reader.readLength())),
  3: (reader) => sortedSetOf(scored(reader, () => reader.readTextDouble())),
  4: (reader) => hashOf(strings(reader, 2 * reader.readLength())),
  5: (reader) => sortedSetOf(scored(reader, () => reader.readDouble())),
  10: (reader) => listOf(readZiplist(reader.readBytes())),
  11: (reader) => setOf(readIntegers(reader.readBytes())),
  12: (reader) => sortedSetOf(scoredTexts(readZiplist(reader.readBytes()))),
  13: (reader) => hashOf(readZiplist(reader.readBytes())),
  14: (reader) => listOf(nodes(reader, () => readZiplist(reader.readBytes()))),
  15: (reader) => readStream(reader, false),
  16: (reader) => hashOf(readListpack(reader.readBytes())),
  17: (reader) => sortedSetOf(scoredTexts(readListpack(reader.readBytes()))),
  18: (reader) => listOf(nodes(reader, () => quicklistNode(reader))),
  19: (reader) => readStream(reader, true),
};

/** The container of a list's node that is a single element. */
const PLAIN = 1;
/** The container of a list's node that is a listpack of several elements. */
const PACKED = 2;

/** Length of an intset's header. */
const INTEGERS_AT = 8;

/** Reads a value preceded by its type; ignores the bytes after it. @throws MalformedRdb */
export function readValue(reader: RdbReader): Value {
  const read = READERS[reader.readByte()];
  if (read === undefined) throw new MalformedRdb("a value is of an unknown type");
  const value = read(reader);
  const mayBeEmpty = typeof value === "string" || value instanceof Stream;
  if (!mayBeEmpty && value.size === 0) throw new MalformedRdb("a collection is empty");
  return value;
}

function* strings(reader: RdbReader, count: number): Generator<ByteString> {
  for (let i = 0; i < count; i++) yield reader.readString();
}

function* scored(reader: RdbReader, readScore: () => number): Generator<[ByteString, number]> {
  const count = reader.readLength();
  for (let i = 0; i < count; i++) yield [reader.readString(), readScore()];
}

function* scoredTexts(texts: readonly ByteString[]): Generator<[ByteString, number]> {
  for (let i = 0; i < texts.length; i += 2) yield [texts[i]!, parseDouble(texts[i + 1] ?? "") ?? Number.NaN];
}

function* nodes(reader: RdbReader, readNode: () => readonly ByteString[]): Generator<ByteString> {
  const count = reader.readLength();
  for (let i = 0; i < count; i++) yield* readNode();
}

function quicklistNode(reader: RdbReader): readonly ByteString[] {
  const container = reader.readLength();
  if (container === PLAIN) return [reader.readString()];
  if (container !== PACKED) throw new MalformedRdb("a list's node is of an unknown kind");
  return readListpack(reader.readBytes());
}

/** Reads an intset: the width of its members, their number, and the members. */
function readIntegers(bytes: Buffer): ByteString[] {
  const width = bytes.length < INTEGERS_AT ? 0 : bytes.readUInt32LE(0);
  if (![2, 4, 8].includes(width) || bytes.length !== INTEGERS_AT + width * bytes.readUInt32LE(4))
    throw new MalformedRdb("a set of integers has a different length than stated");
  const members: ByteString[] = [];
  for (let at = INTEGERS_AT; at < bytes.length; at += width) {
    members.push(String(width === 8 ? bytes.readBigInt64LE(at) : bytes.readIntLE(at, width)));
  }
  return members;
}

function listOf(elements: Iterable<ByteString>): List {
  const list = new List();
  for (const element of elements) list.push("right", element);
  return list;
}

function setOf(members: Iterable<ByteString>): MemberSet {
  const set = new MemberSet();
  for (const member of members) {
    if (set.has(member)) throw new MalformedRdb("a set has a member twice");
    set.push(member);
  }
  return set;
}

/** @param items  field, value, field, value, … */
function hashOf(items: Iterable<ByteString>): Hash {
  const hash = new Hash();
  let field: ByteString | undefined;
  for (const item of items) {
    if (field === undefined) field = item;
    else {
      if (hash.find(field) >= 0) throw new MalformedRdb("a hash has a field twice");
      hash.push(field, item);
      field = undefined;
    }
  }
  if (field !== undefined) throw new MalformedRdb("a hash has a field without a value");

  return hash;
}

function sortedSetOf(pairs: Iterable<[ByteString, number]>): SortedSet {
  const zset = new SortedSet();
  for (const [member, score] of pairs) {
    if (Number.isNaN(score)) throw new MalformedRdb("a score is not a number");
    if (zset.get(member) !== undefined) throw new MalformedRdb("a sorted set has a member twice");
    zset.set(member, score);
  }
  return zset;
}

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

/**
 * Reads a ziplist, in which Redis before 7 stored small collections: a header of 10 bytes, entries that each begin with
 * the length of the previous one, and an end mark. Source: dumps of Redis 6.
 * @returns  all entries, integers as decimal texts
 * @throws MalformedRdb
 */
function readZiplist(bytes: Buffer): ByteString[] {
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
