/** Dates in expressions, in UTC. Source: MongoDB's manual, "Date Expression Operators". */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Bson, BsonDate, Int32, isDocument, ObjectId } from "../../values/collections/bson.js";
import { compiled, type Operator } from "../expressions.js";
import { composed, type Expression, valueIn } from "../long-evaluation.js";
import { MongoFailure, notImplemented } from "../mongo-failure.js";
import { isoText } from "./conversions.js";
import { isNothing, kindOf, madeText, namedOperands, ofOne, type Value } from "./operator.js";

const DAY_MS = 86_400_000;
const SECONDS_BYTES = 4;

/** @throws CommandFailure if the value is not a date */
function dateIn(value: Value, name: ByteString): Date {
  const date =
    value instanceof ObjectId
      ? new BsonDate(BigInt(Buffer.from(value.bytes, "latin1").readUIntBE(0, SECONDS_BYTES)) * 1000n)
      : value;
  if (!(date instanceof BsonDate))
    throw new MongoFailure(16006, `can't convert from BSON type ${kindOf(value)} to Date (${name})`);
  isoText(date);
  return new Date(Number(date.at));
}

/** Returns an operator on one date; for null or a missing value it returns null. */
const part =
  (calculate: (date: Date) => number): Operator =>
  (operand, scope, name) => {
    if (isDocument(operand) && operand.has("timezone"))
      throw notImplemented(`${name} with a timezone is not supported: dates are in UTC`);
    const date = isDocument(operand) && operand.has("date") ? (operand.get("date") as Bson) : operand;
    return ofOne((value) => (isNothing(value) ? null : new Int32(calculate(dateIn(value, name)))))(
      date,
      scope,
      name,
    );
  };

const dayOfYear = (date: Date): number =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS) + 1;

const padded = (value: number, digits: number): string => String(value).padStart(digits, "0");

/** The meaning of each letter after `%`. */
const FORMATS: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => padded(date.getUTCFullYear(), 4),
  m: (date) => padded(date.getUTCMonth() + 1, 2),
  d: (date) => padded(date.getUTCDate(), 2),
  H: (date) => padded(date.getUTCHours(), 2),
  M: (date) => padded(date.getUTCMinutes(), 2),
  S: (date) => padded(date.getUTCSeconds(), 2),
  L: (date) => padded(date.getUTCMilliseconds(), 3),
  j: (date) => padded(dayOfYear(date), 3),
  w: (date) => String(date.getUTCDay() + 1),
  u: (date) => String(date.getUTCDay() || 7),
  z: () => "+0000",
  Z: () => "+000",
  "%": () => "%",
};
const DEFAULT_FORMAT = "%Y-%m-%dT%H:%M:%S.%LZ";

const dateToString: Operator = (operand, scope, name) => {
  const spec = namedOperands(operand, name, ["date"], ["format", "onNull"]);
  const format = spec.get("format") ?? DEFAULT_FORMAT;
  if (typeof format !== "string" || format.startsWith("$"))
    throw notImplemented(`${name} takes a format that is the same for all documents`);
  for (const [, letter = ""] of format.matchAll(/%(.?)/gs))
    if (FORMATS[letter] === undefined)
      throw new MongoFailure(18536, `Invalid format character '%${letter}' in format string`);
  const date = compiled(spec.get("date") as Bson, scope);
  const otherwise = compiled(spec.get("onNull") ?? null, scope);
  const textOf = (value: Value) => {
    const at = dateIn(value, name);
    return madeText(
      format.replace(/%(.)/gs, (_, letter: string) => FORMATS[letter]?.(at) ?? ""),
      scope,
    );
  };
  const now: Expression = (root) => {
    const value = date(root);
    return isNothing(value) ? otherwise(root) : textOf(value);
  };
  return composed([date, otherwise], now, function* (root) {
    const value = yield* valueIn(date, root);
    return isNothing(value) ? yield* valueIn(otherwise, root) : textOf(value);
  });
};

export const dates: Readonly<Record<string, Operator>> = {
  dateToString,
  dayOfMonth: part((date) => date.getUTCDate()),
  dayOfWeek: part((date) => date.getUTCDay() + 1),
  dayOfYear: part(dayOfYear),
  hour: part((date) => date.getUTCHours()),
  millisecond: part((date) => date.getUTCMilliseconds()),
  minute: part((date) => date.getUTCMinutes()),
  month: part((date) => date.getUTCMonth() + 1),
  second: part((date) => date.getUTCSeconds()),
  year: part((date) => date.getUTCFullYear()),
};
