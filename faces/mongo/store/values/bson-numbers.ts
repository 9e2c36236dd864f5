/**
 * MongoDB's four kinds of numbers. Comparisons are exact; arithmetic follows MongoDB: the result has the wider of the
 * two kinds, and an int32 result that overflows becomes an int64.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, BsonFault, Int32, WrittenDouble } from "./bson.js";
import {
  Decimal,
  type DecimalValue,
  decimalOf,
  decimalOfText,
  decimalProduct,
  decimalSum,
  digitsOf,
  type Finite,
} from "./decimal.js";

export type BsonNumber = number | bigint | Int32 | WrittenDouble | Decimal;

export const INT32_MAX = 2147483647;
export const INT64_MAX = 2n ** 63n - 1n;

export const isNumber = (value: Bson | undefined): value is BsonNumber =>
  typeof value === "number" ||
  value instanceof Int32 ||
  typeof value === "bigint" ||
  value instanceof WrittenDouble ||
  value instanceof Decimal;

/** Compares two numbers of any kind. NaN precedes all numbers and equals itself. */
export function compareNumbers(a: BsonNumber, b: BsonNumber): number {
  if (a instanceof Decimal || b instanceof Decimal) return compareParts(exactParts(a), exactParts(b));
  const [x, y] = [typeof a === "object" ? a.value : a, typeof b === "object" ? b.value : b];
  if (x < y) return -1;
  if (x > y) return 1;
  // biome-ignore lint/suspicious/noDoubleEquals: a bigint and a number that are equal
  if (x == y) return 0;
  return Number(!Number.isNaN(x)) - Number(!Number.isNaN(y));
}

/** Returns the exact value of a number of any kind, including a double. */
export function exactParts(value: BsonNumber): DecimalValue {
  if (value instanceof Decimal) return value.parts;
  if (typeof value === "bigint") return integerParts(value);

  const number = typeof value === "object" ? value.value : value;
  if (Number.isNaN(number)) return "nan";
  if (!Number.isFinite(number)) return number > 0 ? "infinity" : "-infinity";
  if (Number.isInteger(number))
    return { ...integerParts(BigInt(number)), isNegative: Object.is(number, -0) || number < 0 };

  let scaled = number;
  let halves = 0;
  // Doubling is exact: it changes only the exponent, and a number with a fraction is too small to overflow.
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    halves++;
  }

  // n / 2^h = n × 5^h / 10^h
  return { ...integerParts(BigInt(scaled) * 5n ** BigInt(halves)), exponent: -halves };
}

const integerParts = (value: bigint): Finite => ({
  isNegative: value < 0n,
  coefficient: value < 0n ? -value : value,
  exponent: 0,
});

const ORDER = { nan: -2, "-infinity": -1, infinity: 1 } as const;
const specialRank = (parts: DecimalValue): number => (typeof parts === "string" ? ORDER[parts] : 0);

function compareParts(a: DecimalValue, b: DecimalValue): number {
  if (typeof a === "string" || typeof b === "string") return specialRank(a) - specialRank(b);
  const [signA, signB] = [signOf(a), signOf(b)];
  if (signA !== signB || signA === 0) return signA - signB;
  return signA * compareSizes(a, b);
}

const signOf = ({ isNegative, coefficient }: Finite): number =>
  coefficient === 0n ? 0 : isNegative ? -1 : 1;

