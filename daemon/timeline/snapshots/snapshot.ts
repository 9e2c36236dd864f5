/**
 * Writes and reads a complete state as bytes: the database, the entries that made the key ring, and sums of all its
 * entries. The bytes are exact: the order within a value, expiry times and last writers are part of the state. Keys are
 * sorted, and the rows of sums depend only on the date, so the same entries yield the same bytes on every daemon;
 * expired keys are left out.
 */

import { Document } from "../../../faces/json/store/values/document.js";
import {
  readCollection,
  writeCollection,
} from "../../../faces/mongo/store/snapshots/collections-in-snapshots.js";
import { Collection } from "../../../faces/mongo/store/values/collection.js";
import { readStream, writeStream } from "../../../faces/redis/store/snapshots/streams-in-snapshots.js";
import { Stream } from "../../../faces/redis/store/values/streams/stream.js";
import { readTable, writeTable } from "../../../faces/sql/store/snapshots/tables-in-snapshots.js";
import { Table } from "../../../faces/sql/store/values/table.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Steps } from "../../../protocol/steps.js";
import { Database } from "../../store/database.js";
import type { KeyRing } from "../../store/key-ring.js";
import { type Entry as KeyEntry, type Keyspace, NO_EXPIRY } from "../../store/keyspace/keyspace.js";
import { Hash } from "../../store/values/hash.js";
import { List } from "../../store/values/list.js";
import { MemberSet } from "../../store/values/member-set.js";
import { SortedSet } from "../../store/values/sorted-set.js";
import { typeName, type Value } from "../../store/values/value.js";
import { type Entry, type OrderKey, orderKeyOf } from "../entries/entry.js";
import { isRingEntry } from "../entries/recorded-envelopes.js";
import { type Beginning, type RefuseRingEntry, readRingEntries, writeRingEntries } from "./ring-entries.js";
import {
  DamagedSnapshot,
  ForeignSnapshot,
  type SnapshotHash,
  SnapshotReader,
  SnapshotWriter,
} from "./snapshot-stream.js";

export { DamagedSnapshot, type SnapshotHash };

/** The types of values. Snapshots on disk contain indexes into this list: add new types only at the end. */
const TYPES = [
  ...(["end", "string", "list", "hash", "set", "zset", "stream"] as const),
  // A document with indexes, or with entries that expire, is written as the second kind.
  ...(["document", "document-of-more"] as const),
  "table",
  // A stream that has groups of consumers.
  "stream-of-groups",
  "collection",
] as const;
/** Keys, or elements of a value, that are read between two turns: about a millisecond. */
const ITEMS_PER_STEP = 2048;

export interface SnapshotState {
  readonly database: Database;
  /** The entries that concern the key ring, in order. */
  readonly ringEntries: readonly Entry[];
  /** The state contains everything dated at or before this date, and nothing else. Milliseconds since 1970, or -1. */
  readonly cutAt: number;
  /** The sums of all entries in the state, or other data that a backend stores about these entries. */
  readonly sums: Iterable<Buffer>;
}

/** Yields a snapshot's bytes. The state must not change until the last chunk has been taken. @param hash  SHA-256 */
export function* writeSnapshot(
  { database, ringEntries, cutAt, sums }: SnapshotState,
  hash: SnapshotHash,
): Generator<Buffer> {
  const writer = new SnapshotWriter(hash);
  yield writer.head;
  writer.number(cutAt + 1);
  writer.number(database.keyspaces.length);
  for (const chunk of sums) {
    if (chunk.length > 0) writer.bytes(chunk.toString("latin1"));
    yield* fullFrame(writer);
  }
  writer.bytes("");
  yield* writeRingEntries(writer, ringEntries);
  for (const keyspace of database.keyspaces) yield* writeKeyspace(writer, keyspace, cutAt);
  yield writer.takeFrame();
}

function* fullFrame(writer: SnapshotWriter): Generator<Buffer> {
  if (writer.isFull) yield writer.takeFrame();
}

function* writeKeyspace(writer: SnapshotWriter, { entries }: Keyspace, cutAt: number): Generator<Buffer> {
  const seen = entries.filter(({ expire }) => expire === NO_EXPIRY || expire > cutAt);
  for (const entry of seen.sort(byKey)) {
    writer.number(TYPES.indexOf(formOf(entry.value)));
    writer.bytes(entry.key);
    writer.number(entry.expire);
    writer.bytes(entry.writer);
    yield* writeValue(writer, entry.value);
    yield* fullFrame(writer);
  }
  writer.number(0);
}

function formOf(value: Value): (typeof TYPES)[number] {
  if (isExtendedDocument(value)) return "document-of-more";
  return value instanceof Stream && value.groupCount > 0 ? "stream-of-groups" : typeName(value);
}

const isExtendedDocument = (value: Value) =>
  value instanceof Document && (value.indexed.length > 0 || (value.expiries?.size ?? 0) > 0);

const byKey = (a: KeyEntry, b: KeyEntry) => (a.key < b.key ? -1 : 1);

function* writeValue(writer: SnapshotWriter, value: Value): Generator<Buffer> {
  if (typeof value === "string") {
    writer.bytes(value);
    return;
  }
  writer.number(value.size);
  if (value instanceof SortedSet) {
    for (const [member, score] of value.range(0, value.size)) {
      writer.bytes(member);
      writer.double(score);
      yield* fullFrame(writer);
    }
    return;
  }
  if (value instanceof Stream) {
    yield* writeStream(writer, value, fullFrame);
    return;
  }
  if (value instanceof Document) {
    yield* writeDocument(writer, value);
    return;
  }
  if (value instanceof Table) {
    yield* writeTable(writer, value, fullFrame);
    return;
  }
  if (value instanceof Collection) {
    yield* writeCollection(writer, value, fullFrame);
    return;
  }
  if (value instanceof List) {
    for (let from = 0; from < value.size; from += ITEMS_PER_STEP) {
      for (const element of value.slice(from, Math.min(value.size, from + ITEMS_PER_STEP))) {
        writer.bytes(element);
        yield* fullFrame(writer);
      }
    }
    return;
  }
  const values = value instanceof Hash ? value.values : null;
  for (const [index, name] of (value instanceof Hash ? value.fields : value.members).entries()) {
    writer.bytes(name);
    if (values !== null) writer.bytes(values[index] as ByteString);
    yield* fullFrame(writer);
  }
}

