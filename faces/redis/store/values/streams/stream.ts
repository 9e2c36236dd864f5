/**
 * A stream value: entries with ascending ids, in blocks of neighbours. Appending takes O(1), finding an entry O(log n),
 * and trimming removes complete blocks from the front. The division into blocks depends on the stream's history and is
 * not part of the state; the entries, the marks of deleted entries and the consumer groups are.
 */
import { SORTED_MEMBER_STEPS } from "../../../../../daemon/store/keyspace/effort-budget.js";
import type { DigestMix } from "../../../../../daemon/store/values/digest-mix.js";
import { REFERENCE, sampledBytes, textBytes } from "../../../../../daemon/store/values/memory-estimate.js";
import {
  type CopyEffort,
  ITEMS_PER_STEP,
  type ObjectValue,
  type ValueKind,
  type ValueReader,
  type ValueWriter,
} from "../../../../../daemon/store/values/object-value.js";
import { type ByteString, detached } from "../../../../../protocol/byte-string.js";
import type { Steps } from "../../../../../protocol/steps.js";
import { type ConsumerGroup, readGroup } from "./consumer-group.js";
import { BLOCK_MAX, StreamBlock } from "./stream-block.js";
import { STREAM_ID_MAX, type StreamEntry, type StreamId, streamIdOfText, streamIdText } from "./stream-id.js";

/** A block smaller than this is merged with the next one if the result has room left. */
const BLOCK_MIN = BLOCK_MAX / 4;
const JOINED_MAX = (BLOCK_MAX * 3) / 4;

/** Bytes of an entry without its values: its id, which is a bigint, and its slots. */
const ENTRY_BYTES = 32 + 2 * REFERENCE;
/** Bytes of an entry of a sealed block: its id, and its share of the data that the block stores for all entries. */
const SEALED_ENTRY_BYTES = 8;

/** Marks of a stream in addition to its entries. */
export interface StreamMarks {
  /** Id of the last entry added, or the id that a command has set, or 0 if there is none. New ids are greater. */
  readonly lastId: StreamId;
  /** The greatest id of the entries that were deleted, not trimmed, or 0 if there is none. */
  readonly maxDeletedId: StreamId;
  /** Number of entries ever added, as far as the stream knows; unsigned, 64 bits. */
  readonly entriesAdded: bigint;
}

export function isSameMarks(a: StreamMarks, b: StreamMarks): boolean {
  return a.lastId === b.lastId && a.maxDeletedId === b.maxDeletedId && a.entriesAdded === b.entriesAdded;
}

const NO_MARKS: StreamMarks = { lastId: 0n, maxDeletedId: 0n, entriesAdded: 0n };

export class Stream implements ObjectValue {
  /** The blocks in order; none of them is empty. */
  #blocks: StreamBlock[] = [];
  #size = 0;
  marks: StreamMarks = NO_MARKS;
  /** The consumer groups by name, or null if the stream has never had a group, like most streams. */
  #groups: Map<ByteString, ConsumerGroup> | null = null;

  get size(): number {
    return this.#size;
  }

  get type(): "stream" {
    return "stream";
  }

  get allElements(): number {
    let elements = this.#size;
    for (const { pending, skipped } of this.groups) elements += pending.size + skipped.size;
    return elements;
  }

  /** The id of the first entry, or undefined if the stream is empty. */
  get firstId(): StreamId | undefined {
    return this.#blocks[0]?.first;
  }

  /** The id of the last entry, which may be smaller than the mark `lastId`. */
  get topId(): StreamId | undefined {
    return this.#blocks.at(-1)?.last;
  }

