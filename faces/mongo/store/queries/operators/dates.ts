/** Dates in expressions, in UTC or at a difference from it. Source: MongoDB's manual, "Date Expression Operators". */
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { type Bson, BsonDate, type BsonDocument, Int32, isDocument, ObjectId } from "../../values/bson.js";
import { compiled, type Operator } from "../expressions.js";
import { composed, type Expression, valueIn } from "../long-evaluation.js";
import { MongoFailure, notImplemented } from "../mongo-failure.js";
import { isoText } from "./conversions.js";
import { calculated, isNothing, kindOf, madeText, namedOperands, ofOne, type Value } from "./operator.js";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const SECONDS_BYTES = 4;

/** A date as the calendar and the clock of a time zone show it, in the fields of `Date` for UTC. */
interface LocalDate {
  readonly date: Date;
  /** The number of minutes by which the time zone is ahead of UTC. */
  readonly offset: number;
}

/** @throws CommandFailure if the value is not a date, or not one of the years 0 to 9999 */
function dateIn(value: Value, name: ByteString, offset: number): LocalDate {
  const date =
    value instanceof ObjectId
      ? new BsonDate(BigInt(Buffer.from(value.bytes, "latin1").readUIntBE(0, SECONDS_BYTES)) * 1000n)
      : value;
  if (!(date instanceof BsonDate))
    throw new MongoFailure(16006, `can't convert from BSON type ${kindOf(value)} to Date (${name})`);
  isoText(date);
  const local = new BsonDate(date.at + BigInt(offset * MINUTE_MS));
  isoText(local);
  return { date: new Date(Number(local.at)), offset };
}

const UTC = "UTC";
const UTC_NAMES: readonly string[] = [UTC, "GMT", "Etc/UTC", "Etc/GMT"];
/** A difference from UTC: ±hh, ±hhmm or ±hh:mm. */
const OFFSET = /^([+-])(\d\d)(?::?(\d\d))?$/;

/**
 * Returns the number of minutes by which a time zone is ahead of UTC, or null if it is null or missing. Places such as
 * Europe/Paris are not supported: their rules depend on the version of the time zone data, which may differ between
 * daemons.
 * @throws CommandFailure
 */
function offsetOf(zone: Value, name: ByteString): number | null {
  if (isNothing(zone)) return null;
  if (typeof zone !== "string")
    throw new MongoFailure(40517, `timezone must evaluate to a string, found ${kindOf(zone)} (${name})`);
  if (UTC_NAMES.includes(zone)) return 0;

  const [, sign, hours, minutes = "0"] = OFFSET.exec(zone) ?? [];
  if (hours !== undefined) return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  if (/^([+-]|$)/.test(zone))
    throw new MongoFailure(40485, `unrecognized time zone identifier: "${zone}" (${name})`);

  throw notImplemented(
    `${name} with the timezone "${zone}" is not supported: write "UTC" or a difference such as "+02:00"`,
  );
}

const zoneIn = (spec: BsonDocument): Bson => (spec.has("timezone") ? (spec.get("timezone") as Bson) : UTC);

/** Returns an operator on one date, with or without a time zone; for null or a missing value it returns null. */
const part =
  (calculate: (date: Date) => number): Operator =>
  (operand, scope, name) => {
    if (!isDocument(operand) || !(operand.has("date") || operand.has("timezone")))
      return ofOne((value) => (isNothing(value) ? null : new Int32(calculate(dateIn(value, name, 0).date))))(
        operand,
        scope,
        name,
      );

    const spec = namedOperands(operand, name, ["date"], ["timezone"]);
    const operands = [spec.get("date") as Bson, zoneIn(spec)].map((one) => compiled(one, scope));
    return calculated(operands, ([value, zone]) => {
      const offset = offsetOf(zone, name);
      if (isNothing(value) || offset === null) return null;
      return new Int32(calculate(dateIn(value, name, offset).date));
    });
  };

const dayOfYear = (date: Date): number =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS) + 1;

/** Returns the number of the week, which begins on Sunday; the days before the first Sunday are in week 0. */
const week = (date: Date): number => Math.floor((dayOfYear(date) + 6 - date.getUTCDay()) / 7);

/** Returns the Thursday of the week that begins on Monday: its year and week are those of ISO 8601. */
const thursday = (date: Date): Date => new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * DAY_MS);

const isoWeek = (date: Date): number => Math.floor((dayOfYear(thursday(date)) - 1) / 7) + 1;

const padded = (value: number, digits: number): string => String(value).padStart(digits, "0");

/** Returns a number of minutes with its sign. */
const signed = (minutes: number, shown: (minutes: number) => string): string =>
  `${minutes < 0 ? "-" : "+"}${shown(Math.abs(minutes))}`;

/** The meaning of each letter after `%`. */
const FORMATS: Readonly<Record<string, (local: LocalDate) => string>> = {
  Y: ({ date }) => padded(date.getUTCFullYear(), 4),
  G: ({ date }) => padded(thursday(date).getUTCFullYear(), 4),
  m: ({ date }) => padded(date.getUTCMonth() + 1, 2),
  d: ({ date }) => padded(date.getUTCDate(), 2),
  H: ({ date }) => padded(date.getUTCHours(), 2),
  M: ({ date }) => padded(date.getUTCMinutes(), 2),
  S: ({ date }) => padded(date.getUTCSeconds(), 2),
  L: ({ date }) => padded(date.getUTCMilliseconds(), 3),
  j: ({ date }) => padded(dayOfYear(date), 3),
  U: ({ date }) => padded(week(date), 2),
  V: ({ date }) => padded(isoWeek(date), 2),
  w: ({ date }) => String(date.getUTCDay() + 1),
  u: ({ date }) => String(date.getUTCDay() || 7),
  z: ({ offset }) =>
    signed(offset, (minutes) => padded(Math.floor(minutes / 60), 2) + padded(minutes % 60, 2)),
  Z: ({ offset }) => signed(offset, (minutes) => padded(minutes, 3)),
  "%": () => "%",
};
const LOCAL_FORMAT = "%Y-%m-%dT%H:%M:%S.%L";

const dateToString: Operator = (operand, scope, name) => {
  const spec = namedOperands(operand, name, ["date"], ["format", "timezone", "onNull"]);
  const format = spec.get("format") ?? LOCAL_FORMAT;
  if (typeof format !== "string" || format.startsWith("$"))
    throw notImplemented(`${name} takes a format that is the same for all documents`);

  for (const [, letter = ""] of format.matchAll(/%(.?)/gs))
    if (!Object.hasOwn(FORMATS, letter))
      throw new MongoFailure(18536, `Invalid format character '%${letter}' in format string`);

  const date = compiled(spec.get("date") as Bson, scope);
  const zone = compiled(zoneIn(spec), scope);
  const otherwise = compiled(spec.get("onNull") ?? null, scope);

  const textOf = (value: Value, offset: number | null) => {
    if (offset === null) return null;
    const at = dateIn(value, name, offset);
    const text = format.replace(/%(.)/gs, (_, letter: string) => FORMATS[letter]?.(at) ?? "");
    return madeText(spec.has("format") || offset !== 0 ? text : `${text}Z`, scope);
  };

  const now: Expression = (root) => {
    const value = date(root);
    return isNothing(value) ? otherwise(root) : textOf(value, offsetOf(zone(root), name));
  };

  return composed([date, zone, otherwise], now, function* (root) {
    const value = yield* valueIn(date, root);
    if (isNothing(value)) return yield* valueIn(otherwise, root);
    return textOf(value, offsetOf(yield* valueIn(zone, root), name));
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
