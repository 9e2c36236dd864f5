/**
 * Computes the keys of a document in an index, and keeps them in order. Source: MongoDB's manual, "Multikey Indexes":
 * an array has a key for each of its elements.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, BsonFault, DOCUMENT_BYTES_MAX, isArray, isDocument } from "./bson.js";
import { compareBson, keyOf } from "./bson-order.js";

/** The path of a field, as a list of names. */
export type FieldPath = readonly ByteString[];

export const pathOf = (name: ByteString): FieldPath => name.split(".");

/** Whether a part of a path may be the index of an array element. */
export const isArrayIndex = (name: ByteString): boolean => /^\d+$/.test(name);

/** Thrown if the fields of one index lead through two arrays. */
export class ParallelArrays extends BsonFault {}

/** Thrown if a document has more keys in one index than permitted. */
export class TooManyKeys extends BsonFault {}

/**
 * The maximum number of keys of one document in one index, as in MongoDB. Together, their texts must not be longer than
 * the largest document.
 */
const KEYS_MAX = 100_000;

/** The key of an array without elements, which is neither null nor missing. */
const EMPTY = Symbol("empty");

interface Point {
  readonly value: Bson | undefined | typeof EMPTY;
  /** The part of the path that remains to be followed. */
  readonly rest: FieldPath;
  readonly isDone: boolean;
}

/** A key of a document: its text, which is the same for equal values, and the values themselves. */
export interface IndexKey {
  readonly text: ByteString;
  /** The values of the indexed fields; undefined for an array without elements. */
  readonly values: readonly (Bson | undefined)[];
}

/**
 * Returns a document's keys, each text once.
 * @param isSparse whether a document has no key if all indexed fields are missing
 * @throws ParallelArrays, TooManyKeys
 */
export function indexKeys(
  document: BsonDocument,
  paths: readonly FieldPath[],
  isSparse: boolean,
): readonly IndexKey[] {
  const found: Found = { keys: new Map(), bytes: 0 };
  collect(
    paths.map((rest) => ({ value: document, rest, isDone: false })),
    isSparse,
    found,
  );
  return [...found.keys.values()];
}

interface Found {
  readonly keys: Map<ByteString, IndexKey>;
  /** Number of bytes in the keys' texts. */
  bytes: number;
}

function collect(points: readonly Point[], isSparse: boolean, found: Found): void {
  const reached = points.map(walked);
  const arrays = new Set(
    reached.flatMap(({ value, isDone }) => (!isDone && isArray(value as Bson) ? [value] : [])),
  );
  if (arrays.size > 1) throw new ParallelArrays("two fields of one index are arrays");

  const [array] = arrays as Set<readonly Bson[]>;
  if (array === undefined) {
    if (isSparse && reached.every(({ value }) => value === undefined)) return;
    const texts = reached.map(({ value }) => (value === EMPTY ? "e;" : keyOf(value ?? null)));
    for (const { length } of texts) found.bytes += length;
    if (found.keys.size === KEYS_MAX || found.bytes > DOCUMENT_BYTES_MAX)
      throw new TooManyKeys(
        `a document has at most ${KEYS_MAX} keys in one index, of ${DOCUMENT_BYTES_MAX} bytes`,
      );
    const text = texts.join("");
    const values = reached.map(({ value }) => (value === EMPTY ? undefined : (value ?? null)));
    found.keys.set(text, { text, values });
    return;
  }

  const elements: readonly (Bson | typeof EMPTY)[] = array.length === 0 ? [EMPTY] : array;
  for (const element of elements)
    collect(
      reached.map((point) => (point.value === array && !point.isDone ? entered(point, element) : point)),
      isSparse,
      found,
    );
}

/** Follows the path up to the first array. */
function walked(point: Point): Point {
  let { value, rest } = point;
  if (point.isDone) return point;

  for (; rest.length > 0; rest = rest.slice(1)) {
    const [name = ""] = rest;
    if (isDocument(value as Bson)) value = (value as BsonDocument).get(name);
    // The name is the position of an array element. Only sorts use such paths; an index cannot contain them.
    else if (isArray(value as Bson) && isArrayIndex(name)) value = (value as readonly Bson[])[Number(name)];
    else break;
  }
  if (isArray(value as Bson)) return { value, rest, isDone: false };

  return { value: rest.length > 0 ? undefined : value, rest: [], isDone: true };
}