function* writeDocument(writer: SnapshotWriter, document: Document): Generator<Buffer> {
  writer.bytes(document.born);
  writer.number(document.next);
  const isExtended = isExtendedDocument(document);
  if (isExtended) {
    writer.number(document.indexed.length);
    for (const field of document.indexed) writer.bytes(field);
  }
  for (const [key, text] of document.entries()) {
    writer.bytes(key);
    writer.bytes(text);
    if (isExtended) writer.number(document.expireOf(key) ?? NO_EXPIRY);
    yield* fullFrame(writer);
  }
}

/** The contents of a snapshot. */
export interface ReadState {
  readonly database: Database;
  readonly ring: KeyRing;
  readonly ringEntries: readonly Entry[];
  readonly cutAt: number;
  /** The bytes of the sums with which the snapshot was written. */
  readonly sums: Buffer;
  /** The order keys of the entries that are for the key ring alone, which the sums of data do not count. */
  readonly ringOrderKeys: readonly OrderKey[];
}

/**
 * Reads a snapshot to its end.
 * @param refuses  as in `readRingEntries`
 * @throws DamagedSnapshot  it is damaged, cut off, of another format or for another number of databases
 */
export function* readSnapshot(
  chunks: Iterable<Buffer>,
  beginning: Beginning,
  refuses?: RefuseRingEntry,
): Steps<ReadState> {
  const reader = new SnapshotReader(chunks, beginning.hash);
  try {
    return yield* readState(reader, beginning, refuses);
  } finally {
    reader.close();
  }
}

function* readState(
  reader: SnapshotReader,
  beginning: Beginning,
  refuses?: RefuseRingEntry,
): Steps<ReadState> {
  const { databases } = beginning;
  reader.head();
  const cutAt = reader.number() - 1;
  const found = reader.number();
  if (found !== databases)
    throw new ForeignSnapshot(`a snapshot of ${found} databases, but this daemon has ${databases}`);
  const sums: Buffer[] = [];
  for (let chunk = reader.bytes(); chunk !== ""; chunk = reader.bytes())
    sums.push(Buffer.from(chunk, "latin1"));
  const { ring, entries: ringEntries } = yield* readRingEntries(reader, cutAt, beginning, refuses);
  const database = new Database({ databases });
  for (const keyspace of database.keyspaces) yield* readKeyspace(reader, keyspace);
  reader.end();
  const ringOrderKeys = ringEntries.filter(({ envelope }) => isRingEntry(envelope)).map(orderKeyOf);
  return { database, ring, ringEntries, cutAt, sums: Buffer.concat(sums), ringOrderKeys };
}

function* readKeyspace(reader: SnapshotReader, keyspace: Keyspace): Steps<void> {
  for (let count = 1; ; count++) {
    const type = TYPES[reader.number()];
    if (type === "end") return;
    if (type === undefined) throw new DamagedSnapshot("a value is of an unknown type");
    const key = reader.bytes();
    const expire = reader.number();
    const writer = reader.bytes();
    keyspace.set(key, yield* readValue(reader, type), expire, writer);
    if (count % ITEMS_PER_STEP === 0) yield;
  }
}

function* readValue(reader: SnapshotReader, type: Exclude<(typeof TYPES)[number], "end">): Steps<Value> {
  if (type === "string") return reader.bytes();
  const size = reader.number();
  if (type === "stream" || type === "stream-of-groups")
    return yield* readStream(reader, {
      size,
      hasGroups: type === "stream-of-groups",
      itemsAStep: ITEMS_PER_STEP,
    });
  if (type === "document" || type === "document-of-more")
    return yield* readDocument(reader, size, type === "document-of-more");
  if (type === "table") return yield* readTable(reader, size, ITEMS_PER_STEP);
  if (type === "collection") return yield* readCollection(reader, size, ITEMS_PER_STEP);
  const value = new VALUES[type]();
  for (let index = 1; index <= size; index++) {
    if (value instanceof List) value.push("right", reader.bytes());
    else if (value instanceof Hash) value.push(reader.bytes(), reader.bytes());
    else if (value instanceof MemberSet) value.push(reader.bytes());
    else value.set(reader.bytes(), reader.double());
    if (index % ITEMS_PER_STEP === 0) yield;
  }
  return value;
}

function* readDocument(reader: SnapshotReader, size: number, isExtended: boolean): Steps<Document> {
  const document = new Document(reader.bytes());
  const next = reader.number();
  const fields: ByteString[] = [];
  for (let left = isExtended ? reader.number() : 0; left > 0; left--) fields.push(reader.bytes());
  document.indexed = fields;
  for (let index = 1; index <= size; index++) {
    const [key, text] = [reader.bytes(), reader.bytes()];
    const expire = isExtended ? reader.number() : NO_EXPIRY;
    document.push(key, text, expire === NO_EXPIRY ? undefined : expire);
    if (index % ITEMS_PER_STEP === 0) yield;
  }
  document.raiseNext(next);
  return document;
}

const VALUES = { list: List, hash: Hash, set: MemberSet, zset: SortedSet };
