/**
 * A consumer group of a stream: the mark up to which it has read, its consumers, and the entries that they have
 * received but not acknowledged. A pending entry is in two lists, as in Redis: the group's and its consumer's.
 */
import { REFERENCE, stringBytes } from "../../../../../daemon/store/values/memory-estimate.js";
import {
  ITEMS_PER_STEP,
  type ValueReader,
  type ValueWriter,
} from "../../../../../daemon/store/values/object-value.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import type { Steps } from "../../../../../protocol/steps.js";
import { type StreamId, streamIdOfText, streamIdText } from "./stream-id.js";

/** Bytes of a group, or of a consumer, with its tables. */
const GROUP_BYTES = 500;
/** Bytes of a pending entry: its id, its slots in the group's and the consumer's tables, and its record. */
const PENDING_BYTES = 32 + 4 * REFERENCE + 8 * REFERENCE;

/** The mark up to which a group has read. */
export interface GroupMarks {
  /** Id of the entry that was delivered last, or the id that a command has set. */
  readonly lastId: StreamId;
  /** Number of all entries ever added up to that id; null if unknown. Signed, 64 bits. */
  readonly entriesRead: bigint | null;
}

/** The delivery of an entry to a consumer. Immutable: entries that were delivered together share one. */
export interface Pending {
  readonly consumer: Consumer;
  /** Milliseconds since 1970: the date of the unit that delivered the entry, or the time that the command specified. */
  readonly deliveredAt: number;
  /** Number of deliveries. */
  readonly deliveries: number;
}

/** The counter of deliveries stops at this number. */
export const DELIVERIES_MAX = Number.MAX_SAFE_INTEGER;

export const nextDeliveryCount = (deliveries: number): number => Math.min(deliveries + 1, DELIVERIES_MAX);

/** Returns the previous delivery if it is equal, so that both entries share it. */
export function sharedPending(pending: Pending, last: Pending | undefined): Pending {
  const isSame =
    last?.consumer === pending.consumer &&
    last.deliveredAt === pending.deliveredAt &&
    last.deliveries === pending.deliveries;
  return isSame ? last : pending;
}

export class Consumer {
  readonly name: ByteString;
  /** Date of the unit that named the consumer last, in milliseconds since 1970. */
  seenAt: number;
  /** The consumer's pending entries; only its group changes them. */
  readonly pending = new IdMap<Pending>();

  constructor(name: ByteString, seenAt: number) {
    this.name = name;
    this.seenAt = seenAt;
  }
}

export class ConsumerGroup {
  readonly name: ByteString;
  marks: GroupMarks;
  /** The pending entries of all its consumers; only `setPending` changes them. */
  readonly pending = new IdMap<Pending>();
  /**
   * The ids up to `marks.lastId` whose entries no consumer has received: ranges, the first id of each with its last. An
   * entry that was added late, at a position before the one at which a daemon delivered a later entry, is in a range.
   */
  readonly skipped = new IdMap<StreamId>();
  readonly #consumers = new Map<ByteString, Consumer>();

  constructor(name: ByteString, marks: GroupMarks) {
    this.name = name;
    this.marks = marks;
  }

  consumer(name: ByteString): Consumer | undefined {
    return this.#consumers.get(name);
  }

  /** Number of consumers. */
  get size(): number {
    return this.#consumers.size;
  }