function entered({ rest }: Point, element: Bson | typeof EMPTY): Point {
  if (rest.length === 0) return { value: element, rest, isDone: true };
  // Arrays within arrays are not indexed element by element.
  if (element === EMPTY || !isDocument(element)) return { value: undefined, rest: [], isDone: true };
  return { value: element, rest, isDone: false };
}

export type OrderedKey = readonly (Bson | undefined)[];

/** Number of keys in a chunk; a chunk of twice as many is divided. */
const CHUNK = 256;

/** A chunk of entries as parallel arrays; never empty unless it is the only one. */
interface Chunk {
  readonly keys: OrderedKey[];
  readonly numbers: number[];
}

/** Compares the beginnings of keys, up to the length of the shorter one. */
function compareKeys(a: OrderedKey, b: OrderedKey): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = compareBson(a[i], b[i]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Numbers of documents in the order of their keys in an index, for range queries and sorts. Documents with equal keys
 * are ordered by their numbers. A change costs one search and moves the entries of one chunk, no matter how many
 * entries exist.
 */
export class OrderedKeys {
  readonly #chunks: Chunk[] = [{ keys: [], numbers: [] }];

  add(key: OrderedKey, number: number): void {
    const [at, index] = this.#find((other, one) => compareKeys(other, key) || one - number);
    const chunk = this.#chunks[at] as Chunk;
    chunk.keys.splice(index, 0, key);
    chunk.numbers.splice(index, 0, number);
    if (chunk.keys.length >= 2 * CHUNK)
      this.#chunks.splice(at + 1, 0, {
        keys: chunk.keys.splice(CHUNK),
        numbers: chunk.numbers.splice(CHUNK),
      });
  }

  remove(key: OrderedKey, number: number): void {
    const [at, index] = this.#find((other, one) => compareKeys(other, key) || one - number);
    const chunk = this.#chunks[at] as Chunk;
    chunk.keys.splice(index, 1);
    chunk.numbers.splice(index, 1);
    if (chunk.keys.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at, 1);
  }

  /**
   * Yields the entries from the first that is not before `from` to the last that is not after `to`. A bound that is
   * shorter than a key is compared with the beginning of the key.
   */
  *between(from: OrderedKey, to: OrderedKey): Generator<readonly [key: OrderedKey, number: number]> {
    let [at, index] = this.#find((key) => compareKeys(key, from));
    for (; at < this.#chunks.length; at++, index = 0) {
      const { keys, numbers } = this.#chunks[at] as Chunk;
      for (; index < keys.length; index++) {
        const key = keys[index] as OrderedKey;
        if (compareKeys(key, to) > 0) return;
        yield [key, numbers[index] as number];
      }
    }
  }

  /** Yields the same entries in descending order; among equal keys, lower numbers come first. */
  *backwards(from: OrderedKey, to: OrderedKey): Generator<readonly [key: OrderedKey, number: number]> {
    let equal: (readonly [key: OrderedKey, number: number])[] = [];
    let [at, index] = this.#find((key) => (compareKeys(key, to) > 0 ? 1 : -1));
    for (;;) {
      if (index === 0) {
        if (at === 0) break;
        index = (this.#chunks[--at] as Chunk).keys.length;
        continue;
      }
      const { keys, numbers } = this.#chunks[at] as Chunk;
      const key = keys[--index] as OrderedKey;
      if (compareKeys(key, from) < 0) break;
      const [last] = equal;
      if (last !== undefined && compareKeys(last[0], key) !== 0) {
        yield* equal.reverse();
        equal = [];
      }
      equal.push([key, numbers[index] as number]);
    }
    yield* equal.reverse();
  }

  /**
   * Finds the first entry for which `order` is not negative.
   * @param order returns a negative number if the entry precedes the position
   */
  #find(order: (key: OrderedKey, number: number) => number): [chunk: number, index: number] {
    const chunks = this.#chunks;
    let [low, high] = [0, chunks.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { keys, numbers } = chunks[middle] as Chunk;
      if (order(keys.at(-1) as OrderedKey, numbers.at(-1) as number) < 0) low = middle + 1;
      else high = middle;
    }
    const { keys, numbers } = chunks[low] as Chunk;
    let [from, to] = [0, keys.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (order(keys[middle] as OrderedKey, numbers[middle] as number) < 0) from = middle + 1;
      else to = middle;
    }
    return [low, from];
  }
}
