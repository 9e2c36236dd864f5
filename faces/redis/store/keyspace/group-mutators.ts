/**
 * The mutators of consumer groups: part of the interface in mutators.ts, with the same rules, except that they do not
 * change a key's last writer. As with WATCH in Redis, reading and acknowledging by groups does not change the stream.
 */

import { SORTED_MEMBER_STEPS } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { MutatedUnit } from "../../../../daemon/store/keyspace/mutated-unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { Consumer, ConsumerGroup, type GroupMarks, type Pending } from "../values/streams/consumer-group.js";
import type { Stream } from "../values/streams/stream.js";
import type { StreamId } from "../values/streams/stream-id.js";

/** Ids, each with its new pending record; undefined if the entry is no longer pending. */
export type PendingChanges = readonly (readonly [StreamId, Pending | undefined])[];

/** The first ids of ranges of skipped ids, each with its new last id; undefined if there is no such range any longer. */
export type SkippedChanges = readonly (readonly [StreamId, StreamId | undefined])[];

export class GroupMutators {
  readonly #host: MutatedUnit;

  constructor(host: MutatedUnit) {
    this.#host = host;
  }

  /** Adds a group whose name is not in use. */
  create(stream: Stream, name: ByteString, marks: GroupMarks): void {
    this.#set(stream, name, new ConsumerGroup(name, marks));
  }

  /** Removes a group with its consumers and their pending entries. */
  destroy(stream: Stream, name: ByteString): void {
    this.#set(stream, name, undefined);
  }

  mark(group: ConsumerGroup, marks: GroupMarks): void {
    const { marks: old } = group;
    if (marks.lastId === old.lastId && marks.entriesRead === old.entriesRead) return;
    this.#host.record({ mutator: "groupMark", group, old });
    group.marks = marks;
  }

  /**
   * Returns the consumer with the given name, adds it if it is absent, and records this unit's date as the time at
   * which it was last seen.
   */
  seen(group: ConsumerGroup, name: ByteString): Consumer {
    const at = this.#host.at();
    const consumer = group.consumer(name);
    if (consumer === undefined) return this.addConsumer(group, name);
    if (consumer.seenAt !== at) {
      this.#host.record({ mutator: "consumerSeen", consumer, old: consumer.seenAt });
      consumer.seenAt = at;
    }
    return consumer;
  }

  /** Adds a consumer whose name is not in use. */
  addConsumer(group: ConsumerGroup, name: ByteString): Consumer {
    this.#host.produce(1, name.length);
    const consumer = new Consumer(name, this.#host.at());
    this.#host.record({ mutator: "consumerAdd", group, consumer });
    group.addConsumer(consumer);
    return consumer;
  }

  /** Removes a consumer and its pending entries. */
  removeConsumer(group: ConsumerGroup, consumer: Consumer): void {
    this.#host.produce(1 + SORTED_MEMBER_STEPS * consumer.pending.size, 0);
    this.#host.record({ mutator: "consumerRemove", group, consumer });
    group.removeConsumer(consumer);
  }

  /** Sets the pending records of entries, all in one undo record. */
  setPending(group: ConsumerGroup, changes: PendingChanges): void {
    if (changes.length === 0) return;
    const ids: StreamId[] = [];
    const old: (Pending | undefined)[] = [];
    for (const [id, pending] of changes) {
      ids.push(id);
      old.push(group.setPending(id, pending));
    }
    this.#host.record({ mutator: "groupPending", group, ids, old });
  }

  /** Sets the ends of ranges of skipped ids, all in one undo record; undefined removes a range. */
  setSkipped(group: ConsumerGroup, changes: SkippedChanges): void {
    if (changes.length === 0) return;
    this.#host.produce(SORTED_MEMBER_STEPS * changes.length, 0);
    const old = changes.map(([from, to]) => [from, group.setSkipped(from, to)] as const);
    this.#host.record({ mutator: "groupSkipped", group, old });
  }

  #set(stream: Stream, name: ByteString, group: ConsumerGroup | undefined): void {
    this.#host.record({ mutator: "groupPut", stream, name, old: stream.setGroup(name, group) });
  }
}
