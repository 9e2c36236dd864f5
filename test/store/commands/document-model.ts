/** A naive model of queries on documents: JavaScript parses, filters and sorts the entries. */
import { parseJson } from "../../../protocol/json/json-reader.js";
import { isLooselyEqual } from "../../../store/commands/documents/loose-equality.js";

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
  $eq: (value, operand: unknown) => order(value, operand) === 0,
  $ne: (value, operand: unknown) => order(value, operand) !== 0,
  $gt: (value, operand: unknown) => typeof value === typeof operand && order(value, operand) > 0,
  $gte: (value, operand: unknown) => typeof value === typeof operand && order(value, operand) >= 0,
  $lt: (value, operand: unknown) => typeof value === typeof operand && order(value, operand) < 0,
  $lte: (value, operand: unknown) => typeof value === typeof operand && order(value, operand) <= 0,
  $in: (value, operand: readonly unknown[]) => operand.some((one) => order(value, one) === 0),
  $nin: (value, operand: readonly unknown[]) => operand.every((one) => order(value, one) !== 0),
  $contains: (value, operand: unknown) =>
    typeof value === "string"
      ? typeof operand === "string" && value.includes(operand)
      : Array.isArray(value) && value.some((one) => order(one, operand) === 0),
  $regex: (value, operand: string) => typeof value === "string" && new RegExp(operand, "u").test(value),
  $prefix: (value, operand: string) => typeof value === "string" && value.startsWith(operand),
  $exists: (value, operand: boolean) => (value !== undefined) === operand,
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

/** Returns the member with a name, or at a path. */
export function at(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const members = value as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(members, name) && !(Array.isArray(value) && name === "length")) return members[name];
  const point = name.indexOf(".");
  return point < 0 ? undefined : at(at(value, name.slice(0, point)), name.slice(point + 1));
}

export function holds(entry: Entry, where: Where): boolean {
  return Object.entries(where).every(([name, condition]) => {
    if (name === "$and") return (condition as Where[]).every((part) => holds(entry, part));
    if (name === "$or") return (condition as Where[]).some((part) => holds(entry, part));
    if (name === "$not") return !holds(entry, condition as Where);
    if (condition === null || typeof condition !== "object") return order(at(entry, name), condition) === 0;
    return Object.entries(condition).every(([operator, operand]) =>
      operator === "$not"
        ? !holds(entry, { [name]: operand })
        : OPERATORS[operator]?.(at(entry, name), operand as never),
    );
  });
}

/** Compares like PHP's `==`, except that an entry's null equals nothing. */
export function isSame(actual: unknown, expected: unknown): boolean {
  if (actual === undefined || actual === null) return false;
  const [first, second] = [actual, expected].map((value) => parseJson(JSON.stringify(value)));
  return isLooselyEqual(first ?? null, second ?? null);
}
