/** The mutators of streams: part of the interface in mutators.ts, with the same rules. */

import type { Entry } from "../../../../daemon/store/keyspace/keyspace.js";
import type { MutatedUnit } from "../../../../daemon/store/keyspace/mutated-unit.js";
import { isSameMarks, type Stream, type StreamMarks } from "../values/streams/stream.js";
import type { StreamEntry } from "../values/streams/stream-entry.js";
import type { StreamId } from "../values/streams/stream-id.js";

/** The key of a stream. */
type KeyOfStream = Omit<Entry, "value"> & { readonly value: Stream };

export class StreamMutators {
  readonly #host: MutatedUnit;

  constructor(host: MutatedUnit) {
    this.#host = host;
  }

  /** Appends an entry, whose id becomes the last one. */
  add(entry: KeyOfStream, added: StreamEntry): void {
    this.#host.produce(1, 0);
    const { marks } = entry.value;
    const { maxDeletedId } = marks;
    this.#host.record({ mutator: "streamAdd", stream: entry.value, marks });
    entry.value.push(added);
    const entriesAdded = BigInt.asUintN(64, marks.entriesAdded + 1n);
    entry.value.marks = { lastId: added.id, maxDeletedId, entriesAdded };
    this.#host.touch(entry);
  }

  /** Removes an entry. @returns whether it was present */
  remove(entry: KeyOfStream, id: StreamId): boolean {
    this.#host.produce(1, 0);
    const removed = entry.value.get(id);
    if (removed === undefined) return false;
    this.#host.record({ mutator: "streamRemove", stream: entry.value, removed });
    entry.value.delete(id);
    this.#host.touch(entry);
    return true;
  }

  /** Removes the first `count` entries, which must exist. */
  trim(entry: KeyOfStream, count: number): void {
    if (count === 0) return;
    this.#host.produce(count, 0);
    const removed = entry.value.takeFirst(count);
    this.#host.record({ mutator: "streamTrim", stream: entry.value, removed });
    this.#host.touch(entry);
  }

  /** Changes the marks that a stream stores in addition to its entries. */
  mark(entry: KeyOfStream, marks: Partial<StreamMarks>): void {
    const old = entry.value.marks;
    const changed = { ...old, ...marks };
    if (isSameMarks(old, changed)) return;
    this.#host.record({ mutator: "streamMark", stream: entry.value, old });
    entry.value.marks = changed;
    this.#host.touch(entry);
  }
}
