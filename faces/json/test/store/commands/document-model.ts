/** A naive model of queries on documents: JavaScript parses, filters and sorts the entries. */

import "../../../../../test/support/all-families.js";
import { parseJson } from "../../../../../protocol/json/json-reader.js";
import { isLooselyEqual } from "../../../store/commands/loose-equality.js";

export const NAMES = ["a", "b", "x", "c.0", "d.x", "d.0", "d.x.y", "d.x.", "c.length", "a.x"];

type Scalar = null | boolean | number | string;
export type Entry = Readonly<Record<string, unknown>>;
export interface Row {
  readonly key: string;
  readonly entry: Entry;
}
export type Where = Readonly<Record<string, unknown>>;

export const VALUES: readonly Scalar[] = [
  null,
  true,
  false,
  0,
  1,
  2,
  10,
  -1.5,
  "",
  "a",
  "ab",
  "b",
  "1",
  "10",
  "01",
  "é",
];
const OPERATORS: Readonly<Record<string, (value: unknown, operand: never) => boolean>> = {
  $eq: isEqual,
  $gt: (value, operand: unknown) => typeof value === typeof operand && order(value, operand) > 0,
  $gte: (value, operand: unknown) => typeof value === typeof operand && order(value, operand) >= 0,
  $lt: (value, operand: unknown) => typeof value === typeof operand && order(value, operand) < 0,
  $lte: (value, operand: unknown) => typeof value === typeof operand && order(value, operand) <= 0,
  $in: (value, operand: readonly unknown[]) => operand.some((one) => isEqual(value, one)),
  $regex: (value, operand: string) => typeof value === "string" && new RegExp(operand, "u").test(value),
  $exists: (value) => value !== undefined,
  $type: (value, operand: string) => (Array.isArray(value) ? "array" : typeof value) === operand,
};

export function order(a: unknown, b: unknown): number {
  const kind = (value: unknown) =>
    [value === undefined, value === null, value === false, value === true, typeof value === "number"].indexOf(
      true,
    ) >>> 0;
  const kinds = [a, b].map((value) => Math.min(kind(value), typeof value === "string" ? 5 : 6));
  if (kinds[0] !== kinds[1]) return (kinds[0] as number) - (kinds[1] as number);
  const [first, second] = [a, b].map((value) =>
    typeof value === "string"
      ? Buffer.from(value).toString("latin1")
      : typeof value === "object"
        ? JSON.stringify(value)
        : value,
  ) as [string, string];
  return first < second ? -1 : Number(first > second);
}

/** Whether values are equal in a condition: null equals a missing member. */
function isEqual(value: unknown, operand: unknown): boolean {
  return order(value ?? null, operand) === 0;
}

/** Returns the member at a path. */
export function at(value: unknown, path: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const [name = "", ...rest] = path.split(".");
  const isOwn = Object.hasOwn(value, name) && !(Array.isArray(value) && name === "length");
  const member = isOwn ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
  return rest.length === 0 ? member : at(member, rest.join("."));
}

/** Returns the value by which an entry is sorted: the first list on the path, unless a number follows it. */
export function sortedBy(value: unknown, path: string): unknown {
  const [name = "", ...rest] = path.split(".");
  const member = at(value, name);
  if (rest.length === 0) return member;
  if (Array.isArray(member) && !/^\d+$/.test(rest[0] as string)) return member;
  return sortedBy(member, rest.join("."));
}

/** Returns the values that a condition tests: all values to which the path leads, through lists too. */
function reached(value: unknown, [name, ...rest]: readonly string[]): unknown[] {
  if (name === undefined) return Array.isArray(value) ? [...(value as unknown[]), value] : [value];
  if (typeof value !== "object" || value === null) return [undefined];
  if (!Array.isArray(value)) return reached(at(value, name), rest);
  return value.flatMap((element: unknown, index) => {
    const isObject = typeof element === "object" && element !== null;
    const inObject = isObject && !Array.isArray(element) ? reached(element, [name, ...rest]) : [];
    if (String(index) !== name) return inObject;
    return [...inObject, ...(rest.length === 0 ? [element] : isObject ? reached(element, rest) : [])];
  });
}

export function holds(entry: Entry, where: Where): boolean {
  return Object.entries(where).every(([name, condition]) => {
    if (name === "$and") return (condition as Where[]).every((part) => holds(entry, part));
    if (name === "$or") return (condition as Where[]).some((part) => holds(entry, part));
    if (name === "$nor") return !(condition as Where[]).some((part) => holds(entry, part));
    const values = reached(entry, name.split("."));
    const isMet = (operator: string, operand: unknown) =>
      values.some((value) => OPERATORS[operator]?.(value, operand as never));
    if (condition === null || typeof condition !== "object") return isMet("$eq", condition);
    return Object.entries(condition).every(([operator, operand]) => {
      if (operator === "$not") return !holds(entry, { [name]: operand });
      if (operator === "$ne") return !isMet("$eq", operand);
      if (operator === "$nin") return !isMet("$in", operand);
      return isMet(operator, operand) === (operator !== "$exists" || operand === true);
    });
  });
}

/** Compares like PHP's `==`, except that an entry's null equals nothing. */
export function isSame(actual: unknown, expected: unknown): boolean {
  if (actual === undefined || actual === null) return false;
  const [first, second] = [actual, expected].map((value) => parseJson(JSON.stringify(value)));
  return isLooselyEqual(first ?? null, second ?? null);
}
