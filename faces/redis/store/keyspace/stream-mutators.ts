/**
 * The mutators of streams and of their consumer groups, each with its inverse: see daemon/store/keyspace/mutators.ts.
 * Those of groups do not change a key's last writer, but the last writer of the groups. As with WATCH in Redis, reading
 * and acknowledging by groups does not change the stream.
 */

import { SORTED_MEMBER_STEPS } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import { ELEMENT_BYTES, type Inverse, NO_BYTES } from "../../../../daemon/store/keyspace/undo.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { Consumer, ConsumerGroup, type GroupMarks, type Pending } from "../values/streams/consumer-group.js";
import { isSameMarks, type Stream, type StreamMarks } from "../values/streams/stream.js";
import type { StreamBlock } from "../values/streams/stream-block.js";
import type { StreamEntry, StreamId } from "../values/streams/stream-id.js";

const entryAdded: Inverse<Stream, StreamMarks> = {
  undo: (stream, marks) => {
    stream.pop();
    stream.marks = marks;
  },
  bytes: NO_BYTES,
};

export const entryRemoved: Inverse<Stream, StreamEntry> = {
  undo: (stream, removed) => stream.insert(removed),
  bytes: ({ fields }) => fields.reduce((sum, field) => sum + field.length, 0),
};

/** The removed blocks belong to the record until it is undone. */
export const entriesTrimmed: Inverse<Stream, readonly StreamBlock[]> = {
  undo: (stream, removed) => stream.prepend(removed),
  bytes: (removed) => removed.reduce((sum, block) => sum + ELEMENT_BYTES * block.size + block.valueBytes, 0),
};

const streamMarked: Inverse<Stream, StreamMarks> = {
  undo: (stream, marks) => {
    stream.marks = marks;
  },
  bytes: NO_BYTES,
};

/** Appends an entry, whose id becomes the last one. */
export function addEntry(data: Data, entry: Typed<Stream>, added: StreamEntry): void {
  data.effort.countProduced(1);
  const { marks } = entry.value;
  data.record(entryAdded, entry.value, marks);
  entry.value.push(added);
  const entriesAdded = BigInt.asUintN(64, marks.entriesAdded + 1n);
  entry.value.marks = { lastId: added.id, maxDeletedId: marks.maxDeletedId, entriesAdded };
  data.touch(entry);
}

/** Removes an entry. @returns whether it was present */
export function removeEntry(data: Data, entry: Typed<Stream>, id: StreamId): boolean {
  data.effort.countProduced(1);
  const removed = entry.value.copyOf(id);
  if (removed === undefined) return false;
  data.record(entryRemoved, entry.value, removed);
  entry.value.delete(id);
  data.touch(entry);
  return true;
}

/** Removes the first `count` entries, which must exist. */
export function trimEntries(data: Data, entry: Typed<Stream>, count: number): void {
  if (count === 0) return;
  data.effort.countProduced(count);
  data.record(entriesTrimmed, entry.value, entry.value.takeFirst(count));
  data.touch(entry);
}

/** Changes the marks that a stream stores in addition to its entries. */
export function markStream(data: Data, entry: Typed<Stream>, marks: Partial<StreamMarks>): void {
  const old = entry.value.marks;
  const changed = { ...old, ...marks };
  if (isSameMarks(old, changed)) return;
  data.record(streamMarked, entry.value, old);
  entry.value.marks = changed;
  data.touch(entry);
}

/** A consumer group, with the entry of its stream. */
export interface GroupOfStream {
  readonly entry: Typed<Stream>;
  readonly stream: Stream;
  readonly group: ConsumerGroup;
}

/** Ids, each with its new pending record; undefined if the entry is no longer pending. */
type PendingChanges = readonly (readonly [StreamId, Pending | undefined])[];

/**
 * The first ids of ranges of skipped ids, each with its new last id; undefined if there is no such range any longer.
 */
type SkippedChanges = readonly (readonly [StreamId, StreamId | undefined])[];

const groupPut: Inverse<Stream, { readonly name: ByteString; readonly group: ConsumerGroup | undefined }> = {
  undo: (stream, { name, group }) => void stream.setGroup(name, group),
  bytes: ({ group }) => (group === undefined ? 0 : ELEMENT_BYTES * (group.pending.size + group.skipped.size)),
};

const groupMarked: Inverse<ConsumerGroup, GroupMarks> = {
  undo: (group, old) => {
    group.marks = old;
  },
  bytes: NO_BYTES,
};

