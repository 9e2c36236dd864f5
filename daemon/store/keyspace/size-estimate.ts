/**
 * Estimates the memory of a key, from the sizes that V8 allocates for objects, strings and tables.
 * test/daemon/store/commands/object.test.ts compares the estimates with the heap.
 */

import { Document } from "../../../faces/json/store/values/document.js";
import { Collection as BsonCollection } from "../../../faces/mongo/store/values/collection.js";
import { Stream } from "../../../faces/redis/store/values/streams/stream.js";
import { BLOCK_MAX } from "../../../faces/redis/store/values/streams/stream-block.js";
import { STREAM_ID_MAX } from "../../../faces/redis/store/values/streams/stream-id.js";
import { Table } from "../../../faces/sql/store/values/table.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { Hash } from "../values/hash.js";
import { List } from "../values/list.js";
import { MemberSet } from "../values/member-set.js";
import { SortedSet } from "../values/sorted-set.js";
import { isPackable, PACKED_ELEMENTS_MAX } from "../values/tables/packed-elements.js";
import type { Value } from "../values/value.js";
import { NO_EXPIRY } from "./keyspace.js";

/** Number of bytes of a string without its characters. */
const STRING_HEAD = 16;
/** Number of bytes of a reference. */
const REFERENCE = 8;
/** Number of bytes of a slot in a hash table, including its share of empty slots. */
const TABLE_SLOT = 40;
/** A key's record, and its slots in the list of keys and in the table. */
const ENTRY = 64 + REFERENCE + TABLE_SLOT;
/** The time and the key in the expiry queue, and the time in the record. */
const EXPIRY = 3 * 16;
/** The objects of an empty collection. */
const COLLECTION = 160;
/** Collections of at least this number of members also have a hash table. */
const TABLE_MEMBERS_MIN = 13;
/**
 * Score and reference in the tree by score, whose nodes are at least half full, and the score in the table by member.
 */
const SCORED = 4 * REFERENCE;
/** A stream entry's id, which is a bigint, and its slots. */
const STREAM_ENTRY = 32 + 2 * REFERENCE;
/** An entry of a sealed block: its id, and its share of the data that the block stores for all entries. */
const SEALED_STREAM_ENTRY = 8;
/** A consumer group, or a consumer, with its tables. */
const GROUP = 500;
/** A pending entry: its id, its slots in the group's and the consumer's tables, and its record. */
const PENDING = 32 + 4 * REFERENCE + 8 * REFERENCE;
/** A table's row without its cells: the array, the header of its elements, its slot. */
const ROW = 5 * REFERENCE;
/** A document's key in an index of a collection, such as the text of an ObjectId. */
const INDEX_KEY = 4 * REFERENCE;
/** Key and rank of a document's entry. */
const DOCUMENT_KEY = 2 * REFERENCE;

/**
 * Returns the estimated bytes of a key and its value.
 * @param samples number of elements to sample; the estimate assumes that the remaining ones are similar
 */
export function estimatedBytes(key: ByteString, value: Value, expire: number, samples: number): number {
  return stringBytes(key) + ENTRY + (expire === NO_EXPIRY ? 0 : EXPIRY) + valueBytes(value, samples);
}

function valueBytes(value: Value, samples: number): number {
  if (typeof value === "string") return stringBytes(value);
  const { size } = value;
  const sampled = Math.min(size, samples);
  const inTable =
    value instanceof List ||
    value instanceof Stream ||
    value instanceof Table ||
    value instanceof BsonCollection ||
    isPlain(value) ||
    size < TABLE_MEMBERS_MIN
      ? 0
      : TABLE_SLOT;
  return (
    COLLECTION +
    Math.round((elementBytes(value, sampled) * size) / Math.max(sampled, 1)) +
    size * inTable +
    (value instanceof Stream ? groupBytes(value) : 0)
  );
}

/** Returns the bytes of a stream's consumer groups. */
function groupBytes({ groups }: Stream): number {
  let bytes = 0;
  for (const { name, size, consumers, pending, skipped } of groups) {
    bytes += GROUP * (1 + size) + stringBytes(name) + PENDING * (pending.size + skipped.size);
    for (const consumer of consumers) bytes += stringBytes(consumer.name);
  }
  return bytes;
}

/** Whether a value is a document whose entries have no stored keys. */
const isPlain = (value: Value) => value instanceof Document && value.isPlain;

/** Returns the bytes of the first elements, without their share of tables. */
function elementBytes(value: Exclude<Value, ByteString>, count: number): number {
  if (value instanceof List) return count * REFERENCE + textBytes(value.slice(0, count));
  if (value instanceof MemberSet) return namedBytes(value.members.slice(0, count), value.size);
  if (value instanceof Hash) {
    const texts = [...value.fields.slice(0, count), ...value.values.slice(0, count)];
    return namedBytes(texts, 2 * value.size);
  }
  if (value instanceof SortedSet)
    return count * (SCORED + REFERENCE) + textBytes(value.members.slice(0, count));
  if (value instanceof Table) return rowBytes(value, count);
  if (value instanceof BsonCollection) return collectionBytes(value, count);
  let bytes = 0;
  let remaining = count;
  if (value instanceof Document) {
    for (const [key, text] of value.entries()) {
      if (remaining-- === 0) break;
      bytes += REFERENCE + stringBytes(text) + (value.isPlain ? 0 : DOCUMENT_KEY + stringBytes(key));
    }
    return bytes;
  }
  for (const { fields } of value.range(0n, STREAM_ID_MAX)) {
    if (remaining-- === 0) break;
    // Entries share their names.
    const values = fields.filter((_, i) => i % 2 === 1);
    bytes +=
      value.size > BLOCK_MAX
        ? values.reduce((sum, { length }) => sum + 1 + length, SEALED_STREAM_ENTRY)
        : STREAM_ENTRY + values.length * REFERENCE + textBytes(values);
  }
  return bytes;
}

function rowBytes(table: Table, count: number): number {
  let bytes = 0;
  for (const [, row] of table.numbered()) {
    if (count-- === 0) break;
    bytes += ROW + row.length * 2 * REFERENCE;
    for (const cell of row) if (typeof cell === "string") bytes += stringBytes(cell);
  }
  return bytes;
}

function collectionBytes(collection: BsonCollection, count: number): number {
  let bytes = 0;
  for (const document of collection.documents()) {
    if (count-- === 0) break;
    // The document's bytes, its row, and its slot in the index of _id.
    bytes += ROW + 2 * REFERENCE + TABLE_SLOT + INDEX_KEY + stringBytes(document);
  }
  return bytes;
}

/** @param all the number of texts in the collection: a few short ones are packed into one string */
function namedBytes(texts: readonly ByteString[], all: number): number {
  if (all <= PACKED_ELEMENTS_MAX && texts.every(isPackable))
    return texts.reduce((bytes, { length }) => bytes + 1 + length, 0);
  return texts.length * REFERENCE + textBytes(texts);
}

function textBytes(texts: readonly ByteString[]): number {
  return texts.reduce((bytes, text) => bytes + stringBytes(text), 0);
}

function stringBytes({ length }: ByteString): number {
  return STRING_HEAD + Math.ceil(length / 8) * 8;
}