function compareSizes(a: Finite, b: Finite): number {
  const [topA, topB] = [digitsOf(a.coefficient) + a.exponent, digitsOf(b.coefficient) + b.exponent];
  if (topA !== topB) return topA < topB ? -1 : 1;
  const min = Math.min(a.exponent, b.exponent);
  const x = a.coefficient * 10n ** BigInt(a.exponent - min);
  const y = b.coefficient * 10n ** BigInt(b.exponent - min);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Returns the same key for equal numbers of any kind, and different keys for different numbers. */
export function numberKey(value: BsonNumber): ByteString {
  if (value instanceof Int32) return String(value.value);
  if (typeof value === "number") return doubleKey(value);
  if (value instanceof WrittenDouble) return doubleKey(value.value);
  if (typeof value === "bigint") {
    const near = Number(value);
    return BigInt(near) === value ? String(near) : partsKey(integerParts(value));
  }

  const { parts } = value;
  if (parts === "nan") return "NaN";
  if (typeof parts === "string") return parts === "infinity" ? "Infinity" : "-Infinity";

  const near = nearest(parts);
  return Number.isFinite(near) && compareParts(exactParts(near), parts) === 0
    ? String(near === 0 ? 0 : near)
    : partsKey(parts);
}

const doubleKey = (value: number): ByteString => String(value === 0 ? 0 : value);

function partsKey({ isNegative, coefficient, exponent }: Finite): ByteString {
  const digits = coefficient.toString();
  const significant = digits.replace(/0+$/, "");
  return `${isNegative ? "-" : ""}${significant}d${exponent + digits.length - significant.length}`;
}

const nearest = ({ isNegative, coefficient, exponent }: Finite): number =>
  Number(`${isNegative ? "-" : ""}${coefficient}e${exponent}`);

/** Returns the double nearest to a number. */
export function doubleOf(value: BsonNumber): number {
  if (typeof value === "number") return value;
  if (value instanceof Int32 || value instanceof WrittenDouble) return value.value;
  if (typeof value === "bigint") return Number(value);
  const { parts } = value;
  if (typeof parts !== "string") return nearest(parts);
  return parts === "nan"
    ? Number.NaN
    : parts === "infinity"
      ? Number.POSITIVE_INFINITY
      : Number.NEGATIVE_INFINITY;
}

/** Returns the 64-bit integer that a number of any kind equals, or undefined if there is no such integer. */
export function integerOf(value: BsonNumber): bigint | undefined {
  const parts = exactParts(value);
  if (typeof parts === "string" || parts.exponent > 40) return undefined;
  const { isNegative, coefficient, exponent } = parts;
  const scale = 10n ** BigInt(Math.abs(exponent));
  if (exponent < 0 && coefficient % scale !== 0n) return undefined;
  const size = exponent < 0 ? coefficient / scale : coefficient * scale;
  const integer = isNegative ? -size : size;
  return BigInt.asIntN(64, integer) === integer ? integer : undefined;
}

/** Number of digits to which MongoDB rounds a double in arithmetic with a decimal. */
const DOUBLE_DIGITS = 15;

export function decimalParts(value: BsonNumber, digits = DOUBLE_DIGITS): DecimalValue {
  if (typeof value !== "number" || !Number.isFinite(value)) return exactParts(value);
  const rounded = decimalOfText(value.toPrecision(digits)) as Decimal;
  return rounded.parts;
}

export const isInteger = (value: Bson): value is bigint | Int32 =>
  typeof value === "bigint" || value instanceof Int32;
export const bigOf = (value: bigint | Int32): bigint =>
  value instanceof Int32 ? BigInt(value.value) : value;

/** @throws BsonFault if the result of two integers does not fit in 64 bits */
export function sumOf(a: BsonNumber, b: BsonNumber): BsonNumber {
  if (a instanceof Decimal || b instanceof Decimal)
    return decimalOf(decimalSum(decimalParts(a), decimalParts(b)));
  if (!isInteger(a) || !isInteger(b)) return doubleOf(a) + doubleOf(b);
  return widened(bigOf(a) + bigOf(b), a instanceof Int32 && b instanceof Int32);
}

/** @throws BsonFault if the result of two integers does not fit in 64 bits */
export function productOf(a: BsonNumber, b: BsonNumber): BsonNumber {
  if (a instanceof Decimal || b instanceof Decimal)
    return decimalOf(decimalProduct(decimalParts(a), decimalParts(b)));
  if (!isInteger(a) || !isInteger(b)) return doubleOf(a) * doubleOf(b);
  return widened(bigOf(a) * bigOf(b), a instanceof Int32 && b instanceof Int32);
}

function widened(result: bigint, isNarrow: boolean): BsonNumber {
  if (BigInt.asIntN(64, result) !== result) throw new BsonFault("the result is not a 64-bit integer");
  return isNarrow && BigInt.asIntN(32, result) === result ? new Int32(Number(result)) : result;
}
