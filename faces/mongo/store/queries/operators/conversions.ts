/**
 * Types of values, and conversions between types, in expressions. Source: MongoDB's manual, "Type Expression
 * Operators".
 */
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { calendarDate } from "../../../../../protocol/calendar-date.js";
import { type Bson, BsonDate, Int32, isArray, ObjectId } from "../../values/bson.js";
import { type BsonNumber, decimalParts, doubleOf, exactParts, isNumber } from "../../values/bson-numbers.js";
import { Decimal, decimalOf, decimalOfText, decimalText } from "../../values/decimal.js";
import type { Operator } from "../expressions.js";
import { MongoFailure } from "../mongo-failure.js";
import { isTruth } from "./conditionals.js";
import { isNothing, kindOf, madeText, ofOne, type Value } from "./operator.js";

const CONVERSION_FAILURE = 241;

const unsupported = (value: Value, to: string) =>
  new MongoFailure(
    CONVERSION_FAILURE,
    `Unsupported conversion from ${kindOf(value)} to ${to} in $convert with no onError value`,
  );
const failed = (sentence: string) =>
  new MongoFailure(CONVERSION_FAILURE, `${sentence} in $convert with no onError value`);

/** Maximum number of characters of a text that represents a number. */
const NUMBER_CHARS_MAX = 10_000;
/** Number of characters of a text that an error shows. */
const SHOWN_CHARS = 100;
const unreadable = (kind: string, text: ByteString) =>
  failed(`${kind} '${text.slice(0, SHOWN_CHARS)}${text.length > SHOWN_CHARS ? "..." : ""}'`);

const DATE_MIN = -62_167_219_200_000n;
const DATE_MAX = 253_402_300_799_999n;

/** Returns a date in ISO 8601. @throws CommandFailure if the year does not have four digits */
export function isoText({ at }: BsonDate): ByteString {
  if (at < DATE_MIN || at > DATE_MAX)
    throw new MongoFailure(238, "years that do not have four digits are not supported");
  return new Date(Number(at)).toISOString();
}

/** @throws CommandFailure if the value cannot be converted */
export function textOf(value: Exclude<Value, undefined | null>, name: ByteString): ByteString {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (value instanceof ObjectId) return Buffer.from(value.bytes, "latin1").toString("hex");
  if (value instanceof BsonDate) return isoText(value);
  if (value instanceof Int32) return String(value.value);
  if (value instanceof Decimal) return decimalText(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return doubleText(value);

  throw name === "$toString" || name === "$convert"
    ? unsupported(value, "string")
    : new MongoFailure(16007, `can't convert from BSON type ${kindOf(value)} to String`);
}

function doubleText(value: number): ByteString {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  return Object.is(value, -0) ? "-0" : String(value);
}

const TRUNCATED_MAX = 400;

/** Returns the integer part of a number. */
function integerOf(value: BsonNumber, to: string): bigint {
  const parts = exactParts(value);
  if (typeof parts === "string") throw failed(`Attempt to convert ${parts} value to integer type`);
  if (parts.exponent > TRUNCATED_MAX) throw overflow(to);
  const scale = 10n ** BigInt(Math.abs(parts.exponent));
  const size = parts.exponent < 0 ? parts.coefficient / scale : parts.coefficient * scale;
  return parts.isNegative ? -size : size;
}

const overflow = (to: string) => failed(`Conversion would overflow target type ${to}`);

function integerFrom(value: Exclude<Value, undefined | null>, to: "int" | "long"): Bson {
  let integer: bigint;
  if (isNumber(value)) integer = integerOf(value, to);
  else if (typeof value === "boolean") integer = BigInt(value);
  else if (value instanceof BsonDate && to === "long") integer = value.at;
  else if (typeof value === "string") {
    if (!/^[+-]?\d{1,30}$/.test(value)) throw unreadable("Failed to parse number", value);
    integer = BigInt(value);
  } else throw unsupported(value, to);
  if (BigInt.asIntN(to === "int" ? 32 : 64, integer) !== integer) throw overflow(to);
  return to === "int" ? new Int32(Number(integer)) : integer;
}

function doubleFrom(value: Exclude<Value, undefined | null>): number {
  if (isNumber(value)) return doubleOf(value);
  if (typeof value === "boolean") return Number(value);
  if (value instanceof BsonDate) return Number(value.at);
  if (typeof value !== "string") throw unsupported(value, "double");
  if (value.length > NUMBER_CHARS_MAX || !/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value))
    throw unreadable("Failed to parse number", value);
  const number = Number(value);
  if (!Number.isFinite(number)) throw unreadable("Failed to parse number", value);
  return number;
}

function decimalFrom(value: Exclude<Value, undefined | null>): Decimal {
  if (value instanceof Decimal) return value;
  if (isNumber(value)) return decimalOf(decimalParts(value));
  if (typeof value === "boolean") return decimalOf(exactParts(Number(value)));
  if (value instanceof BsonDate) return decimalOf(exactParts(value.at));
  if (typeof value !== "string") throw unsupported(value, "decimal");
  const decimal = value.length > NUMBER_CHARS_MAX ? undefined : decimalOfText(value);
  if (decimal === undefined) throw unreadable("Failed to parse number", value);
  return decimal;
}

const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:?\d\d)?)?$/;
const SECONDS_BYTES = 4;

function dateFrom(value: Exclude<Value, undefined | null>): BsonDate {
  if (value instanceof BsonDate) return value;
  if (value instanceof ObjectId)
    return new BsonDate(BigInt(Buffer.from(value.bytes, "latin1").readUIntBE(0, SECONDS_BYTES)) * 1000n);

  if (isNumber(value) && !(value instanceof Int32)) {
    const at = integerOf(value, "date");
    if (BigInt.asIntN(64, at) !== at) throw overflow("date");
    return new BsonDate(at);
  }
  if (typeof value !== "string") throw unsupported(value, "date");
  // A text without a zone is in UTC, never in the machine's own zone.
  const isWritten = ISO.test(value);
  const isLocal = isWritten && value.includes("T") && !/(Z|[+-]\d\d:?\d\d)$/.test(value);
  const at = isWritten ? calendarDate(isLocal ? `${value}Z` : value) : undefined;
  if (at === undefined) throw unreadable("Error parsing date string", value);
  return new BsonDate(BigInt(at));
}

function objectIdFrom(value: Exclude<Value, undefined | null>): ObjectId {
  if (value instanceof ObjectId) return value;
  if (typeof value !== "string") throw unsupported(value, "objectId");
  if (!/^[0-9a-fA-F]{24}$/.test(value)) throw unreadable("Failed to parse objectId", value);
  return new ObjectId(Buffer.from(value, "hex").toString("latin1"));
}

const converting = (convert: (value: Exclude<Value, undefined | null>) => Bson): Operator =>
  ofOne((value) => (isNothing(value) ? null : convert(value)));

export const conversions: Readonly<Record<string, Operator>> = {
  isArray: ofOne((value) => isArray(value)),
  isNumber: ofOne((value) => isNumber(value)),
  toBool: converting((value) => isTruth(value)),
  toDate: converting(dateFrom),
  toDecimal: converting(decimalFrom),
  toDouble: converting(doubleFrom),
  toInt: converting((value) => integerFrom(value, "int")),
  toLong: converting((value) => integerFrom(value, "long")),
  toObjectId: converting(objectIdFrom),
  toString: ofOne((value, scope, name) => (isNothing(value) ? null : madeText(textOf(value, name), scope))),
  type: ofOne((value) => kindOf(value)),
};
