/**
 * PHP's numbers: 64-bit integers, doubles beyond that range, and numeric strings. Source: PHP 8.2
 * (test/protocol/json/json-reader.test.ts compares with it); docs/json-documents.md.
 */

/** A number. A `bigint` is an integer that a double may not represent exactly. */
export type PhpNumber = number | bigint;

export const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
/** The maximum magnitude of a 64-bit integer. */
const INT64_MAGNITUDE = 2 ** 63;
const INTEGER = /^-?\d+$/;
/** Matches the name of an array's member that PHP converts to an integer. */
const CANONICAL_INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;
const SPACES = String.raw`[ \t\n\r\v\f]*`;
const BEGINNING = String.raw`^${SPACES}([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)`;
const NUMERIC = new RegExp(`${BEGINNING}${SPACES}$`);
const NUMERIC_AT_START = new RegExp(BEGINNING);
/** The limits of the decimal point's position within which no exponent is written. */
const FIXED_POINT_MAX = 17;
const FIXED_POINT_MIN = -3;

/** Returns the value of a number. @param text  a number in JSON's grammar */
export function phpNumberOf(text: string): PhpNumber {
  const value = Number(text);
  if (!INTEGER.test(text)) return value;
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  // A string may have millions of digits. Computing its exact value would block all clients.
  if (Math.abs(value) > INT64_MAGNITUDE) return value;
  const exact = BigInt(text);
  return exact < INT64_MIN || exact > INT64_MAX ? value : exact;
}

/** Whether PHP converts the name of an array's member to an integer. */
export function isPhpInteger(name: string): boolean {
  if (!CANONICAL_INTEGER.test(name)) return false;
  return name.length < 19 || typeof asInteger(name) === "bigint";
}

function asInteger(text: string): bigint | undefined {
  const exact = BigInt(text);
  return exact < INT64_MIN || exact > INT64_MAX ? undefined : exact;
}

/** Returns the value of a numeric string, ignoring surrounding spaces; undefined if the string is not numeric. */
export function phpNumeric(text: string): PhpNumber | undefined {
  const digits = NUMERIC.exec(text)?.[1];
  return digits === undefined ? undefined : phpNumberOf(digits.replace(/^\+/, ""));
}

/** Returns the integer to which PHP casts a string: that of the number at its beginning, or 0. */
export function phpIntegerOf(text: string): bigint {
  const digits = NUMERIC_AT_START.exec(text)?.[1] ?? "0";
  const number = phpNumberOf(digits.replace(/^\+/, ""));
  if (Math.abs(Number(number)) === Number.POSITIVE_INFINITY) return 0n;
  return phpInteger(number) ?? (number < 0 ? INT64_MIN : INT64_MAX);
}

/** Returns the truncated integer of a number; undefined if it is out of range. */
export function phpInteger(number: PhpNumber): bigint | undefined {
  if (typeof number === "bigint") return number;
  const integer = Math.trunc(number);
  return Number.isFinite(integer) ? asInteger(BigInt(integer).toString()) : undefined;
}

export function isSamePhpNumber(a: PhpNumber, b: PhpNumber): boolean {
  return typeof a === typeof b ? a === b : Number(a) === Number(b);
}

/** Writes a number like json_encode, with the fewest digits that identify it. */
export function formatPhpNumber(number: PhpNumber): string {
  if (typeof number === "bigint") return String(number);
  if (Object.is(number, -0)) return "-0";
  if (Number.isSafeInteger(number)) return String(number);
  const [mantissa, power] = number.toExponential().split("e") as [string, string];
  const exponent = Number(power);
  const point = exponent + 1;
  // JavaScript writes exponents only below 1e-6 and from 1e21.
  if (number === 0 || (point >= FIXED_POINT_MIN && point <= FIXED_POINT_MAX)) return String(number);
  const digits = mantissa.includes(".") ? mantissa : `${mantissa}.0`;
  return `${digits}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}
