/**
 * A list value: O(1) at both ends; all other operations walk over chunks. A small list is one packed string; a long one
 * has its ends in arrays and its middle in packed chunks.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { DigestMix } from "./digest-mix.js";
import { REFERENCE, sampledBytes, textBytes } from "./memory-estimate.js";
import {
  type CopyEffort,
  ITEMS_PER_STEP,
  type ObjectValue,
  type ValueKind,
  type ValueWriter,
} from "./object-value.js";
import { hashOfName } from "./tables/name-hash.js";
import {
  copied,
  elementAt,
  isPackable,
  mayContain,
  offsetOf,
  PACKED_ELEMENTS_MAX,
  packed,
  splicePacked,
  unpacked,
} from "./tables/packed-elements.js";
import { Segment } from "./tables/slot-index.js";

export type End = "left" | "right";

/** Number of elements in a new chunk. */
const CHUNK_ELEMENTS = 128;
/** Maximum number of elements of an end; an end that has more moves a chunk to the middle. */
const END_ELEMENTS_MAX = 2 * CHUNK_ELEMENTS;

/** A list that is not small. In both ends the outermost element is the array's last. */
interface Long {
  readonly left: ByteString[];
  readonly middle: ListChunks;
  readonly right: ByteString[];
}

export class List implements ObjectValue {
  #content: ByteString | Long = "";
  #size = 0;
  /** Counts equal elements, from the first call of `maxCountOf` until many changes have followed without another. */
  #counts: ElementCounts | null = null;
  /** Number of complete searches that found nothing, since the list was created or its elements were counted last. */
  vainSearches = 0;

  get size(): number {
    return this.#size;
  }

  get type(): "list" {
    return "list";
  }

  get allElements(): number {
    return this.size;
  }

  /**
   * Returns the element at an index from the left, 0 ≤ index < size. The caller must not store it, since it may keep
   * its neighbours alive.
   */
  at(index: number): ByteString {
    const content = this.#content;
    if (typeof content === "string") return elementAt(content, offsetOf(content, index));
    const { left, middle, right } = content;
    if (index < left.length) return left[left.length - 1 - index]!;
    const offset = index - left.length;
    return offset < middle.size ? middle.at(offset) : right[offset - middle.size]!;
  }

  /** Whether `maxCountOf` needs no walk. */
  get isCounted(): boolean {
    return this.#counts !== null;
  }

