/**
 * Compares values, by the rules of recorded statements (source: test/vectors/sql/GRAMMAR.md) and by those of standard
 * ones.
 *
 * number-text.ts defines which number a text represents, for both. In standard statements, null is unknown. A text that
 * represents a number is compared with other numbers as that number; any other text is greater than all numbers. In
 * arithmetic and as a condition, a text counts as the number with which it begins, or as 0 if it does not begin with
 * one.
 *
 * In recorded ones, values of the same type are compared directly, texts by their bytes. Values of different types are
 * compared as numbers: a text counts as the number that it represents, or as 1 if it is a word such as `true`, `yes` or
 * `on`. Null equals nothing and counts as 0.
 */
import { BYTES_PER_STEP } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Scalar } from "../values/cell.js";
import {
  malagasyNumberAtStart,
  malagasyNumberOf,
  numberAtStart,
  numberOfText,
} from "../values/number-text.js";
import { type Evaluation, failure } from "./evaluation-context.js";
import type { RelationRow } from "./relation-row.js";

/** Whether a condition with this value holds. */
export function isTrue(value: Scalar, evaluation: Evaluation): boolean {
  return typeof value === "boolean" ? value : value !== null && asNumber(value, evaluation) !== 0;
}

/** Whether two values are equal by the rules of recorded statements. */
export function isEqual(one: Scalar, other: Scalar, evaluation: Evaluation): boolean {
  if (one === null || other === null) return false;
  return typeof one === typeof other
    ? one === other
    : asNumber(one, evaluation) === asNumber(other, evaluation);
}

/** Returns a negative number if the first value is less, or undefined if one of them is null. */
export function compare(one: Scalar, other: Scalar, evaluation: Evaluation): number | undefined {
  if (one === null || other === null) return undefined;
  if (typeof one === "string" && typeof other === "string") return textOrder(one, other);
  return asNumber(one, evaluation) - asNumber(other, evaluation);
}

const textOrder = (one: ByteString, other: ByteString) => (one < other ? -1 : Number(one > other));

/**
 * Counts the work of finding the number of a text. A statement may compare a long text with every row.
 * @throws BudgetExceeded
 */
export function countText({ length }: ByteString, { effort }: Evaluation): void {
  if (length > BYTES_PER_STEP) effort.countSteps(length / BYTES_PER_STEP);
}

/**
 * Compares two values by which rows are sorted: null comes first, then numbers and results of comparisons, then texts.
 */
export function sortOrder(one: Scalar, other: Scalar): number {
  const rank = rankOf(one) - rankOf(other);
  if (rank !== 0 || one === null) return rank;
  return typeof one === "string" ? textOrder(one, other as ByteString) : Number(one) - Number(other);
}

const rankOf = (value: Scalar) => (value === null ? 0 : typeof value === "string" ? 2 : 1);

/**
 * Returns the number that a value counts as in the arithmetic of a recorded statement.
 * @throws CommandFailure if the number is too large for a cell
 */
export function amount(value: Scalar, evaluation: Evaluation): number {
  if (typeof value === "number") return value;
  if (typeof value !== "string") return Number(value ?? 0);
  countText(value, evaluation);
  return finiteNumber(malagasyNumberAtStart(value), evaluation);
}

function asNumber(value: number | string | boolean, evaluation: Evaluation): number {
  if (typeof value !== "string") return Number(value);
  countText(value, evaluation);
  return malagasyNumberOf(value);
}

/** An expression as a function of a row. */
export type Compiled = (row: RelationRow) => Scalar;

/** Returns a value as a number for arithmetic. @throws CommandFailure if the number is too large for a cell */
export function standardAmount(value: number | string | boolean, evaluation: Evaluation): number {
  return finiteNumber(numberIn(value, evaluation), evaluation);
}

/** @throws CommandFailure if the number is infinite or not a number */
export function finiteNumber(number: number, evaluation: Evaluation): number {
  if (!Number.isFinite(number)) throw failure(evaluation, "tooLarge");
  return number;
}

/** Returns a value as a number, infinite if the number of a text is too large. */
function numberIn(value: number | string | boolean, evaluation: Evaluation): number {
  if (typeof value !== "string") return Number(value);
  countText(value, evaluation);
  return numberAtStart(value);
}

/** Returns whether a condition with this value holds, or null if that is unknown. */
export function truthOf(value: Scalar, evaluation: Evaluation): boolean | null {
  return typeof value === "boolean" || value === null ? value : numberIn(value, evaluation) !== 0;
}

/** Returns a negative number if the first value is less, 0 if they are equal, or null if one of them is null. */
export function standardOrder(one: Scalar, other: Scalar, evaluation: Evaluation): number | null {
  if (one === null || other === null) return null;
  if (typeof one === "string" && typeof other === "string") return textOrder(one, other);
  if (typeof one === "string") return -orderToText(Number(other), one, evaluation);
  if (typeof other === "string") return orderToText(Number(one), other, evaluation);
  return Number(one) - Number(other);
}

function orderToText(number: number, text: ByteString, evaluation: Evaluation): number {
  countText(text, evaluation);
  const written = numberOfText(text);
  return written === undefined ? -1 : number - written;
}

/**
 * Compiles `and` and `or` of three truth values. The right side is calculated only if the left one does not determine
 * the result.
 */
export function combinedTruth(
  operator: "and" | "or",
  left: Compiled,
  right: Compiled,
  evaluation: Evaluation,
): (row: RelationRow) => boolean | null {
  const decisive = operator === "or";
  return (row) => {
    const one = truthOf(left(row), evaluation);
    if (one === decisive) return one;
    const other = truthOf(right(row), evaluation);
    return other === decisive || one !== null ? other : null;
  };
}

/** Returns a value as text: a number in decimal, true as 1. */
export function textFor(value: number | string | boolean): ByteString {
  return typeof value === "string" ? value : String(Number(value));
}
