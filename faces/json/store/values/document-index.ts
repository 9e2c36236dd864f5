/**
 * The entries of a document, sorted by the values of one member, for queries. The index is derived from the document,
 * built on first use and kept up to date afterwards. It identifies entries by their ranks; entries with equal values
 * are sorted by rank.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { compareMembers, type MemberName, type MemberValue, memberIn, memberPath } from "./member-value.js";

/** Number of entries in a chunk; a chunk of twice as many is split. */
const CHUNK = 256;

/** A position between values: before or after all entries with one value. */
export interface Bound {
  readonly value: MemberValue;
  readonly isAfter: boolean;
}

/** The entries between two bounds. */
export interface Span {
  readonly from: Bound;
  readonly to: Bound;
}

/** A chunk of entries as parallel arrays; never empty unless it is the only one. */
interface Chunk {
  readonly values: MemberValue[];
  readonly ranks: number[];
}

interface Position {
  readonly chunk: number;
  readonly at: number;
}

export class DocumentIndex {
  readonly field: ByteString;
  readonly #name: MemberName;
  /** The sorted entries, or null if the index has not been built. */
  #chunks: Chunk[] | null = null;

  constructor(field: ByteString) {
    this.field = field;
    this.#name = memberPath(field);
  }

  get isMade(): boolean {
    return this.#chunks !== null;
  }

  /** @param entries all entries of the document, by ascending rank */
  make(entries: Iterable<readonly [rank: number, text: ByteString]>): void {
    const all: { readonly value: MemberValue; readonly rank: number }[] = [];
    for (const [rank, text] of entries) all.push({ value: memberIn(text, this.#name), rank });
    all.sort((a, b) => compareMembers(a.value, b.value) || a.rank - b.rank);
    this.#chunks = [];
    for (let from = 0; from === 0 || from < all.length; from += CHUNK) {
      const some = all.slice(from, from + CHUNK);
      this.#chunks.push({ values: some.map(({ value }) => value), ranks: some.map(({ rank }) => rank) });
    }
  }

  /** Marks the index as out of date. */
  markOutdated(): void {
    this.#chunks = null;
  }

  add(rank: number, text: ByteString): void {
    if (this.#chunks === null) return;
    const value = memberIn(text, this.#name);
    const { chunk, at } = this.#find(value, rank);
    const { values, ranks } = this.#chunks[chunk] as Chunk;
    values.splice(at, 0, value);
    ranks.splice(at, 0, rank);
    if (ranks.length >= 2 * CHUNK)
      this.#chunks.splice(chunk + 1, 0, { values: values.splice(CHUNK), ranks: ranks.splice(CHUNK) });
  }

  /** @param text the entry's text when it was added */
  remove(rank: number, text: ByteString): void {
    if (this.#chunks === null) return;
    const { chunk, at } = this.#find(memberIn(text, this.#name), rank);
    const { values, ranks } = this.#chunks[chunk] as Chunk;
    values.splice(at, 1);
    ranks.splice(at, 1);
    if (ranks.length === 0 && this.#chunks.length > 1) this.#chunks.splice(chunk, 1);
  }

  /** Counts the entries in a span. */
  count(span: Span): number {
    const [from, to] = this.#ends(span);
    if (from.chunk >= to.chunk) return from.chunk > to.chunk ? 0 : Math.max(0, to.at - from.at);
    let count = to.at - from.at;
    for (let chunk = from.chunk; chunk < to.chunk; chunk++) count += this.#ranksOf(chunk).length;
    return count;
  }

  /** Yields the ranks in a span, ordered by value. The document must not change meanwhile. */
  *ranks(span: Span): Generator<number> {
    const [from, to] = this.#ends(span);
    for (let { chunk, at } = from; chunk <= to.chunk; chunk++, at = 0) {
      const ranks = this.#ranksOf(chunk);
      const end = chunk === to.chunk ? to.at : ranks.length;
      for (; at < end; at++) yield ranks[at] as number;
    }
  }

  /** Yields all ranks, the smallest value first. */
  *rising(): Generator<number> {
    for (const { ranks } of this.#chunks as Chunk[]) yield* ranks;
  }

  /** Yields all ranks, the greatest value first; entries with equal values are in ascending order of rank. */
  *falling(): Generator<number> {
    const chunks = this.#chunks as Chunk[];
    for (let { chunk, at } = this.#lastPosition(); ; ) {
      while (at === 0) {
        if (chunk === 0) return;
        at = this.#ranksOf(--chunk).length;
      }
      const value = (chunks[chunk] as Chunk).values[at - 1] as MemberValue;
      yield* this.ranks({ from: { value, isAfter: false }, to: { value, isAfter: true } });
      ({ chunk, at } = this.#find(value, Number.NEGATIVE_INFINITY));
    }
  }

  #ranksOf(chunk: number): readonly number[] {
    return (this.#chunks as Chunk[])[chunk]?.ranks ?? [];
  }

  #lastPosition(): Position {
    const chunk = (this.#chunks as Chunk[]).length - 1;
    return { chunk, at: this.#ranksOf(chunk).length };
  }

  #ends({ from, to }: Span): readonly [Position, Position] {
    const [first, last] = [from, to].map(({ value, isAfter }) =>
      this.#find(value, isAfter ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY),
    );
    return [first as Position, last as Position];
  }

  /** Returns the position of the first entry that does not precede the given value and rank. */
  #find(value: MemberValue, rank: number): Position {
    const chunks = this.#chunks as Chunk[];
    const isLess = ({ values, ranks }: Chunk, at: number) =>
      (compareMembers(values[at] as MemberValue, value) || (ranks[at] as number) - rank) < 0;
    // The last chunk whose first entry precedes the value and rank, or the first chunk if there is none.
    const chunk = Math.max(0, partition(chunks.length, (at) => isLess(chunks[at] as Chunk, 0)) - 1);
    const found = chunks[chunk] as Chunk;
    const at = partition(found.ranks.length, (position) => isLess(found, position));
    return at === found.ranks.length && chunk + 1 < chunks.length
      ? { chunk: chunk + 1, at: 0 }
      : { chunk, at };
  }
}

/**
 * Returns the number of indexes that pass the test, which must hold for all indexes below some index and fail for the
 * remaining ones.
 */
function partition(count: number, passes: (at: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passes(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The indexes of a document, by the names of their members. The set of indexes is part of the state; their contents are
 * not.
 */
export class DocumentIndexes {
  /** The indexes, sorted by name. */
  #indexes: readonly DocumentIndex[] = [];

  get fields(): readonly ByteString[] {
    return this.#indexes.map(({ field }) => field);
  }

  set fields(fields: readonly ByteString[]) {
    const known = new Map(this.#indexes.map((index) => [index.field, index]));
    this.#indexes = fields.toSorted().map((field) => known.get(field) ?? new DocumentIndex(field));
  }

  /** Whether at least one index has been built. */
  get areMade(): boolean {
    return this.#indexes.some(({ isMade }) => isMade);
  }

  find(field: ByteString): DocumentIndex | undefined {
    return this.#indexes.find((index) => index.field === field);
  }

  add(rank: number, text: ByteString): void {
    for (const index of this.#indexes) index.add(rank, text);
  }

  remove(rank: number, text: ByteString): void {
    for (const index of this.#indexes) index.remove(rank, text);
  }

  /** Marks all indexes as out of date; each is rebuilt on its next use. */
  markOutdated(): void {
    for (const index of this.#indexes) index.markOutdated();
  }
}
