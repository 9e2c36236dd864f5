/**
 * Rows by the value of one column, for equality as in statements: a number equals the texts that represent it. The
 * index is built on first use and kept up to date afterwards; it is not part of the state.
 */

import { firstIndexFrom } from "../../../../daemon/store/values/tables/binary-search.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { finish, STEP_ITEMS, sortedInSteps } from "../../../../protocol/steps.js";
import type { Cell } from "./cell.js";
import { malagasyNumberOf } from "./number-text.js";

/** Numbers of rows, ascending; a single one is stored without an array. */
type Bucket = number | number[];

const NONE: readonly number[] = [];

export class HashIndex {
  readonly #numbers = new Map<number, Bucket>();
  readonly #texts = new Map<ByteString, Bucket>();
  /**
   * Rows with texts, by the number that each text equals; null if no statement has compared the column with a number.
   */
  #textNumbers: Map<number, Bucket> | null = null;
  /** Number of texts added or removed so far. */
  #changes = 0;

  /** @param row the row's number, which may be lower than the numbers of other rows with the same value */
  add(row: number, cell: Cell | undefined): void {
    if (typeof cell === "number") addTo(this.#numbers, cell, row);
    else if (typeof cell === "string") {
      this.#changes++;
      addTo(this.#texts, cell, row);
      if (this.#textNumbers !== null) addTo(this.#textNumbers, malagasyNumberOf(cell), row);
    }
  }

  remove(row: number, cell: Cell | undefined): void {
    if (typeof cell === "number") removeFrom(this.#numbers, cell, row);
    else if (typeof cell === "string") {
      this.#changes++;
      removeFrom(this.#texts, cell, row);
      if (this.#textNumbers !== null) removeFrom(this.#textNumbers, malagasyNumberOf(cell), row);
    }
  }

  /** Numbers of the rows whose cell equals a value, ascending. */
  equal(value: Cell | boolean): readonly number[] {
    if (value === null) return NONE;
    const number = typeof value === "string" ? malagasyNumberOf(value) : Number(value);
    const others = rowsOf(this.#numbers.get(number));
    const texts =
      typeof value === "string" ? rowsOf(this.#texts.get(value)) : rowsOf(this.#byNumber().get(number));
    return merged(others, texts);
  }

  /**
   * Prepares the first comparison with a number in several steps instead of one; has no effect if the rows change
   * meanwhile.
   */
  *prepareFor(value: Cell | boolean): Generator<void, void> {
    if (typeof value === "string" || value === null || this.#textNumbers !== null) return;
    const before = this.#changes;
    const making = this.#textsByNumber();
    for (;;) {
      const step = making.next();
      if (step.done === true) {
        this.#textNumbers ??= step.value;
        return;
      }
      yield;
      if (this.#changes !== before) return;
    }
  }

  /**
   * Returns the number of a row whose cell has the same value of the same type, or undefined if there is no such row.
   */
  same(cell: Cell): number | undefined {
    const bucket =
      typeof cell === "number" ? this.#numbers.get(cell) : cell === null ? undefined : this.#texts.get(cell);
    return typeof bucket === "object" ? bucket[0] : bucket;
  }

  #byNumber(): ReadonlyMap<number, Bucket> {
    this.#textNumbers ??= finish(this.#textsByNumber());
    return this.#textNumbers;
  }

  /** Builds the map of texts by number in steps. The rows must not change between two steps. */
  *#textsByNumber(): Generator<void, Map<number, Bucket>> {
    const rowsByNumber = new Map<number, number[]>();
    let count = 0;
    for (const [text, bucket] of this.#texts) {
      const number = malagasyNumberOf(text);
      const rows = rowsByNumber.get(number);
      if (rows === undefined) rowsByNumber.set(number, [...rowsOf(bucket)]);
      else for (const row of rowsOf(bucket)) rows.push(row);
      if (++count % STEP_ITEMS === 0) yield;
    }

    const buckets = new Map<number, Bucket>();
    // Inserting each row separately would take quadratic time if many texts equal one number.
    for (const [number, rows] of rowsByNumber) {
      buckets.set(number, rows.length === 1 ? (rows[0] as number) : yield* sortedNumbers(rows));
      if (++count % STEP_ITEMS === 0) yield;
    }

    return buckets;
  }
}

function* sortedNumbers(rows: number[]): Generator<void, number[]> {
  if (rows.length <= STEP_ITEMS) return rows.sort((a, b) => a - b);
  return (yield* sortedInSteps(rows, (a, b) => a - b)) as number[];
}

const rowsOf = (bucket: Bucket | undefined): readonly number[] =>
  typeof bucket === "number" ? [bucket] : (bucket ?? NONE);

function addTo<Key>(map: Map<Key, Bucket>, key: Key, row: number): void {
  const bucket = map.get(key);
  if (bucket === undefined) map.set(key, row);
  else if (typeof bucket === "number") map.set(key, bucket < row ? [bucket, row] : [row, bucket]);
  else if ((bucket.at(-1) as number) < row) bucket.push(row);
  else bucket.splice(firstIndexFrom(bucket, row), 0, row);
}

function removeFrom<Key>(map: Map<Key, Bucket>, key: Key, row: number): void {
  const bucket = map.get(key);
  if (typeof bucket !== "object") map.delete(key);
  else if (bucket.length === 2) map.set(key, bucket[bucket[0] === row ? 1 : 0] as number);
  else bucket.splice(firstIndexFrom(bucket, row), 1);
}

/** Merges two ascending lists of numbers. */
export function merged(one: readonly number[], other: readonly number[]): readonly number[] {
  if (one.length === 0) return other;
  if (other.length === 0) return one;
  const all: number[] = [];
  for (let i = 0, j = 0; i < one.length || j < other.length; ) {
    const isFirst = j === other.length || (i < one.length && (one[i] as number) < (other[j] as number));
    all.push((isFirst ? one[i++] : other[j++]) as number);
  }
  return all;
}