  /** Returns how often an element occurs at most; 0 if it does not occur. */
  maxCountOf(element: ByteString): number {
    return (this.#counts ??= this.#counted()).get(element);
  }

  push(end: End, element: ByteString): void {
    if (this.#counts !== null) this.#recount([], [element]);
    const content = this.#contentFor(1, isPackable(element));
    if (typeof content === "string") {
      this.#content = splicePacked(content, end === "left" ? 0 : this.#size, 0, [element]);
    } else {
      content[end].push(element);
      spill(content, end);
    }
    this.#size++;
  }

  /**
   * Removes and returns an element; the list must not be empty. The caller must not store it, since it may keep its
   * neighbours alive.
   */
  pop(end: End): ByteString {
    const element = this.#pop(end);
    if (this.#counts !== null) this.#recount([element], []);
    return element;
  }

  #pop(end: End): ByteString {
    const content = this.#content;
    this.#size--;
    if (typeof content === "string") {
      const offset = end === "left" ? 0 : this.#size;
      const element = elementAt(content, offsetOf(content, offset));
      this.#content = splicePacked(content, offset, 1, []);
      return element;
    }
    if (content[end].length === 0) refill(content, end);
    return content[end].pop()!;
  }

  /**
   * Returns the elements `from` ≤ index < `to` as a new array. The caller must not store them, since they may keep
   * their neighbours alive.
   */
  slice(from = 0, to = this.#size): ByteString[] {
    const elements: ByteString[] = [];
    this.#forEach(from, to, (element) => void elements.push(element));
    return elements;
  }

  /** Returns the indexes, `from` ≤ index < `to`, at which an element occurs. */
  indexesOf(wanted: ByteString, from: number, to: number): number[] {
    const indexes: number[] = [];
    const note = (element: ByteString, index: number) => {
      if (element === wanted) indexes.push(index);
    };
    this.#forEach(from, to, note, wanted);
    return indexes;
  }

  /**
   * Calls a function for each element, in order.
   * @param wanted the only element for which the function must be called: it need not be called for other elements
   */
  #forEach(
    from: number,
    to: number,
    call: (element: ByteString, index: number) => void,
    wanted?: ByteString,
  ): void {
    const content = this.#content;
    if (typeof content === "string") {
      const elements = unpacked(content, from, 1, to - from);
      for (let i = 0; i < elements.length; i++) call(elements[i]!, from + i);
      return;
    }

    const { left, middle, right } = content;
    for (let index = from; index < Math.min(to, left.length); index++)
      call(left[left.length - 1 - index]!, index);
    const start = left.length;
    const end = start + middle.size;
    const inMiddle = (element: ByteString, index: number) => call(element, index + start);
    middle.forEach(Math.max(from, start) - start, Math.min(to, end) - start, inMiddle, wanted);
    for (let index = Math.max(from, end); index < to; index++) call(right[index - end]!, index);
  }

  /** Replaces `count` elements, starting at an index. Inverse: the same call with the old elements. */
  splice(index: number, count: number, inserted: readonly ByteString[]): void {
    if (this.#counts !== null) this.#recount(this.slice(index, index + count), inserted);
    const content = this.#contentFor(inserted.length - count, inserted.every(isPackable));
    if (typeof content === "string") {
      this.#content = splicePacked(content, index, count, inserted);
    } else if (!spliceLong(content, index, count, inserted)) {
      const before = this.slice(0, index);
      this.#fill(before.concat(inserted, this.slice(index + count)));
      return;
    }
    this.#size += inserted.length - count;
  }

  clone(): List {
    const copy = new List();
    copy.#fill(this.slice());
    return copy;
  }

  countCopy(effort: CopyEffort): void {
    effort.produce(this.size);
  }

  canonical(): readonly unknown[] {
    return this.slice();
  }

  addTo(digest: DigestMix): void {
    for (const element of this.slice(digest.from, digest.to)) digest.part(element);
  }

  estimatedBytes(samples: number): number {
    return sampledBytes(this.#size, samples, (count) => count * REFERENCE + textBytes(this.slice(0, count)));
  }

  get form(): "list" {
    return "list";
  }

  *write(writer: ValueWriter): Generator<undefined> {
    for (let from = 0; from < this.#size; from += ITEMS_PER_STEP) {
      for (const element of this.slice(from, Math.min(this.#size, from + ITEMS_PER_STEP))) {
        writer.bytes(element);
        if (writer.isFull) yield;
      }
    }
  }

  #counted(): ElementCounts {
    const counts = new ElementCounts(this.#size);
    this.#forEach(0, this.#size, (each) => counts.add(each));
    return counts;
  }

  #recount(removed: readonly ByteString[], added: readonly ByteString[]): void {
    const counts = this.#counts as ElementCounts;
    for (const element of removed) counts.remove(element);
    for (const element of added) counts.add(element);
    if (!counts.isUnused) return;
    this.#counts = null;
    this.vainSearches = 0;
  }

  #fill(elements: readonly ByteString[]): void {
    this.#size = elements.length;
    this.#content =
      elements.length <= PACKED_ELEMENTS_MAX && elements.every(isPackable)
        ? packed(elements)
        : longOf(elements);
  }

  /**
   * Returns the content, converted to a long list if the added elements are too large for a packed string.
   * @param grown the number of elements added
   */
  #contentFor(grown: number, isShort: boolean): ByteString | Long {
    const content = this.#content;
    if (typeof content !== "string") return content;
    if (isShort && this.#size + grown <= PACKED_ELEMENTS_MAX) return content;
    this.#content = longOf(unpacked(content));
    return this.#content;
  }
}

export const LIST_KIND: ValueKind = {
  forms: ["list"],
  *read(reader, size) {
    const value = new List();
    for (let index = 1; index <= size; index++) {
      value.push("right", reader.bytes());
      if (index % ITEMS_PER_STEP === 0) yield;
    }
    return value;
  },
};

function longOf(elements: readonly ByteString[]): Long {
  const middle = new ListChunks();
  const chunked = elements.length - (elements.length % CHUNK_ELEMENTS);
  for (let from = 0; from < chunked; from += CHUNK_ELEMENTS)
    middle.push(elements.slice(from, from + CHUNK_ELEMENTS));
  return { left: [], middle, right: elements.slice(chunked).map(copied) };
}

/** Moves the inner half of an end that has become long to the middle. */
function spill(list: Long, end: End): void {
  while (list[end].length > END_ELEMENTS_MAX) {
    const inner = list[end].splice(0, CHUNK_ELEMENTS);
    if (end === "left") list.middle.unshift(inner.reverse());
    else list.middle.push(inner);
  }
}

/** Refills an end that is empty. */
function refill({ left, middle, right }: Long, end: End): void {
  const [empty, other] = end === "left" ? [left, right] : [right, left];
  if (middle.size > 0) {
    const elements = end === "left" ? middle.shift() : middle.pop();
    empty.push(...(end === "left" ? elements.reverse() : elements));
  } else {
    empty.push(...other.splice(0, (other.length + 1) >> 1).reverse());
  }
}

/**
 * Replaces `count` elements of one end or of one chunk, starting at an index.
 * @returns false, without a change, if the list has to be built again instead
 */
function spliceLong(list: Long, index: number, count: number, inserted: readonly ByteString[]): boolean {
  if (inserted.length > CHUNK_ELEMENTS) return false;
  const { left, middle, right } = list;
  const end = index + count;
  const rightStart = left.length + middle.size;
  if (index >= rightStart) {
    right.splice(index - rightStart, count, ...inserted);
    spill(list, "right");
    return true;
  }

  if (end <= left.length) {
    left.splice(left.length - end, count, ...inserted.toReversed());
    spill(list, "left");
    return true;
  }

  return index >= left.length && end <= rightStart && middle.splice(index - left.length, count, inserted);
}

/** A chunk that insertions make larger than this is split in two. */
const CHUNK_ELEMENTS_MAX = 2 * CHUNK_ELEMENTS;
/** Maximum number of chunks in a group. An element among two million is found in about 400 steps. */
const GROUP_CHUNKS_MAX = 128;

interface Chunk {
  content: ByteString | ByteString[];
  size: number;
}

interface Group {
  readonly chunks: Chunk[];
  /** Number of elements in all chunks of the group. */
  size: number;
}

/** The position of an element. */
interface Spot {
  readonly group: number;
  readonly chunk: number;
  /** Index in the chunk. */
  readonly offset: number;
}

/**
 * The middle of a long list: chunks of elements, packed if they are short, in groups. A search for an index walks over
 * the groups, then over the chunks of one group and the elements of one chunk. A change moves at most the elements of
 * one chunk, the chunks of one group, and the groups.
 */
class ListChunks {
  readonly #groups: Group[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  at(index: number): ByteString {
    const { group, chunk, offset } = this.#find(index);
    const { content } = this.#groups[group]!.chunks[chunk]!;
    return typeof content === "string" ? elementAt(content, offsetOf(content, offset)) : content[offset]!;
  }

  /** Adds a chunk of elements at the beginning. */
  unshift(elements: readonly ByteString[]): void {
    this.#groups[0] ??= { chunks: [], size: 0 };
    this.#addChunk(0, 0, elements);
  }

  /** Adds a chunk of elements at the end. */
  push(elements: readonly ByteString[]): void {
    this.#groups[0] ??= { chunks: [], size: 0 };
    const last = this.#groups.length - 1;
    this.#addChunk(last, this.#groups[last]!.chunks.length, elements);
  }

  /** Removes and returns the first chunk, which must exist. */
  shift(): ByteString[] {
    return this.#takeChunk(0, 0);
  }

  /** Removes and returns the last chunk, which must exist. */
  pop(): ByteString[] {
    const last = this.#groups.length - 1;
    return this.#takeChunk(last, this.#groups[last]!.chunks.length - 1);
  }

  /**
   * Calls a function for each of the elements `from` ≤ index < `to`, in order.
   * @param wanted the only element for which the function must be called: chunks that do not contain it are skipped
   */
  forEach(
    from: number,
    to: number,
    call: (element: ByteString, index: number) => void,
    wanted?: ByteString,
  ): void {
    if (from >= to) return;
    let { group, chunk, offset } = this.#find(from);
    for (let index = from; index < to; ) {
      const { chunks } = this.#groups[group]!;
      const { content, size } = chunks[chunk]!;
      const passed = Math.min(size - offset, to - index);
      if (wanted === undefined || typeof content !== "string" || mayContain(content, wanted)) {
        const elements = elementsOf(chunks[chunk]!, offset, passed);
        for (let i = 0; i < passed; i++) call(elements[i]!, index + i);
      }
      index += passed;
      offset = 0;
      if (++chunk === chunks.length) {
        chunk = 0;
        group++;
      }
    }
  }

  /**
   * Replaces `count` elements of one chunk, starting at an index.
   * @returns false, without a change, if the elements are in several chunks, or if too many elements are inserted
   */
  splice(index: number, count: number, inserted: readonly ByteString[]): boolean {
    const { group, chunk: number, offset } = this.#find(Math.min(index, this.#size - 1));
    const at = index === this.#size ? offset + 1 : offset;
    const chunk = this.#groups[group]!.chunks[number]!;
    const grown = inserted.length - count;
    if (at + count > chunk.size || inserted.length > CHUNK_ELEMENTS) return false;
    if (chunk.size + grown === 0) {
      this.#takeChunk(group, number);
      return true;
    }
    replaceIn(chunk, at, count, inserted);
    this.#groups[group]!.size += grown;
    this.#size += grown;
    if (chunk.size > CHUNK_ELEMENTS_MAX) this.#cut(group, number);
    return true;
  }

  #find(index: number): Spot {
    let group = 0;
    while (index >= this.#groups[group]!.size) index -= this.#groups[group++]!.size;
    const { chunks } = this.#groups[group]!;
    let chunk = 0;
    while (index >= chunks[chunk]!.size) index -= chunks[chunk++]!.size;
    return { group, chunk, offset: index };
  }

  /** Splits a chunk in two. */
  #cut(group: number, number: number): void {
    const chunk = this.#groups[group]!.chunks[number]!;
    const elements = elementsOf(chunk);
    const second = elements.splice(elements.length >> 1);
    chunk.content = contentOf(elements);
    chunk.size = elements.length;
    this.#groups[group]!.size -= second.length;
    this.#size -= second.length;
    this.#addChunk(group, number + 1, second);
  }

  #addChunk(group: number, at: number, elements: readonly ByteString[]): void {
    const { chunks } = this.#groups[group]!;
    chunks.splice(at, 0, { content: contentOf(elements), size: elements.length });
    this.#groups[group]!.size += elements.length;
    this.#size += elements.length;
    if (chunks.length <= GROUP_CHUNKS_MAX) return;
    // If chunks are added at an end of the group, only the new chunk is separated, so the group stays full.
    const splitIndex = at === chunks.length - 1 ? at : at === 0 ? 1 : chunks.length >> 1;
    const moved = chunks.splice(splitIndex);
    const size = moved.reduce((sum, chunk) => sum + chunk.size, 0);
    this.#groups[group]!.size -= size;
    this.#groups.splice(group + 1, 0, { chunks: moved, size });
  }

