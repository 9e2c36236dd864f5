/**
 * Streams in RDB: listpacks of entries, whose ids are relative to the first one's, then the stream's marks and its
 * consumer groups.
 * Source: redis-server 7.0's dumps.
 */

import { parseInteger } from "../../../../daemon/store/arguments/number-arguments.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import {
  Consumer,
  ConsumerGroup,
  DELIVERIES_MAX,
  type Pending,
  sharedPending,
} from "../values/streams/consumer-group.js";
import { countUpTo } from "../values/streams/read-counter.js";
import { Stream } from "../values/streams/stream.js";
import {
  msOf,
  STREAM_ID_MAX,
  type StreamEntry,
  type StreamId,
  seqOf,
  streamId,
} from "../values/streams/stream-id.js";
import { ListpackWriter, readListpack } from "./listpack.js";
import { MalformedRdb, type RdbReader } from "./rdb-reader.js";
import type { RdbWriter } from "./rdb-writer.js";

/** Redis's default of `stream-node-max-entries`. */
const NODE_ENTRIES_MAX = 100;

const DELETED = 1;
const SAME_FIELDS = 2;

/** @param hasMarks whether the first id and the marks of deleted entries are included, as in Redis 7.0 and later */
export function readStream(reader: RdbReader, hasMarks: boolean): Stream {
  const stream = new Stream();
  let last: StreamId = 0n;
  for (let nodes = reader.readLength(); nodes > 0; nodes--) {
    const first = idOfBytes(reader.readBytes());
    for (const entry of nodeEntries(first, readListpack(reader.readBytes()))) {
      if (entry.id <= last) throw new MalformedRdb("the ids of a stream are not ascending");
      last = entry.id;
      stream.push(entry);
    }
  }
  if (reader.readLength() !== stream.size) throw new MalformedRdb("a stream has the wrong length");

  const lastId = readId(reader);
  if (lastId < last) throw new MalformedRdb("a stream has an entry after its last id");

  if (hasMarks) readId(reader);
  const maxDeletedId = hasMarks ? readId(reader) : 0n;
  const entriesAdded = hasMarks ? reader.readBigLength() : BigInt(stream.size);
  stream.marks = { lastId, maxDeletedId, entriesAdded };
  readGroups(reader, stream, hasMarks);
  return stream;
}

export function writeStream(writer: RdbWriter, stream: Stream): void {
  const entries = [...stream.range(0n, STREAM_ID_MAX)];
  writer.length(Math.ceil(entries.length / NODE_ENTRIES_MAX));
  for (let from = 0; from < entries.length; from += NODE_ENTRIES_MAX) {
    const node = entries.slice(from, from + NODE_ENTRIES_MAX);
    writer.string(bytesOfId(node[0]!.id));
    writer.string(nodeOf(node));
  }

  writer.length(entries.length);
  const { lastId, maxDeletedId, entriesAdded } = stream.marks;
  for (const id of [lastId, stream.firstId ?? 0n, maxDeletedId]) writeId(writer, id);
  writer.bigLength(entriesAdded);
  writeGroups(writer, stream);
}

function nodeOf(entries: readonly StreamEntry[]): ByteString {
  const listpack = new ListpackWriter();
  const first = entries[0]!.id;

  // The number of entries, of deleted entries and of common fields, and the end of the common fields.
  for (const number of [entries.length, 0, 0, 0]) listpack.integer(BigInt(number));
  for (const { id, fields } of entries) {
    const parts = [
      0n,
      signed(msOf(id) - msOf(first)),
      signed(seqOf(id) - seqOf(first)),
      BigInt(fields.length / 2),
    ];
    for (const part of parts) listpack.integer(part);
    for (const text of fields) listpack.string(text);
    listpack.integer(BigInt(parts.length + fields.length));
  }

  return listpack.toBytes();
}

/** Yields the entries of a listpack that are not deleted. */
function* nodeEntries(first: StreamId, items: readonly ByteString[]): Generator<StreamEntry> {
  let at = 2;
  const next = (): ByteString => {
    const item = items[at++];
    if (item === undefined) throw new MalformedRdb("a stream's node is truncated");
    return item;
  };

  const number = (): bigint => {
    const value = parseInteger(next());
    if (value === undefined) throw new MalformedRdb("a stream's node has a text instead of a number");
    return BigInt(value);
  };
  const commonCount = number();
  const common: ByteString[] = [];
  while (common.length < commonCount) common.push(next());
  number();
  while (at < items.length) {
    const flags = Number(number());
    const ms = BigInt.asUintN(64, msOf(first) + number());
    const seq = BigInt.asUintN(64, seqOf(first) + number());
    const isCommon = (flags & SAME_FIELDS) !== 0;
    const count = isCommon ? commonCount : number();
    const fields: ByteString[] = [];
    for (let i = 0; i < count; i++) fields.push(isCommon ? common[i]! : next(), next());
    number();
    if ((flags & DELETED) === 0) yield { id: streamId(ms, seq), fields };
  }
}

