/**
 * Equality of JSON values as defined by PHP 8's `==`, by which the original server finds entries and detects changes:
 * `"1"`, `1`, `"01"` and `true` are equal. Source: php 8.2 (faces/json/test/store/commands/loose-equality.test.ts
 * compares with it).
 */
import {
  isContainer,
  type JsonContainer,
  JsonNumber,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../../../protocol/json/json-value.js";
import {
  INT64_MIN,
  isSamePhpNumber,
  type PhpNumber,
  phpNumberOf,
  phpNumeric,
} from "../../../../protocol/json/php-number.js";

const INTEGER_TEXT = /^\s*[+-]?\d+\s*$/;
/** Matches numbers that may exceed 64 bits: those with 20 digits or more, and integers of exactly 19 digits. */
const OVERFLOW = /^\s*[+-]?0*[1-9](?:\d{19}|\d{18}\s*$)/;
const SPACE_AT_END = /\s$/;

export function isLooselyEqual(a: JsonValue, b: JsonValue): boolean {
  if (typeof a === "string" && typeof b === "string") return isSameText(a, b);
  if (typeof a === "boolean" || typeof b === "boolean") return isTrue(a) === isTrue(b);
  if (a === null) return typeof b === "string" ? b === "" : !isTrue(b);
  if (b === null) return typeof a === "string" ? a === "" : !isTrue(a);
  if (isContainer(a) || isContainer(b)) return isContainer(a) && isContainer(b) && isSameContainer(a, b);
  const first = numberOf(a);
  const second = numberOf(b);
  return first !== undefined && second !== undefined && isSamePhpNumber(first, second);
}

/** Whether PHP considers a value true. */
export function isTrue(value: JsonValue): boolean {
  if (value === null || typeof value === "boolean") return value === true;
  if (typeof value === "string") return value !== "" && value !== "0";
  if (value instanceof JsonNumber) return Number(value.text) !== 0;
  return memberValues(value).length > 0;
}

function numberOf(value: string | JsonNumber): PhpNumber | undefined {
  if (typeof value !== "string") return phpNumberOf(value.text);
  const number = phpNumeric(value);
  // To find out whether 19 digits fit in 64 bits, PHP compares the string from the first digit to its end, including
  // spaces, with the digits of the smallest integer. The smallest integer with spaces after it is therefore read as a
  // double.
  return number === INT64_MIN && SPACE_AT_END.test(value) ? Number(number) : number;
}

/** Compares strings that look like numbers as numbers, except where PHP detects that doubles are not exact enough. */
function isSameText(a: string, b: string): boolean {
  if (a === b) return true;
  const first = numberOf(a);
  const second = numberOf(b);
  if (first === undefined || second === undefined || !isSamePhpNumber(first, second)) return false;
  if (!Number.isFinite(Number(first))) return false;
  const firstSign = overflowOf(a, first);
  const secondSign = overflowOf(b, second);
  if (firstSign === secondSign) return firstSign === 0;
  return !(firstSign === 0 ? INTEGER_TEXT.test(a) : secondSign === 0 && INTEGER_TEXT.test(b));
}

/**
 * Returns the sign of a string whose digits PHP reads as an integer of more than 64 bits, even if an exponent follows;
 * 0 for other strings.
 */
function overflowOf(text: string, number: PhpNumber): -1 | 0 | 1 {
  if (typeof number === "bigint" || !OVERFLOW.test(text)) return 0;
  return text.trimStart().startsWith("-") ? -1 : 1;
}

function isSameContainer(a: JsonContainer, b: JsonContainer): boolean {
  const names = memberNames(a);
  const values = memberValues(a);
  if (memberValues(b).length !== values.length) return false;
  return names.every((name, at) => {
    const other = memberOf(b, name);
    return other !== undefined && isLooselyEqual(values[at] as JsonValue, other);
  });
}