  #takeChunk(group: number, at: number): ByteString[] {
    const source = this.#groups[group]!;
    const [chunk] = source.chunks.splice(at, 1);
    source.size -= chunk!.size;
    this.#size -= chunk!.size;
    if (source.chunks.length === 0) this.#groups.splice(group, 1);
    return elementsOf(chunk!);
  }
}

/**
 * Returns the content in as few bytes as possible: a packed string, or an array of exactly this length if elements are
 * long.
 */
function contentOf(elements: readonly ByteString[]): ByteString | ByteString[] {
  return elements.every(isPackable) ? packed(elements) : elements.map(copied);
}

/** Returns at most `count` elements, starting at an offset, as a new array. */
function elementsOf({ content }: Chunk, from = 0, count = Number.POSITIVE_INFINITY): ByteString[] {
  return typeof content === "string" ? unpacked(content, from, 1, count) : content.slice(from, from + count);
}

function replaceIn(chunk: Chunk, at: number, count: number, inserted: readonly ByteString[]): void {
  if (typeof chunk.content === "string" && !inserted.every(isPackable))
    chunk.content = elementsOf(chunk).map(copied);
  if (typeof chunk.content === "string") chunk.content = splicePacked(chunk.content, at, count, inserted);
  else chunk.content.splice(at, count, ...inserted);
  chunk.size += inserted.length - count;
}