function signed(difference: bigint): bigint {
  return BigInt.asIntN(64, difference);
}

/** The value that represents an unknown number of entries. */
const UNKNOWN = 2n ** 64n - 1n;

type Delivery = Omit<Pending, "consumer">;

/** @param hasCounters whether each group includes the number of entries that it has read, as in Redis 7.0 and later */
function readGroups(reader: RdbReader, stream: Stream, hasCounters: boolean): void {
  for (let remaining = reader.readLength(); remaining > 0; remaining--) {
    const name = reader.readString();
    const lastId = readId(reader);
    const read = hasCounters ? reader.readBigLength() : null;
    const entriesRead = read === null ? countUpTo(stream, lastId) : entriesReadOf(read);
    const group = new ConsumerGroup(name, { lastId, entriesRead });
    const deliveries = readDeliveries(reader);
    for (let more = reader.readLength(); more > 0; more--) readConsumer(reader, group, deliveries);
    if (group.pending.size !== deliveries.size)
      throw new MalformedRdb("a pending entry belongs to no consumer, or to two");
    if (stream.setGroup(name, group) !== undefined) throw new MalformedRdb("a stream has a group twice");
  }
}

/**
 * Writes the consumer groups: the group's pending entries with times and counts, then only the ids for each consumer.
 */
function writeGroups(writer: RdbWriter, stream: Stream): void {
  writer.length(stream.groupCount);
  for (const { name, marks, pending, consumers, size } of stream.groups) {
    writer.string(name);
    writeId(writer, marks.lastId);
    writer.bigLength(BigInt.asUintN(64, marks.entriesRead ?? -1n));
    writer.length(pending.size);
    for (const [id, { deliveredAt, deliveries }] of pending) {
      writer.bytes(bytesOfId(id));
      writer.int64(BigInt(deliveredAt));
      writer.bigLength(BigInt(deliveries));
    }

    writer.length(size);
    for (const consumer of consumers) {
      writer.string(consumer.name);
      writer.int64(BigInt(consumer.seenAt));
      writer.length(consumer.pending.size);
      for (const [id] of consumer.pending) writer.bytes(bytesOfId(id));
    }
  }
}

function readDeliveries(reader: RdbReader): ReadonlyMap<StreamId, Delivery> {
  const deliveries = new Map<StreamId, Delivery>();
  let last = -1n;
  for (let remaining = reader.readLength(); remaining > 0; remaining--) {
    const id = idOfBytes(reader.readRaw(ID_BYTES));
    if (id <= last) throw new MalformedRdb("the ids of pending entries are not ascending");
    last = id;
    const deliveredAt = readTime(reader);
    const count = Math.min(Number(reader.readBigLength()), DELIVERIES_MAX);
    deliveries.set(id, { deliveredAt, deliveries: count });
  }

  return deliveries;
}

function readConsumer(
  reader: RdbReader,
  group: ConsumerGroup,
  deliveries: ReadonlyMap<StreamId, Delivery>,
): void {
  const name = reader.readString();
  const consumer = new Consumer(name, readTime(reader));
  if (group.consumer(name) !== undefined) throw new MalformedRdb("a group has a consumer twice");
  group.addConsumer(consumer);

  let last: Pending | undefined;
  for (let remaining = reader.readLength(); remaining > 0; remaining--) {
    const id = idOfBytes(reader.readRaw(ID_BYTES));
    const delivery = deliveries.get(id);
    if (delivery === undefined) throw new MalformedRdb("a consumer has an entry that is not pending");
    last = sharedPending({ consumer, ...delivery }, last);
    if (group.setPending(id, last) !== undefined) throw new MalformedRdb("an entry is pending twice");
  }
}

/** Reads a time, in milliseconds since 1970. */
const readTime = (reader: RdbReader): number =>
  Math.min(Math.max(0, Number(reader.readInt64())), Number.MAX_SAFE_INTEGER);

const entriesReadOf = (count: bigint): bigint | null => (count === UNKNOWN ? null : BigInt.asIntN(64, count));

/** Length of an id in bytes that sort like ids. */
const ID_BYTES = 16;

/** Reads the id of an entry as two numbers. */
function readId(reader: RdbReader): StreamId {
  const ms = reader.readBigLength();
  return streamId(ms, reader.readBigLength());
}

function writeId(writer: RdbWriter, id: StreamId): void {
  writer.bigLength(msOf(id));
  writer.bigLength(seqOf(id));
}

/** @throws MalformedRdb if the bytes are not an id */
function idOfBytes(bytes: Buffer): StreamId {
  if (bytes.length !== ID_BYTES) throw new MalformedRdb("the id of an entry has a wrong length");
  return BigInt(`0x${bytes.toString("hex")}`);
}

function bytesOfId(id: StreamId): ByteString {
  return bytesOf(Buffer.from(id.toString(16).padStart(2 * ID_BYTES, "0"), "hex"));
}
