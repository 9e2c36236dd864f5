/**
 * The consumer groups of a stream in RDB: the group's pending entries with times and counts, followed by only the ids
 * for each consumer. Source: redis-server 7.0's dumps.
 */
import {
  Consumer,
  ConsumerGroup,
  DELIVERIES_MAX,
  type Pending,
  sharedPending,
} from "../values/streams/consumer-group.js";
import { countUpTo } from "../values/streams/read-counter.js";
import type { Stream } from "../values/streams/stream.js";
import type { StreamId } from "../values/streams/stream-id.js";
import { MalformedRdb } from "./malformed-rdb.js";
import type { RdbReader } from "./rdb-reader.js";
import type { RdbWriter } from "./rdb-writer.js";
import { bytesOfId, ID_BYTES, idOfBytes, readId, writeId } from "./stream-ids-in-rdb.js";

/** The value that represents an unknown number of entries. */
const UNKNOWN = 2n ** 64n - 1n;

type Delivery = Omit<Pending, "consumer">;

/** @param hasCounters whether each group includes the number of entries that it has read, as in Redis 7.0 and later */
export function readGroups(reader: RdbReader, stream: Stream, hasCounters: boolean): void {
  for (let remaining = reader.readLength(); remaining > 0; remaining--) {
    const name = reader.readString();
    const lastId = readId(reader);
    const read = hasCounters ? reader.readBigLength() : null;
    const entriesRead = read === null ? countUpTo(stream, lastId) : signed(read);
    const group = new ConsumerGroup(name, { lastId, entriesRead });
    const deliveries = readDeliveries(reader);
    for (let more = reader.readLength(); more > 0; more--) readConsumer(reader, group, deliveries);
    if (group.pending.size !== deliveries.size)
      throw new MalformedRdb("a pending entry belongs to no consumer, or to two");
    if (stream.setGroup(name, group) !== undefined) throw new MalformedRdb("a stream has a group twice");
  }
}

export function writeGroups(writer: RdbWriter, stream: Stream): void {
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

const signed = (count: bigint): bigint | null => (count === UNKNOWN ? null : BigInt.asIntN(64, count));
