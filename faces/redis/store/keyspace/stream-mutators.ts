/** The mutators of streams, each with its inverse: see daemon/store/keyspace/mutators.ts. */

import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import { ELEMENT_BYTES, type Inverse, NO_BYTES } from "../../../../daemon/store/keyspace/value-change.js";
import { isSameMarks, type Stream, type StreamMarks } from "../values/streams/stream.js";
import type { StreamBlock } from "../values/streams/stream-block.js";
import type { StreamEntry } from "../values/streams/stream-entry.js";
import type { StreamId } from "../values/streams/stream-id.js";

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
  data.effort.produce(1);
  const { marks } = entry.value;
  data.record(entryAdded, entry.value, marks);
  entry.value.push(added);
  const entriesAdded = BigInt.asUintN(64, marks.entriesAdded + 1n);
  entry.value.marks = { lastId: added.id, maxDeletedId: marks.maxDeletedId, entriesAdded };
  data.touch(entry);
}

/** Removes an entry. @returns whether it was present */
export function removeEntry(data: Data, entry: Typed<Stream>, id: StreamId): boolean {
  data.effort.produce(1);
  const removed = entry.value.get(id);
  if (removed === undefined) return false;
  data.record(entryRemoved, entry.value, removed);
  entry.value.delete(id);
  data.touch(entry);
  return true;
}

/** Removes the first `count` entries, which must exist. */
export function trimEntries(data: Data, entry: Typed<Stream>, count: number): void {
  if (count === 0) return;
  data.effort.produce(count);
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
