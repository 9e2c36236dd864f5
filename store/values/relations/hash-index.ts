/**
 * Rows by the value of one column, for equality as statements have it: a number equals the texts that write it. Made when it is first used
 * and maintained from then on; not part of the state.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { finish, STEP_ITEMS, sortedInSteps } from "../../../protocol/steps.js";
import { firstIndexFrom } from "../tables/first-index.js";
import type { Cell } from "./cell.js";
import { numberForText } from "./text-number.js";

/** Numbers of rows, ascending; one alone is no array. */
type Bucket = number | number[];

const NONE: readonly number[] = [];

export class HashIndex {
  readonly #numbers = new Map<number, Bucket>();
  readonly #texts = new Map<ByteString, Bucket>();
  /** Rows with texts, by the numbers that these equal; null: no statement has compared the column with a number. */
  #textNumbers: Map<number, Bucket> | null = null;
  /** Counts additions and removals of texts. */
  #changes = 0;

  /** @param row  its number: above those of all rows with the value, or put among them */
  add(row: number, cell: Cell | undefined): void {
    if (typeof cell === "number") addTo(this.#numbers, cell, row);
    else if (typeof cell === "string") {
      this.#changes++;
      addTo(this.#texts, cell, row);
      if (this.#textNumbers !== null) addTo(this.#textNumbers, numberForText(cell), row);
    }
  }

  remove(row: number, cell: Cell | undefined): void {
    if (typeof cell === "number") removeFrom(this.#numbers, cell, row);
    else if (typeof cell === "string") {
      this.#changes++;
      removeFrom(this.#texts, cell, row);
      if (this.#textNumbers !== null) removeFrom(this.#textNumbers, numberForText(cell), row);
    }
  }

  /** Numbers of the rows whose cell equals a value, ascending. */
  equal(value: Cell | boolean): readonly number[] {
    if (value === null) return NONE;
    const number = typeof value === "string" ? numberForText(value) : Number(value);
    const others = rowsOf(this.#numbers.get(number));
    const texts =
      typeof value === "string" ? rowsOf(this.#texts.get(value)) : rowsOf(this.#byNumber().get(number));
    return merged(others, texts);
  }

  /** Does in steps what the first comparison with a number would do in one; without an effect if the rows change meanwhile. */
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

  /** A row whose cell is the same value of the same type; undefined: there is none. */
  same(cell: Cell): number | undefined {
    const bucket =
      typeof cell === "number" ? this.#numbers.get(cell) : cell === null ? undefined : this.#texts.get(cell);
    return typeof bucket === "object" ? bucket[0] : bucket;
  }

  #byNumber(): ReadonlyMap<number, Bucket> {
    this.#textNumbers ??= finish(this.#textsByNumber());
    return this.#textNumbers;
  }

  /** The rows must not change between two steps. */
  *#textsByNumber(): Generator<void, Map<number, Bucket>> {
    const found = new Map<number, number[]>();
    let done = 0;
    for (const [text, bucket] of this.#texts) {
      const number = numberForText(text);
      const rows = found.get(number);
      if (rows === undefined) found.set(number, [...rowsOf(bucket)]);
      else for (const row of rowsOf(bucket)) rows.push(row);
      if (++done % STEP_ITEMS === 0) yield;
    }
    const made = new Map<number, Bucket>();
    // If each row were inserted by itself, the rows of many texts for one number would take a time that grows with their square.
    for (const [number, rows] of found) {
      made.set(number, rows.length === 1 ? (rows[0] as number) : yield* sortedNumbers(rows));
      if (++done % STEP_ITEMS === 0) yield;
    }
    return made;
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

/** Returns the numbers of two lists, which rise, in one that rises. */
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
