/** Numbers of MongoDB's four kinds: compared exactly, and counted with as MongoDB does: the wider kind wins, and an int32 widens by itself. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Bson, BsonFault, Int32 } from "./bson.js";
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

export type BsonNumber = number | bigint | Int32 | Decimal;

export const INT32_MAX = 2147483647;
export const INT64_MAX = 2n ** 63n - 1n;

export const isNumber = (value: Bson | undefined): value is BsonNumber =>
  typeof value === "number" ||
  value instanceof Int32 ||
  typeof value === "bigint" ||
  value instanceof Decimal;

/** Negative, 0 or positive. What is not a number comes before all that are, and is equal to itself. */
export function compareNumbers(a: BsonNumber, b: BsonNumber): number {
  if (a instanceof Decimal || b instanceof Decimal) return compareParts(exactParts(a), exactParts(b));
  const [x, y] = [a instanceof Int32 ? a.value : a, b instanceof Int32 ? b.value : b];
  if (x < y) return -1;
  if (x > y) return 1;
  // biome-ignore lint/suspicious/noDoubleEquals: a bigint and a number that are equal
  if (x == y) return 0;
  return Number(!Number.isNaN(x)) - Number(!Number.isNaN(y));
}

/** The very value; of a double too. */
export function exactParts(value: BsonNumber): DecimalValue {
  if (value instanceof Decimal) return value.parts;
  if (typeof value === "bigint") return integerParts(value);
  const number = value instanceof Int32 ? value.value : value;
  if (Number.isNaN(number)) return "nan";
  if (!Number.isFinite(number)) return number > 0 ? "infinity" : "-infinity";
  if (Number.isInteger(number))
    return { ...integerParts(BigInt(number)), isNegative: Object.is(number, -0) || number < 0 };
  let scaled = number;
  let halves = 0;
  // Exact: only the exponent changes, and subnormal numbers have room above.
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
const place = (parts: DecimalValue): number => (typeof parts === "string" ? ORDER[parts] : 0);

function compareParts(a: DecimalValue, b: DecimalValue): number {
  if (typeof a === "string" || typeof b === "string") return place(a) - place(b);
  const [signA, signB] = [signOf(a), signOf(b)];
  if (signA !== signB || signA === 0) return signA - signB;
  return signA * compareSizes(a, b);
}

const signOf = ({ isNegative, coefficient }: Finite): number =>
  coefficient === 0n ? 0 : isNegative ? -1 : 1;

function compareSizes(a: Finite, b: Finite): number {
  const [topA, topB] = [digitsOf(a.coefficient) + a.exponent, digitsOf(b.coefficient) + b.exponent];
  if (topA !== topB) return topA < topB ? -1 : 1;
  const least = Math.min(a.exponent, b.exponent);
  const x = a.coefficient * 10n ** BigInt(a.exponent - least);
  const y = b.coefficient * 10n ** BigInt(b.exponent - least);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Returns the same key for equal numbers of any kind, and different keys for different numbers. */
export function numberKey(value: BsonNumber): ByteString {
  if (value instanceof Int32) return String(value.value);
  if (typeof value === "number") return String(value === 0 ? 0 : value);
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

function partsKey({ isNegative, coefficient, exponent }: Finite): ByteString {
  const digits = coefficient.toString();
  const kept = digits.replace(/0+$/, "");
  return `${isNegative ? "-" : ""}${kept}d${exponent + digits.length - kept.length}`;
}

const nearest = ({ isNegative, coefficient, exponent }: Finite): number =>
  Number(`${isNegative ? "-" : ""}${coefficient}e${exponent}`);

/** A double near it. */
export function doubleOf(value: BsonNumber): number {
  if (typeof value === "number") return value;
  if (value instanceof Int32) return value.value;
  if (typeof value === "bigint") return Number(value);
  const { parts } = value;
  if (typeof parts !== "string") return nearest(parts);
  return parts === "nan"
    ? Number.NaN
    : parts === "infinity"
      ? Number.POSITIVE_INFINITY
      : Number.NEGATIVE_INFINITY;
}

/** Returns the integer of 64 bits that a number of any kind equals; undefined: there is none. */
export function integerOf(value: BsonNumber): bigint | undefined {
  const parts = exactParts(value);
  if (typeof parts === "string" || parts.exponent > 40) return undefined;
  const { isNegative, coefficient, exponent } = parts;
  const scale = 10n ** BigInt(Math.abs(exponent));
  if (exponent < 0 && coefficient % scale !== 0n) return undefined;
  const size = exponent < 0 ? coefficient / scale : coefficient * scale;
  const whole = isNegative ? -size : size;
  return BigInt.asIntN(64, whole) === whole ? whole : undefined;
}

/** Digits of a double in arithmetic with a decimal: fifteen, as in MongoDB. */
const DOUBLE_DIGITS = 15;

export function decimalParts(value: BsonNumber, digits = DOUBLE_DIGITS): DecimalValue {
  if (typeof value !== "number" || !Number.isFinite(value)) return exactParts(value);
  const made = decimalOfText(value.toPrecision(digits)) as Decimal;
  return made.parts;
}

export const isInteger = (value: Bson): value is bigint | Int32 =>
  typeof value === "bigint" || value instanceof Int32;
export const bigOf = (value: bigint | Int32): bigint =>
  value instanceof Int32 ? BigInt(value.value) : value;

/** @throws BsonFault  integers whose result is none of 64 bits */
export function sumOf(a: BsonNumber, b: BsonNumber): BsonNumber {
  if (a instanceof Decimal || b instanceof Decimal)
    return decimalOf(decimalSum(decimalParts(a), decimalParts(b)));
  if (!isInteger(a) || !isInteger(b)) return doubleOf(a) + doubleOf(b);
  return widened(bigOf(a) + bigOf(b), a instanceof Int32 && b instanceof Int32);
}

/** @throws BsonFault  integers whose result is none of 64 bits */
export function productOf(a: BsonNumber, b: BsonNumber): BsonNumber {
  if (a instanceof Decimal || b instanceof Decimal)
    return decimalOf(decimalProduct(decimalParts(a), decimalParts(b)));
  if (!isInteger(a) || !isInteger(b)) return doubleOf(a) * doubleOf(b);
  return widened(bigOf(a) * bigOf(b), a instanceof Int32 && b instanceof Int32);
}

function widened(result: bigint, isNarrow: boolean): BsonNumber {
  if (BigInt.asIntN(64, result) !== result) throw new BsonFault("the result is no integer of 64 bits");
  return isNarrow && BigInt.asIntN(32, result) === result ? new Int32(Number(result)) : result;
}
