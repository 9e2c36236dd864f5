import type { Bson } from "./bson.js";
import { compareBson } from "./bson-order.js";

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
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      const { keys, numbers } = chunks[middle] as Chunk;
      if (order(keys.at(-1) as OrderedKey, numbers.at(-1) as number) < 0) low = middle + 1;
      else high = middle;
    }

    const { keys, numbers } = chunks[low] as Chunk;
    let from = 0;
    let to = keys.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (order(keys[middle] as OrderedKey, numbers[middle] as number) < 0) from = middle + 1;
      else to = middle;
    }

    return [low, from];
  }
}
