/**
 * Compares values by the rules of recorded statements; `sortOrder` also applies to standard ones. Values of the same
 * type are compared directly, texts by their bytes. Values of different types are compared as numbers: a text counts as
 * the number that it represents, or as 1 if it is a word such as `true`, `yes` or `on`. Null equals nothing and counts
 * as 0. Source: test/vectors/sql/GRAMMAR.md.
 */
import type { Scalar } from "../values/cell.js";
import { leadingNumber, numberForText } from "../values/text-number.js";

/** Whether a condition with this value holds. */
export function isTrue(value: Scalar): boolean {
  return typeof value === "boolean" ? value : value !== null && asNumber(value) !== 0;
}

export function isEqual(one: Scalar, other: Scalar): boolean {
  if (one === null || other === null) return false;
  return typeof one === typeof other ? one === other : asNumber(one) === asNumber(other);
}

/** Returns a negative number if the first value is less, or undefined if one of them is null. */
export function compare(one: Scalar, other: Scalar): number | undefined {
  if (one === null || other === null) return undefined;
  if (typeof one === "string" && typeof other === "string") return one < other ? -1 : Number(one > other);
  return asNumber(one) - asNumber(other);
}

/**
 * Compares two values by which rows are sorted: null comes first, then numbers and results of comparisons, then texts.
 */
export function sortOrder(one: Scalar, other: Scalar): number {
  const rank = rankOf(one) - rankOf(other);
  return rank !== 0 || one === null ? rank : (compare(one, other) ?? 0);
}

const rankOf = (value: Scalar) => (value === null ? 0 : typeof value === "string" ? 2 : 1);

/** Returns the number that a value counts as in arithmetic. */
export function amount(value: Scalar): number {
  if (typeof value === "number") return value;
  if (typeof value === "string") return leadingNumber(value);
  return Number(value ?? 0);
}

function asNumber(value: number | string | boolean): number {
  return typeof value === "string" ? numberForText(value) : Number(value);
}
