import type { ByteString } from "../../../protocol/byte-string.js";
import {
  copied,
  elementAt,
  isPackable,
  mayContain,
  offsetOf,
  packed,
  splicePacked,
  unpacked,
} from "./tables/packed-elements.js";

/** Number of elements in a new chunk. */
export const CHUNK_ELEMENTS = 128;

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
export class ListChunks {
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
