/** Sets of values. One look-up finds whether a set contains a value that equals a given one. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { STEP_ITEMS } from "../../../../protocol/steps.js";
import type { Cell, Scalar } from "./cell.js";
import { numberOfText } from "./number-text.js";

/** The values of a list. As in standard statements, a text that represents a number equals that number. */
export class ValueSet {
  readonly #numbers = new Set<number>();
  readonly #texts = new Set<ByteString>();
  /** Numbers that the set contains as texts. */
  readonly #textNumbers = new Set<number>();
  hasNull = false;

  /** Number of values; a number and a text that equals it are two values. */
  get size(): number {
    return this.#numbers.size + this.#texts.size + Number(this.hasNull);
  }

  add(value: Scalar): void {
    if (value === null) this.hasNull = true;
    else if (typeof value === "string") {
      this.#texts.add(value);
      const number = numberOfText(value);
      if (number !== undefined) this.#textNumbers.add(number);
    } else this.#numbers.add(Number(value));
  }

  has(value: number | ByteString | boolean): boolean {
    if (typeof value !== "string") {
      const number = Number(value);
      return this.#numbers.has(number) || this.#textNumbers.has(number);
    }
    if (this.#texts.has(value)) return true;
    const number = this.#numbers.size === 0 ? undefined : numberOfText(value);
    return number !== undefined && this.#numbers.has(number);
  }

  /** Returns whether a value is in the set, or null if that is unknown. No value is in an empty set. */
  test(value: Scalar): boolean | null {
    if (value === null) return this.size === 0 ? false : null;
    return this.has(value) || (this.hasNull ? null : false);
  }

  /** Yields the values except null, in the order in which they were added: first the numbers, then the texts. */
  *values(): Generator<Exclude<Cell, null>> {
    yield* this.#numbers;
    yield* this.#texts;
  }

  /** Returns whether another set has the same values, added in the same order. */
  *isSame(other: ValueSet): Generator<void, boolean> {
    if (this.size !== other.size || this.hasNull !== other.hasNull) return false;
    const others = other.values();
    let compared = 0;
    for (const value of this.values()) {
      if (others.next().value !== value) return false;
      if (++compared % STEP_ITEMS === 0) yield;
    }
    return true;
  }
}