const CELLS_MIN = 32;

/**
 * The numbers of equal elements of a list, by the elements' hashes, so that a search for an element that is gone needs
 * no walk. Two elements may have the same hash, so a number is a maximum.
 */
class ElementCounts {
  /** The number of elements with a hash, minus 1, in place of a slot. One table, because it is built in one step. */
  readonly #counts: Segment;
  /** Number of changes without a look-up after which the counts have cost more than to count again. */
  readonly #unusedMax: number;
  #unused = 0;

  /** @param size  the number of elements that are going to be added first */
  constructor(size: number) {
    this.#unusedMax = 2 * size;
    this.#counts = new Segment(CELLS_MIN * 2 ** Math.ceil(Math.log2(Math.max(1, (2 * size) / CELLS_MIN))), 0);
  }

  /** Whether so many changes have followed the last look-up that the counts should be dropped. */
  get isUnused(): boolean {
    return this.#unused > this.#unusedMax;
  }

  /** Returns how often an element occurs at most. */
  get(element: ByteString): number {
    this.#unused = 0;
    const hash = hashOfName(element);
    const cell = this.#counts.seek(hash, hash);
    return cell < 0 ? 0 : this.#counts.slotAt(cell) + 1;
  }

  add(element: ByteString): void {
    this.#unused++;
    const counts = this.#counts;
    const hash = hashOfName(element);
    const cell = counts.seek(hash, hash);
    if (cell >= 0) {
      counts.setSlot(cell, counts.slotAt(cell) + 1);
      return;
    }
    if (counts.isFull) counts.resize(2 * (counts.mask + 1));
    counts.add(hash, 0);
  }

  /** Removes one of the elements that were added. */
  remove(element: ByteString): void {
    this.#unused++;
    const counts = this.#counts;
    const hash = hashOfName(element);
    const cell = counts.seek(hash, hash);
    const left = counts.slotAt(cell) - 1;
    if (left < 0) counts.free(cell);
    else counts.setSlot(cell, left);
  }
}
