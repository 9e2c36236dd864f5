/**
 * Arithmetic in expressions. Functions whose last digit differs between machines (powers, logarithms, angles) are not
 * supported, because a write could depend on that digit. Source: MongoDB's manual, "Arithmetic Expression Operators".
 */
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { BsonDate, BsonFault, Int32, isArray } from "../../values/bson.js";
import {
  type BsonNumber,
  doubleOf,
  exactParts,
  integerOf,
  isNumber,
  productOf,
  sumOf,
} from "../../values/bson-numbers.js";
import { Decimal, type DecimalValue, decimalOf, decimalQuotient, type Finite } from "../../values/decimal.js";
import { ACCUMULATORS, type Start } from "../accumulators.js";
import type { Operator } from "../expressions.js";
import { MongoFailure, typeMismatch } from "../mongo-failure.js";
import { isNothing, kindOf, ofLarge, ofOne, ofValues, passed, type Value } from "./operator.js";

/** Calculates with integers, or returns a double if the result does not fit in 64 bits. */
function widely(
  a: BsonNumber,
  b: BsonNumber,
  combine: (a: BsonNumber, b: BsonNumber) => BsonNumber,
): BsonNumber {
  try {
    return combine(a, b);
  } catch (fault) {
    if (!(fault instanceof BsonFault)) throw fault;
    return combine(doubleOf(a), doubleOf(b));
  }
}

const negated = (value: BsonNumber): BsonNumber => widely(value, new Int32(-1), productOf);

function numberIn(value: Value, name: ByteString): BsonNumber {
  if (isNumber(value)) return value;
  throw typeMismatch(`${name} only supports numeric types, not ${kindOf(value)}`);
}

function dateAfter(date: BsonDate, milliseconds: BsonNumber): BsonDate {
  const rounded = roundedTo(milliseconds, 0, true);
  const moved = integerOf(rounded);
  const at = moved === undefined ? undefined : date.at + moved;
  if (at === undefined || BigInt.asIntN(64, at) !== at) throw new MongoFailure(15, "date overflow");
  return new BsonDate(at);
}

function added(values: readonly Value[], name: ByteString): Value {
  let date: BsonDate | null = null;
  let sum: BsonNumber = new Int32(0);
  for (const value of values) {
    if (isNothing(value)) return null;
    if (value instanceof BsonDate) {
      if (date !== null) throw new MongoFailure(16612, "only one date allowed in an $add expression");
      date = value;
    } else if (isNumber(value)) sum = widely(sum, value, sumOf);
    else throw typeMismatch(`${name} only supports numeric or date types, not ${kindOf(value)}`);
  }

  return date === null ? sum : dateAfter(date, sum);
}

function subtracted([a, b]: readonly Value[]): Value {
  if (isNothing(a) || isNothing(b)) return null;
  if (a instanceof BsonDate && b instanceof BsonDate) return a.at - b.at;
  if (a instanceof BsonDate && isNumber(b)) return dateAfter(a, negated(b));
  if (isNumber(a) && isNumber(b)) return widely(a, negated(b), sumOf);
  throw typeMismatch(`can't $subtract ${kindOf(b)} from ${kindOf(a)}`);
}

function multiplied(values: readonly Value[], name: ByteString): Value {
  let product: BsonNumber = new Int32(1);
  for (const value of values) {
    if (isNothing(value)) return null;
    product = widely(product, numberIn(value, name), productOf);
  }
  return product;
}

function divided([a, b]: readonly Value[], name: ByteString): Value {
  if (isNothing(a) || isNothing(b)) return null;
  const [x, y] = [numberIn(a, name), numberIn(b, name)];
  if (doubleOf(y) === 0) throw new MongoFailure(2, "can't $divide by zero");
  if (!(x instanceof Decimal || y instanceof Decimal)) return doubleOf(x) / doubleOf(y);
  return decimalOf(quotientOf(exactParts(x), exactParts(y)));
}

function quotientOf(a: DecimalValue, b: DecimalValue): DecimalValue {
  if (a === "nan" || b === "nan") return "nan";
  const isNegative = signOf(a) !== signOf(b);
  if (typeof a === "string") return typeof b === "string" ? "nan" : isNegative ? "-infinity" : "infinity";
  if (typeof b === "string") return { isNegative, coefficient: 0n, exponent: 0 };
  const quotient = decimalQuotient({ ...a, isNegative: false }, b.coefficient) as Finite;
  return { isNegative, coefficient: quotient.coefficient, exponent: quotient.exponent - b.exponent };
}

const signOf = (parts: Exclude<DecimalValue, "nan">): boolean =>
  typeof parts === "string" ? parts === "-infinity" : parts.isNegative;

function remainder([a, b]: readonly Value[], name: ByteString): Value {
  if (isNothing(a) || isNothing(b)) return null;
  const [x, y] = [numberIn(a, name), numberIn(b, name)];
  if (doubleOf(y) === 0) throw new MongoFailure(16610, "can't $mod by zero");
  if (x instanceof Decimal || y instanceof Decimal) return decimalRemainder(exactParts(x), exactParts(y));
  if (typeof x === "number" || typeof y === "number") return doubleOf(x) % doubleOf(y);
  const remainder = (integerOf(x) as bigint) % (integerOf(y) as bigint);
  return x instanceof Int32 && y instanceof Int32 ? new Int32(Number(remainder)) : remainder;
}

/** Maximum difference of the exponents for which a remainder is calculated. */
const EXPONENTS_MAX = 8000;