const consumerSeen: Inverse<Consumer, number> = {
  undo: (consumer, old) => {
    consumer.seenAt = old;
  },
  bytes: NO_BYTES,
};

export const consumerAdded: Inverse<ConsumerGroup, Consumer> = {
  undo: (group, consumer) => group.removeConsumer(consumer),
  bytes: NO_BYTES,
};

export const consumerRemoved: Inverse<ConsumerGroup, Consumer> = {
  undo: (group, consumer) => group.addConsumer(consumer),
  bytes: ({ pending }) => ELEMENT_BYTES * pending.size,
};

const pendingSet: Inverse<ConsumerGroup, PendingChanges> = {
  undo: (group, old) => {
    for (let i = old.length - 1; i >= 0; i--) group.setPending(...(old[i] as PendingChanges[number]));
  },
  bytes: (old) => ELEMENT_BYTES * old.length,
};

const skippedSet: Inverse<ConsumerGroup, SkippedChanges> = {
  undo: (group, old) => {
    for (const [from, to] of old.toReversed()) group.setSkipped(from, to);
  },
  bytes: (old) => ELEMENT_BYTES * old.length,
};

/** Adds a group whose name is not in use. */
export function createGroup(data: Data, entry: Typed<Stream>, name: ByteString, marks: GroupMarks): void {
  putGroup(data, entry, name, new ConsumerGroup(name, marks));
}

/** Removes a group with its consumers and their pending entries. */
export function destroyGroup(data: Data, entry: Typed<Stream>, name: ByteString): void {
  putGroup(data, entry, name, undefined);
}

/** Replaces the marks of a group. */
export function markGroup(data: Data, { entry, group }: GroupOfStream, marks: GroupMarks): void {
  const { marks: old } = group;
  if (marks.lastId === old.lastId && marks.entriesRead === old.entriesRead) return;
  data.record(groupMarked, group, old);
  group.marks = marks;
  data.touchGroups(entry);
}

/**
 * Returns the consumer with the given name, adds it if it is absent, and records this unit's date as the time at which
 * it was last seen.
 */
export function seenConsumer(data: Data, source: GroupOfStream, name: ByteString): Consumer {
  const consumer = source.group.consumer(name);
  if (consumer === undefined) return addConsumer(data, source, name);
  if (consumer.seenAt !== data.at) {
    data.record(consumerSeen, consumer, consumer.seenAt);
    consumer.seenAt = data.at;
    // XINFO STREAM FULL returns this date.
    data.touchGroups(source.entry);
  }
  return consumer;
}

/** Adds a consumer whose name is not in use. */
export function addConsumer(data: Data, { entry, group }: GroupOfStream, name: ByteString): Consumer {
  data.effort.countProduced(1, name.length);
  const consumer = new Consumer(name, data.at);
  data.record(consumerAdded, group, consumer);
  group.addConsumer(consumer);
  data.touchGroups(entry);
  return consumer;
}

/** Removes a consumer and its pending entries. */
export function removeConsumer(data: Data, { entry, group }: GroupOfStream, consumer: Consumer): void {
  data.effort.countProduced(1 + SORTED_MEMBER_STEPS * consumer.pending.size);
  data.record(consumerRemoved, group, consumer);
  group.removeConsumer(consumer);
  data.touchGroups(entry);
}

/** Sets the pending records of entries, all in one undo record. */
export function setPending(data: Data, { entry, group }: GroupOfStream, changes: PendingChanges): void {
  if (changes.length === 0) return;
  const old = changes.map(([id, pending]) => [id, group.setPending(id, pending)] as const);
  data.record(pendingSet, group, old);
  data.touchGroups(entry);
}

/** Sets the ends of ranges of skipped ids, all in one undo record; undefined removes a range. */
export function setSkipped(data: Data, { entry, group }: GroupOfStream, changes: SkippedChanges): void {
  if (changes.length === 0) return;
  data.effort.countProduced(SORTED_MEMBER_STEPS * changes.length);
  const old = changes.map(([from, to]) => [from, group.setSkipped(from, to)] as const);
  data.record(skippedSet, group, old);
  data.touchGroups(entry);
}

function putGroup(
  data: Data,
  entry: Typed<Stream>,
  name: ByteString,
  group: ConsumerGroup | undefined,
): void {
  const { value: stream } = entry;
  data.record(groupPut, stream, { name, group: stream.setGroup(name, group) });
  data.touchGroups(entry);
}
