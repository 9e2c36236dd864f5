/**
 * Numbers as PHP has them: integers of 64 bits, doubles beyond, and strings that look like either. Source: php 8.2
 * (test/protocol/json/json-reader.test.ts asks it); docs/json-documents.md.
 */

/** `bigint`: an integer that no double holds for certain. */
export type PhpNumber = number | bigint;

export const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
/** No integer of 64 bits is further from 0. */
const INT64_MAGNITUDE = 2 ** 63;
const INTEGER = /^-?\d+$/;
/** Name of an array's member that PHP turns into an integer. */
const CANONICAL_INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;
const NUMERIC = /^[ \t\n\r\v\f]*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)[ \t\n\r\v\f]*$/;
/** Number of digits before the point from which on an exponent is written; maximum number of zeros after it. */
const FIXED_POINT_MAX = 17;
const FIXED_POINT_MIN = -3;

/** @param text  a number in JSON's grammar */
export function phpNumberOf(text: string): PhpNumber {
  const value = Number(text);
  if (!INTEGER.test(text)) return value;
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  // A string may have millions of digits; computing its exact value would block all clients.
  if (Math.abs(value) > INT64_MAGNITUDE) return value;
  const exact = BigInt(text);
  return exact < INT64_MIN || exact > INT64_MAX ? value : exact;
}

/** Whether an array's name is an integer to PHP. */
export function isPhpInteger(name: string): boolean {
  if (!CANONICAL_INTEGER.test(name)) return false;
  return name.length < 19 || typeof asInteger(name) === "bigint";
}

function asInteger(text: string): bigint | undefined {
  const exact = BigInt(text);
  return exact < INT64_MIN || exact > INT64_MAX ? undefined : exact;
}

/** Returns the number that a string looks like, ignoring surrounding blanks; undefined: it looks like none. */
export function phpNumeric(text: string): PhpNumber | undefined {
  const digits = NUMERIC.exec(text)?.[1];
  return digits === undefined ? undefined : phpNumberOf(digits.replace(/^\+/, ""));
}

/** The integer that a number is cut to; undefined: it has none. */
export function phpInteger(number: PhpNumber): bigint | undefined {
  if (typeof number === "bigint") return number;
  const cut = Math.trunc(number);
  return Number.isFinite(cut) ? asInteger(BigInt(cut).toString()) : undefined;
}

export function isSamePhpNumber(a: PhpNumber, b: PhpNumber): boolean {
  return typeof a === typeof b ? a === b : Number(a) === Number(b);
}

/** Writes a number as json_encode does: the fewest digits that identify it. */
export function formatPhpNumber(number: PhpNumber): string {
  if (typeof number === "bigint") return String(number);
  if (Object.is(number, -0)) return "-0";
  if (Number.isSafeInteger(number)) return String(number);
  const [mantissa, power] = number.toExponential().split("e") as [string, string];
  const exponent = Number(power);
  const point = exponent + 1;
  // JavaScript itself writes exponents only below 1e-6 and from 1e21 on.
  if (number === 0 || (point >= FIXED_POINT_MIN && point <= FIXED_POINT_MAX)) return String(number);
  const digits = mantissa.includes(".") ? mantissa : `${mantissa}.0`;
  return `${digits}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}
