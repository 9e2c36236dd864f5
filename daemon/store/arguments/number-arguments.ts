/** Parses numbers in arguments and values as strictly as Redis does. Source: redis-server 7.0, test/conformance. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type CommandFailure, notFloat, notInt32, notInteger } from "./command-errors.js";

export const INT64_MAX = 2n ** 63n - 1n;
export const INT64_MIN = -(2n ** 63n);

const INT32_MAX = 2 ** 31 - 1;

const MINUS = 0x2d;
const DIGIT_0 = 0x30;
/** Maximum number of digits with which every integer is a safe integer. */
const SAFE_DIGITS = 15;

/**
 * Parses a 64-bit integer in canonical decimal form.
 * @returns a number if a number loses no precision, otherwise a bigint; undefined if the bytes are not an integer
 */
export function parseInteger(bytes: ByteString): number | bigint | undefined {
  if (bytes.length <= SAFE_DIGITS) return parseShort(bytes);
  if (bytes.length > 20 || !/^-?[1-9]\d*$/.test(bytes)) return undefined;
  const value = BigInt(bytes);
  if (value > INT64_MAX || value < INT64_MIN) return undefined;
  return narrow(value);
}

/** Parses a short integer. Every INCR calls it; a pattern and `Number` would take several times as long. */
function parseShort(bytes: ByteString): number | undefined {
  if (bytes === "0") return 0;
  const isNegative = bytes.charCodeAt(0) === MINUS;
  let at = isNegative ? 1 : 0;
  if (at === bytes.length || bytes.charCodeAt(at) === DIGIT_0) return undefined;

  let value = 0;
  for (; at < bytes.length; at++) {
    const digit = bytes.charCodeAt(at) - DIGIT_0;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }

  return isNegative ? -value : value;
}

/** Returns an integer as a number if a number loses no precision, otherwise as a bigint. */
export function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Returns the sum of two 64-bit integers, or undefined if the sum exceeds 64 bits. */
export function addIntegers(one: number | bigint, other: number | bigint): number | bigint | undefined {
  if (typeof one === "number" && typeof other === "number") {
    const sum = one + other;
    // The usual case ends here: comparing a number with a bigint, as below, makes V8 discard its optimized code.
    if (Number.isSafeInteger(sum)) return sum;
  }
  const sum = BigInt(one) + BigInt(other);
  return sum > INT64_MAX || sum < INT64_MIN ? undefined : narrow(sum);
}

/** Parses an argument that must be a 64-bit integer. @throws CommandFailure */
export function integerArgument(bytes: ByteString): number | bigint {
  const value = parseInteger(bytes);
  if (value === undefined) throw notInteger();
  return value;
}

/**
 * Parses a 64-bit integer that is an index, a count or a time, for which rounding above 2⁵³ does not matter.
 * @throws CommandFailure
 */
export function indexArgument(bytes: ByteString): number {
  return Number(integerArgument(bytes));
}

/** Parses an argument that must be a 32-bit integer, such as a database number. @throws CommandFailure */
export function int32Argument(bytes: ByteString): number {
  const value = indexArgument(bytes);
  if (value > INT32_MAX || value < -INT32_MAX - 1) throw notInt32();
  return value;
}

/** Parses a 64-bit integer of at least `min`, for which rounding does not matter. @throws CommandFailure `failure()` */
export function integerFrom(min: number, bytes: ByteString, failure: () => CommandFailure): number {
  const value = parseInteger(bytes);
  if (value === undefined || value < min) throw failure();
  return Number(value);
}

/**
 * In this pattern and the next, digits match in only one way. If there were several ways, the engine would try all of
 * them, and a long argument that is not a number would take quadratic time.
 */
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
/** Number of hexadecimal digits that determine a double, except for halves. */
const HEX_DIGITS = 18;
/** Every double with up to 19 hexadecimal digits can be multiplied by 2 to plus or minus this power. */
const EXPONENT_STEP = 940;
/** Matches the sign, the digits before and after the point, and the exponent of 2. */
export const HEXADECIMAL = /^([+-]?)0x([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i;
/** Matches infinities, and their sign. */
export const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/**
 * Parses a double as C's `strtod` does, but without surrounding spaces; returns undefined if the bytes are invalid or
 * NaN.
 */
export function parseDouble(bytes: ByteString): number | undefined {
  if (DECIMAL.test(bytes)) return Number(bytes);
  const infinite = INFINITE.exec(bytes);
  if (infinite !== null) return infinite[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return parseHexDouble(bytes);
}

function parseHexDouble(bytes: ByteString): number | undefined {
  const [, sign, integer = "", fraction = "", power = "0"] = HEXADECIMAL.exec(bytes) ?? [];
  if (integer + fraction === "") return undefined;
  const digits = (integer + fraction).replace(/^0+/, "");

  // Further digits only decide whether half a unit is rounded up.
  const further = /[^0]/.test(digits.slice(HEX_DIGITS)) ? "1" : "0";
  const mantissa = Number.parseInt(`0${digits.slice(0, HEX_DIGITS)}${further}`, 16);
  const dropped = Math.max(0, digits.length - HEX_DIGITS) - 1;
  const exponent = Number(power) - 4 * fraction.length + 4 * dropped;

  // A power of 2 may be too large or too small for a double although the product is neither, hence two steps.
  const first = Math.max(-EXPONENT_STEP, Math.min(EXPONENT_STEP, exponent));
  const value = mantissa === 0 ? 0 : mantissa * 2 ** first * 2 ** (exponent - first);
  return sign === "-" ? -value : value;
}

/** Parses an argument that must be a double within range. @throws CommandFailure `failure()` if it is not */
export function doubleArgument(bytes: ByteString, failure: () => CommandFailure = notFloat): number {
  const value = parseDouble(bytes);
  if (value === undefined || isOutOfRange(value, bytes)) throw failure();
  return value;
}

/** Whether the conversion turned a finite number into infinity, or a nonzero one into 0. */
function isOutOfRange(value: number, bytes: ByteString): boolean {
  if (value === 0) return /^[+-]?(0x[.0]*[1-9a-f]|[.0]*[1-9])/i.test(bytes);
  return !Number.isFinite(value) && !/^[+-]?inf/i.test(bytes);
}