  /** Appends an entry, whose id is the greatest. Inverse: `pop`. The caller sets the marks. */
  push(entry: StreamEntry): void {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.size < BLOCK_MAX) last.push(entry);
    else {
      const block = new StreamBlock();
      block.push(entry, last);
      last?.seal();
      if (last === undefined) this.#blocks = [block];
      else this.#blocks.push(block);
    }
    this.#size++;
  }

  pop(): void {
    const last = this.#blocks.at(-1) as StreamBlock;
    last.pop();
    if (last.size === 0) this.#blocks.pop();
    this.#size--;
  }

  /** Returns an entry that may be stored: it keeps no neighbours alive. */
  get(id: StreamId): StreamEntry | undefined {
    const entry = this.find(id);
    return entry === undefined ? undefined : { id, fields: entry.fields.map(detached) };
  }

  /** Finds an entry. The caller must not store it, since it may keep its neighbours alive. */
  find(id: StreamId): StreamEntry | undefined {
    return this.#blocks[this.#blockOf(id)]?.find(id);
  }

  /** Yields the ids that are greater than the given one, in order. */
  *idsAfter(id: StreamId): Generator<StreamId, undefined> {
    for (let at = Math.max(0, this.#blockOf(id)); at < this.#blocks.length; at++) {
      const block = this.#blocks[at] as StreamBlock;
      for (let index = block.countBefore(id + 1n); index < block.size; index++) yield block.id(index);
    }
  }

  /** Removes an existing entry. Inverse: `insert`. */
  delete(id: StreamId): void {
    const at = this.#blockOf(id);
    const block = this.#blocks[at] as StreamBlock;
    block.removeAt(block.countBefore(id));
    this.#size--;
    if (block.size === 0) this.#blocks.splice(at, 1);
    else if (block.size < BLOCK_MIN) this.#join(at);
  }

  /** Inserts an entry at the position of its id. */
  insert(entry: StreamEntry): void {
    const at = Math.max(0, this.#blockOf(entry.id));
    const block = this.#blocks[at];
    if (block === undefined) {
      this.push(entry);
      return;
    }
    block.insertAt(block.countBefore(entry.id), entry);
    this.#size++;
    if (block.size > BLOCK_MAX) this.#blocks.splice(at, 0, block.takeFirst(block.size >> 1));
  }

  /** Removes the first entries and returns them as blocks that the caller owns. Inverse: `prepend`. */
  takeFirst(count: number): StreamBlock[] {
    let blockCount = 0;
    let remaining = count;
    while (blockCount < this.#blocks.length && (this.#blocks[blockCount] as StreamBlock).size <= remaining)
      remaining -= (this.#blocks[blockCount++] as StreamBlock).size;
    const removed = this.#blocks.splice(0, blockCount);
    if (remaining > 0) removed.push((this.#blocks[0] as StreamBlock).takeFirst(remaining));
    this.#size -= count;
    return removed;
  }

  /** Adds blocks at the beginning. The stream becomes their owner. */
  prepend(blocks: readonly StreamBlock[]): void {
    for (const block of blocks) this.#size += block.size;
    this.#blocks = blocks.concat(this.#blocks);
    if (blocks.length > 0) this.#join(blocks.length - 1);
  }

  /** Counts the entries before the given id, block by block from the front. */
  countBefore(id: StreamId): number {
    let count = 0;
    for (const block of this.#blocks) {
      if (block.last >= id) return count + block.countBefore(id);
      count += block.size;
    }
    return count;
  }

  /**
   * Yields the entries `from` ≤ id ≤ `to`, in order. The caller must not store them, since they may keep their
   * neighbours alive. The stream must not change meanwhile.
   */
  *range(from: StreamId, to: StreamId): Generator<StreamEntry> {
    for (let at = Math.max(0, this.#blockOf(from)); at < this.#blocks.length; at++) {
      const block = this.#blocks[at] as StreamBlock;
      if (block.first > to) return;
      yield* block.entries(block.countBefore(from), block.countBefore(to + 1n));
    }
  }

  /** Yields the same entries, the last one first. */
  *reverseRange(from: StreamId, to: StreamId): Generator<StreamEntry> {
    for (let at = this.#blockOf(to); at >= 0; at--) {
      const block = this.#blocks[at] as StreamBlock;
      if (block.last < from) return;
      yield* block.reverseEntries(block.countBefore(from), block.countBefore(to + 1n));
    }
  }

  group(name: ByteString): ConsumerGroup | undefined {
    return this.#groups?.get(name);
  }

  /** The groups in the order of their names. */
  get groups(): readonly ConsumerGroup[] {
    if (this.#groups === null) return [];
    return [...this.#groups.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Number of consumer groups. */
  get groupCount(): number {
    return this.#groups?.size ?? 0;
  }

  /** Adds or replaces the group with the given name; undefined removes it. @returns the previous group */
  setGroup(name: ByteString, group: ConsumerGroup | undefined): ConsumerGroup | undefined {
    this.#groups ??= new Map();
    const old = this.#groups.get(name);
    if (group === undefined) this.#groups.delete(name);
    else this.#groups.set(name, group);
    return old;
  }

  clone(): Stream {
    const copy = new Stream();
    for (const [name, group] of this.#groups ?? []) copy.setGroup(name, group.clone());
    for (const block of this.#blocks) copy.#blocks.push(block.clone());
    copy.#size = this.#size;
    copy.marks = this.marks;
    return copy;
  }

  countCopy(effort: CopyEffort): void {
    effort.produce(this.#size);
    for (const { pending, skipped, size } of this.groups)
      effort.produce(size + SORTED_MEMBER_STEPS * (pending.size + skipped.size));
  }

  canonical(): readonly unknown[] {
    const { lastId, maxDeletedId, entriesAdded } = this.marks;
    const entries = [...this.range(0n, STREAM_ID_MAX)].map(({ id, fields }) => [streamIdText(id), fields]);
    const marks = [streamIdText(lastId), streamIdText(maxDeletedId), String(entriesAdded)];
    return this.groupCount === 0
      ? [...marks, entries]
      : [...marks, entries, this.groups.map((group) => group.canonical())];
  }

  /** Consumer groups are left out, because changes to them do not change the key's last writer. */
  addTo(digest: DigestMix): void {
    const { lastId, maxDeletedId, entriesAdded } = this.marks;
    digest.text(`${lastId} ${maxDeletedId} ${entriesAdded}`);
    const isForward = digest.salt % 2 === 0;
    const entries = isForward ? this.range(0n, STREAM_ID_MAX) : this.reverseRange(0n, STREAM_ID_MAX);
    for (const { id, fields } of digest.first(entries)) {
      digest.text(streamIdText(id));
      for (const field of fields) digest.part(field);
    }
  }

  estimatedBytes(samples: number): number {
    let bytes = sampledBytes(this.#size, samples, (count) => this.#bytesOfFirst(count));
    for (const group of this.groups) bytes += group.estimatedBytes();
    return bytes;
  }

  get form(): "stream" | "stream-of-groups" {
    return this.groupCount > 0 ? "stream-of-groups" : "stream";
  }

  *write(writer: ValueWriter): Generator<undefined> {
    const { lastId, maxDeletedId, entriesAdded } = this.marks;
    for (const text of [streamIdText(lastId), streamIdText(maxDeletedId), String(entriesAdded)])
      writer.bytes(text);
    for (const { id, fields } of this.range(0n, STREAM_ID_MAX)) {
      writer.bytes(streamIdText(id));
      writer.number(fields.length);
      for (const field of fields) writer.bytes(field);
      if (writer.isFull) yield;
    }
    if (this.groupCount === 0) return;
    writer.number(this.groupCount);
    for (const group of this.groups) yield* group.write(writer);
  }

  #bytesOfFirst(count: number): number {
    let bytes = 0;
    for (const { fields } of this.range(0n, STREAM_ID_MAX)) {
      if (count-- === 0) break;
      // Entries share their names.
      const values = fields.filter((_, i) => i % 2 === 1);
      bytes +=
        this.#size > BLOCK_MAX
          ? values.reduce((sum, { length }) => sum + 1 + length, SEALED_ENTRY_BYTES)
          : ENTRY_BYTES + values.length * REFERENCE + textBytes(values);
    }

    return bytes;
  }

  /** Returns the index of the last block that begins at or before the given id, or -1 if there is no such block. */
  #blockOf(id: StreamId): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#blocks[middle] as StreamBlock).first <= id) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Merges a block with the next one if both are small enough. */
  #join(at: number): void {
    const [block, next] = [this.#blocks[at], this.#blocks[at + 1]];
    if (block === undefined || next === undefined || block.size + next.size > JOINED_MAX) return;
    block.append(next);
    this.#blocks.splice(at + 1, 1);
  }
}

export const STREAM_KIND: ValueKind = {
  forms: ["stream", "stream-of-groups"],
  read: (reader, size, form) => readStream(reader, size, form === "stream-of-groups"),
};

function* readStream(reader: ValueReader, size: number, hasGroups: boolean): Steps<Stream> {
  const stream = new Stream();
  stream.marks = {
    lastId: streamIdOfText(reader.bytes()),
    maxDeletedId: streamIdOfText(reader.bytes()),
    entriesAdded: BigInt(reader.bytes()),
  };
  for (let index = 1; index <= size; index++) {
    const id = streamIdOfText(reader.bytes());
    const fields: ByteString[] = [];
    for (let left = reader.number(); left > 0; left--) fields.push(reader.bytes());
    stream.push({ id, fields });
    if (index % ITEMS_PER_STEP === 0) yield;
  }
  for (let left = hasGroups ? reader.number() : 0; left > 0; left--) {
    const group = yield* readGroup(reader);
    stream.setGroup(group.name, group);
  }

  return stream;
}
