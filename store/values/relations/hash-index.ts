/**
 * Rows by the value of one column, for equality as statements have it: a number equals the texts that stand for it. Made when it is first
 * asked for and kept up from then on; part of no state.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { firstPlaceFrom } from "../tables/first-place.js";
import type { Cell } from "./cell.js";
import { numberForText } from "./text-number.js";

/** Numbers of rows, rising; one alone is no array. */
type Bucket = number | number[];

const NONE: readonly number[] = [];

export class HashIndex {
  readonly #numbers = new Map<number, Bucket>();
  readonly #texts = new Map<ByteString, Bucket>();
  /** Rows with texts, by the numbers that these stand for; null: nobody has compared the column with a number. */
  #textNumbers: Map<number, Bucket> | null = null;

  /** @param row  its number: above those of all rows with the value, or put among them */
  add(row: number, cell: Cell | undefined): void {
    if (typeof cell === "number") addTo(this.#numbers, cell, row);
    else if (typeof cell === "string") {
      addTo(this.#texts, cell, row);
      if (this.#textNumbers !== null) addTo(this.#textNumbers, numberForText(cell), row);
    }
  }

  remove(row: number, cell: Cell | undefined): void {
    if (typeof cell === "number") removeFrom(this.#numbers, cell, row);
    else if (typeof cell === "string") {
      removeFrom(this.#texts, cell, row);
      if (this.#textNumbers !== null) removeFrom(this.#textNumbers, numberForText(cell), row);
    }
  }

  /** Numbers of the rows whose cell equals a value, rising. */
  equal(value: Cell | boolean): readonly number[] {
    if (value === null) return NONE;
    const number = typeof value === "string" ? numberForText(value) : Number(value);
    const others = rowsOf(this.#numbers.get(number));
    const texts =
      typeof value === "string" ? rowsOf(this.#texts.get(value)) : rowsOf(this.#byNumber().get(number));
    return merged(others, texts);
  }

  /** A row whose cell is the same value of the same type; undefined: there is none. */
  same(cell: Cell): number | undefined {
    const bucket =
      typeof cell === "number" ? this.#numbers.get(cell) : cell === null ? undefined : this.#texts.get(cell);
    return typeof bucket === "object" ? bucket[0] : bucket;
  }

  #byNumber(): ReadonlyMap<number, Bucket> {
    if (this.#textNumbers === null) {
      const found = new Map<number, number[]>();
      for (const [text, bucket] of this.#texts) {
        const number = numberForText(text);
        const rows = found.get(number);
        if (rows === undefined) found.set(number, [...rowsOf(bucket)]);
        else for (const row of rowsOf(bucket)) rows.push(row);
      }
      this.#textNumbers = new Map();
      // Put among the others one by one, the rows of many texts for one number would take a time that grows with their square.
      for (const [number, rows] of found)
        this.#textNumbers.set(number, rows.length === 1 ? (rows[0] as number) : rows.sort((a, b) => a - b));
    }
    return this.#textNumbers;
  }
}

const rowsOf = (bucket: Bucket | undefined): readonly number[] =>
  typeof bucket === "number" ? [bucket] : (bucket ?? NONE);

function addTo<Key>(map: Map<Key, Bucket>, key: Key, row: number): void {
  const bucket = map.get(key);
  if (bucket === undefined) map.set(key, row);
  else if (typeof bucket === "number") map.set(key, bucket < row ? [bucket, row] : [row, bucket]);
  else if ((bucket.at(-1) as number) < row) bucket.push(row);
  else bucket.splice(firstPlaceFrom(bucket, row), 0, row);
}

function removeFrom<Key>(map: Map<Key, Bucket>, key: Key, row: number): void {
  const bucket = map.get(key);
  if (typeof bucket !== "object") map.delete(key);
  else if (bucket.length === 2) map.set(key, bucket[bucket[0] === row ? 1 : 0] as number);
  else bucket.splice(firstPlaceFrom(bucket, row), 1);
}

function merged(one: readonly number[], other: readonly number[]): readonly number[] {
  if (one.length === 0) return other;
  if (other.length === 0) return one;
  return [...one, ...other].sort((a, b) => a - b);
}