  /** The consumers in the order of their names. */
  get consumers(): readonly Consumer[] {
    return [...this.#consumers.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Adds a consumer with its pending entries. Inverse: `removeConsumer`. */
  addConsumer(consumer: Consumer): void {
    this.#consumers.set(consumer.name, consumer);
    for (const [id, pending] of consumer.pending) this.pending.set(id, pending);
  }

  /** Removes a consumer, whose own list of pending entries does not change. */
  removeConsumer(consumer: Consumer): void {
    this.#consumers.delete(consumer.name);
    for (const [id] of consumer.pending) this.pending.delete(id);
  }

  /** Returns the range of skipped ids that contains an id, or undefined. */
  skippedRange(id: StreamId): readonly [from: StreamId, to: StreamId] | undefined {
    const range = this.skipped.atOrBefore(id);
    return range !== undefined && id <= range[1] ? range : undefined;
  }

  /** Sets the end of a range of skipped ids; undefined removes the range. @returns the previous end */
  setSkipped(from: StreamId, to: StreamId | undefined): StreamId | undefined {
    return to === undefined ? this.skipped.delete(from) : this.skipped.set(from, to);
  }

  /**
   * Sets the delivery of an entry; undefined means that the entry is no longer pending.
   * @returns the previous delivery; setting it again is the inverse
   */
  setPending(id: StreamId, pending: Pending | undefined): Pending | undefined {
    const old = pending === undefined ? this.pending.delete(id) : this.pending.set(id, pending);
    if (old !== undefined && old.consumer !== pending?.consumer) old.consumer.pending.delete(id);
    pending?.consumer.pending.set(id, pending);
    return old;
  }

  /** Returns a copy of the group that shares nothing mutable with it. */
  clone(): ConsumerGroup {
    const copy = new ConsumerGroup(this.name, this.marks);
    for (const { name, seenAt, pending } of this.#consumers.values()) {
      const consumer = new Consumer(name, seenAt);
      let last: Pending | undefined;
      for (const [id, { deliveredAt, deliveries }] of pending) {
        last = sharedPending({ consumer, deliveredAt, deliveries }, last);
        consumer.pending.set(id, last);
      }
      copy.addConsumer(consumer);
    }

    for (const [from, to] of this.skipped) copy.setSkipped(from, to);
    return copy;
  }

  estimatedBytes(): number {
    const { name, size, consumers, pending, skipped } = this;
    let bytes = GROUP_BYTES * (1 + size) + stringBytes(name) + PENDING_BYTES * (pending.size + skipped.size);
    for (const consumer of consumers) bytes += stringBytes(consumer.name);
    return bytes;
  }

  /**
   * Returns the contents in canonical form. They do not include the consumers' lists of pending entries, which follow
   * from the group's list.
   */
  canonical(): readonly unknown[] {
    const { lastId, entriesRead } = this.marks;
    return [
      this.name,
      streamIdText(lastId),
      entriesRead === null ? null : String(entriesRead),
      [...this.pending].map(([id, { consumer, deliveredAt, deliveries }]) => [
        ...[streamIdText(id), consumer.name, deliveredAt, deliveries],
      ]),
      this.consumers.map((consumer) => [consumer.name, consumer.seenAt, consumer.pending.size]),
      ...(this.skipped.size === 0 ? [] : [[...this.skipped].map((range) => range.map(streamIdText))]),
    ];
  }

  /**
   * Writes the group to a snapshot; yields whenever the writer is full. Each pending entry is written with its complete
   * delivery, even if several entries have the same delivery.
   */
  *write(writer: ValueWriter): Generator<undefined> {
    const { name, marks, consumers, skipped } = this;
    writer.bytes(name);
    writer.bytes(streamIdText(marks.lastId));
    writer.bytes(marks.entriesRead === null ? "" : String(marks.entriesRead));
    writer.number(skipped.size);
    for (const range of skipped) {
      for (const id of range) writer.bytes(streamIdText(id));
      if (writer.isFull) yield;
    }

    writer.number(consumers.length);
    for (const consumer of consumers) {
      writer.bytes(consumer.name);
      writer.number(consumer.seenAt);
      writer.number(consumer.pending.size);
      for (const [id, { deliveredAt, deliveries }] of consumer.pending) {
        writer.bytes(streamIdText(id));
        writer.number(deliveredAt);
        writer.number(deliveries);
        if (writer.isFull) yield;
      }
      if (writer.isFull) yield;
    }
  }
}

/** Reads what `write` has written. */
export function* readGroup(reader: ValueReader): Steps<ConsumerGroup> {
  const name = reader.bytes();
  const lastId = streamIdOfText(reader.bytes());
  const read = reader.bytes();
  const group = new ConsumerGroup(name, { lastId, entriesRead: read === "" ? null : BigInt(read) });
  for (let left = reader.number(); left > 0; left--)
    group.setSkipped(streamIdOfText(reader.bytes()), streamIdOfText(reader.bytes()));
  for (let left = reader.number(); left > 0; left--) {
    const consumer = new Consumer(reader.bytes(), reader.number());
    group.addConsumer(consumer);
    let last: Pending | undefined;
    const size = reader.number();
    for (let index = 1; index <= size; index++) {
      const id = streamIdOfText(reader.bytes());
      const [deliveredAt, deliveries] = [reader.number(), reader.number()];
      last = sharedPending({ consumer, deliveredAt, deliveries }, last);
      group.setPending(id, last);
      if (index % ITEMS_PER_STEP === 0) yield;
    }
  }

  return group;
}

/** Maximum number of ids in a block. */
const BLOCK_MAX = 128;
/** A block smaller than this is merged with the next one if the result has room left. */
const BLOCK_MIN = BLOCK_MAX / 4;
const JOINED_MAX = (BLOCK_MAX * 3) / 4;

/** A block of ids and values as parallel arrays: an object for each id would cost more than its contents. */
interface Block<V> {
  readonly ids: StreamId[];
  readonly values: V[];
}

/**
 * A map from the ids of entries to values, in ascending order. Neighbouring ids are stored in blocks: finding or
 * changing a value takes O(log n), and a range is read block by block. Most ids are added at the end, and most are
 * removed at the beginning. The division into blocks is not part of the state.
 */
export class IdMap<V> {
  /** The blocks in order; none of them is empty. */
  readonly #blocks: Block<V>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The lowest id, or undefined if the map is empty. */
  get firstId(): StreamId | undefined {
    return this.#blocks[0]?.ids[0];
  }

  get lastId(): StreamId | undefined {
    return this.#blocks.at(-1)?.ids.at(-1);
  }

  get(id: StreamId): V | undefined {
    const block = this.#blocks[this.#blockOf(id)];
    if (block === undefined) return undefined;
    const index = indexOfId(block.ids, id);
    return block.ids[index] === id ? block.values[index] : undefined;
  }

  /** Returns the highest id that is not above the given one, and its value. */
  atOrBefore(id: StreamId): readonly [StreamId, V] | undefined {
    const block = this.#blocks[this.#blockOf(id)];
    if (block === undefined) return undefined;
    const index = indexOfId(block.ids, id + 1n) - 1;
    return [block.ids[index] as StreamId, block.values[index] as V];
  }

  /** @returns the id's previous value */
  set(id: StreamId, value: V): V | undefined {
    const at = Math.max(0, this.#blockOf(id));
    const block = this.#blocks[at];
    if (block === undefined) {
      this.#blocks.push({ ids: [id], values: [value] });
      this.#size++;
      return undefined;
    }
    const index = indexOfId(block.ids, id);
    if (block.ids[index] === id) {
      const old = block.values[index];
      block.values[index] = value;
      return old;
    }
    this.#insert(at, index, id, value);
    return undefined;
  }

  /** @returns the id's previous value, or undefined if it was absent */
  delete(id: StreamId): V | undefined {
    const at = this.#blockOf(id);
    const block = this.#blocks[at];
    if (block === undefined) return undefined;
    const { ids, values } = block;
    const index = indexOfId(ids, id);
    if (ids[index] !== id) return undefined;
    const old = values[index];
    takeOut(ids, index);
    takeOut(values, index);
    this.#size--;
    if (ids.length === 0) this.#blocks.splice(at, 1);
    else if (ids.length < BLOCK_MIN) this.#join(at);
    return old;
  }

  /** Yields the ids `from` ≤ id ≤ `to` and their values, in order. The map must not change meanwhile. */
  *range(from: StreamId, to: StreamId): Generator<readonly [StreamId, V]> {
    for (let at = Math.max(0, this.#blockOf(from)); at < this.#blocks.length; at++) {
      const { ids, values } = this.#blocks[at] as Block<V>;
      for (let index = indexOfId(ids, from); index < ids.length; index++) {
        const id = ids[index] as StreamId;
        if (id > to) return;
        yield [id, values[index] as V];
      }
    }
  }

  *[Symbol.iterator](): Generator<readonly [StreamId, V]> {
    for (const { ids, values } of this.#blocks)
      for (const [index, id] of ids.entries()) yield [id, values[index] as V];
  }

  #insert(at: number, index: number, id: StreamId, value: V): void {
    const { ids, values } = this.#blocks[at] as Block<V>;
    this.#size++;
    const isLast = at === this.#blocks.length - 1 && index === ids.length;
    if (isLast && ids.length < BLOCK_MAX) {
      ids.push(id);
      values.push(value);
    } else if (ids.length < BLOCK_MAX) {
      ids.splice(index, 0, id);
      values.splice(index, 0, value);
    } else if (isLast) {
      // The full block is not split, so ids that are added in order leave full blocks.
      this.#blocks.push({ ids: [id], values: [value] });
    } else {
      ids.splice(index, 0, id);
      values.splice(index, 0, value);
      const half = ids.length >> 1;
      this.#blocks.splice(at + 1, 0, { ids: ids.splice(half), values: values.splice(half) });
    }
  }

  /** Returns the index of the last block that begins at or before the given id, or -1 if there is no such block. */
  #blockOf(id: StreamId): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (((this.#blocks[middle] as Block<V>).ids[0] as StreamId) <= id) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Merges a block with the next one if both are small enough. */
  #join(at: number): void {
    const [block, next] = [this.#blocks[at], this.#blocks[at + 1]];
    if (block === undefined || next === undefined) return;
    if (block.ids.length + next.ids.length > JOINED_MAX) return;
    block.ids.push(...next.ids);
    block.values.push(...next.values);
    this.#blocks.splice(at + 1, 1);
  }
}

/** Removes an element. Most elements are removed at an end, where pop and shift allocate no array, unlike splice. */
function takeOut(from: unknown[], index: number): void {
  if (index === from.length - 1) from.pop();
  else if (index === 0) from.shift();
  else from.splice(index, 1);
}

/** Returns the number of ids of a block that are lower than the given id. */
function indexOfId(ids: readonly StreamId[], id: StreamId): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] as StreamId) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
