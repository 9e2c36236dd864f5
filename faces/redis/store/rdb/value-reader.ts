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
import type { ByteString } from "../../../../protocol/byte-string.js";
import { Stream } from "../values/streams/stream.js";
import { readListpack } from "./listpack.js";
import { MalformedRdb, type RdbReader } from "./rdb-reader.js";
import { readStream } from "./streams-in-rdb.js";
import { readZiplist } from "./ziplist.js";

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