function decimalRemainder(a: DecimalValue, b: DecimalValue): Decimal {
  if (typeof a === "string" || b === "nan") return decimalOf("nan");
  if (typeof b === "string") return decimalOf(a);
  const exponent = Math.min(a.exponent, b.exponent);
  if (Math.max(a.exponent, b.exponent) - exponent > EXPONENTS_MAX) return decimalOf("nan");
  const [x, y] = [a, b].map((one) => one.coefficient * 10n ** BigInt(one.exponent - exponent)) as [
    bigint,
    bigint,
  ];
  return decimalOf({ isNegative: a.isNegative, coefficient: x % y, exponent });
}

/**
 * @param digit position of the last digit to retain, counted after the point
 * @param isNearest if false, the remaining digits are truncated
 */
function roundedTo(value: BsonNumber, digit: number, isNearest: boolean): BsonNumber {
  const parts = exactParts(value);
  if (typeof parts === "string" || parts.exponent >= -digit) return value;
  const divisor = 10n ** BigInt(-digit - parts.exponent);
  let coefficient = parts.coefficient / divisor;
  const twice = 2n * (parts.coefficient % divisor);
  if (isNearest && (twice > divisor || (twice === divisor && coefficient % 2n === 1n))) coefficient++;
  return inKindOf(value, { isNegative: parts.isNegative, coefficient, exponent: -digit });
}

/** Returns a number with the given parts, of the same kind as another number. */
function inKindOf(value: BsonNumber, parts: Finite): BsonNumber {
  if (value instanceof Decimal) return decimalOf(parts);
  const { isNegative, coefficient, exponent } = parts;
  if (typeof value === "number") return Number(`${isNegative ? "-" : ""}${coefficient}e${exponent}`);
  const integer = coefficient * 10n ** BigInt(Math.max(0, exponent)) * (isNegative ? -1n : 1n);
  if (BigInt.asIntN(64, integer) !== integer)
    throw new MongoFailure(51080, "the rounded number is not a 64-bit integer");
  return value instanceof Int32 && BigInt.asIntN(32, integer) === integer
    ? new Int32(Number(integer))
    : integer;
}

/** Returns the next integer above or below a number. @param isUp if false, returns the next integer below */
function nextInteger(value: BsonNumber, isUp: boolean): BsonNumber {
  if (typeof value === "number") return isUp ? Math.ceil(value) : Math.floor(value);
  if (!(value instanceof Decimal)) return value;
  const cut = roundedTo(value, 0, false) as Decimal;
  const parts = exactParts(value);
  const isExact = typeof parts === "string" || compareEqual(cut, value);
  if (isExact || (parts as Finite).isNegative === isUp) return cut;
  return sumOf(cut, new Int32(isUp ? 1 : -1));
}

const compareEqual = (a: Decimal, b: Decimal): boolean =>
  doubleOf(a) === doubleOf(b) && integerOf(a) === integerOf(b);

const rounding = (isNearest: boolean): Operator =>
  ofValues([1, 2], ([value, digits], _, name) => {
    if (isNothing(value) || digits === null) return null;
    const digit = digits === undefined ? 0n : integerOf(numberIn(digits, name));
    if (digit === undefined || digit < -20n || digit > 100n)
      throw new MongoFailure(51083, `${name} takes a precision from -20 to 100`);
    return roundedTo(numberIn(value, name), Number(digit), isNearest);
  });

/** Returns an operator on one number; for null or a missing value it returns null. */
const ofNumber = (calculate: (value: BsonNumber) => Value): Operator =>
  ofOne((value, _, name) => (isNothing(value) ? null : calculate(numberIn(value, name))));

function absolute(value: BsonNumber): BsonNumber {
  if (typeof value === "number") return Math.abs(value);
  const parts = exactParts(value);
  const isNegative = parts === "-infinity" || (typeof parts !== "string" && parts.isNegative);
  return isNegative ? negated(value) : value;
}

function squareRoot(value: BsonNumber): Value {
  const double = doubleOf(value);
  if (double < 0) throw new MongoFailure(28714, "$sqrt's argument must be greater than or equal to 0");
  if (value instanceof Decimal)
    throw new MongoFailure(238, "$sqrt of a decimal is not supported by this server");
  return Math.sqrt(double);
}

/** Returns an operator that accumulates its operands, or the elements of a single array operand. */
const accumulated = (name: string): Operator =>
  ofLarge([0, Number.POSITIVE_INFINITY], function* (values, { work }) {
    const [only] = values;
    const all: readonly Value[] = values.length === 1 && isArray(only) ? only : values;
    const accumulator = (ACCUMULATORS.get(name) as Start)(work);
    for (const value of all) {
      passed(1, work);
      accumulator.add(value);
      if (work.effort.endsSlice()) yield;
    }
    return accumulator.result() ?? null;
  });

export const arithmetic: Readonly<Record<string, Operator>> = {
  abs: ofNumber(absolute),
  add: ofValues([0, Number.POSITIVE_INFINITY], (values, _, name) => added(values, name)),
  avg: accumulated("$avg"),
  ceil: ofNumber((value) => nextInteger(value, true)),
  divide: ofValues([2, 2], (values, _, name) => divided(values, name)),
  floor: ofNumber((value) => nextInteger(value, false)),
  max: accumulated("$max"),
  min: accumulated("$min"),
  mod: ofValues([2, 2], (values, _, name) => remainder(values, name)),
  multiply: ofValues([0, Number.POSITIVE_INFINITY], (values, _, name) => multiplied(values, name)),
  round: rounding(true),
  sqrt: ofNumber(squareRoot),
  subtract: ofValues([2, 2], subtracted),
  sum: accumulated("$sum"),
  trunc: rounding(false),
};
