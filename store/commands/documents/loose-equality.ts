/**
 * When two JSON values are the same to PHP 8's `==`, by which the original server finds entries and sees what an update
 * changes: `"1"`, `1`, `"01"` and `true` are. Source: php 8.2 (test/store/commands/documents/loose-equality.test.ts asks it).
 */
import {
  isContainer,
  type JsonContainer,
  JsonNumber,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../../protocol/json/json-value.js";
import {
  isSamePhpNumber,
  type PhpNumber,
  phpNumberOf,
  phpNumeric,
} from "../../../protocol/json/php-number.js";

export function isLooselyEqual(a: JsonValue, b: JsonValue): boolean {
  if (typeof a === "string" && typeof b === "string") return isSameText(a, b);
  if (typeof a === "boolean" || typeof b === "boolean") return isTrue(a) === isTrue(b);
  if (a === null) return typeof b === "string" ? b === "" : !isTrue(b);
  if (b === null) return typeof a === "string" ? a === "" : !isTrue(a);
  if (isContainer(a) || isContainer(b)) return isContainer(a) && isContainer(b) && isSameContainer(a, b);
  const [first, second] = [numberOf(a), numberOf(b)];
  return first !== undefined && second !== undefined && isSamePhpNumber(first, second);
}

/** What PHP takes for true. */
export function isTrue(value: JsonValue): boolean {
  if (value === null || typeof value === "boolean") return value === true;
  if (typeof value === "string") return value !== "" && value !== "0";
  if (value instanceof JsonNumber) return Number(value.text) !== 0;
  return memberValues(value).length > 0;
}

function numberOf(value: string | JsonNumber): PhpNumber | undefined {
  return typeof value === "string" ? phpNumeric(value) : phpNumberOf(value.text);
}

/** Two strings that look like numbers are compared as such, unless both are too large to be told apart. */
function isSameText(a: string, b: string): boolean {
  if (a === b) return true;
  const [first, second] = [phpNumeric(a), phpNumeric(b)];
  if (first === undefined || second === undefined || !isSamePhpNumber(first, second)) return false;
  return !(isTooLarge(a, first) && isTooLarge(b, second));
}

function isTooLarge(text: string, number: PhpNumber): boolean {
  if (typeof number === "bigint" || Number.isSafeInteger(number)) return false;
  return !Number.isFinite(number) || /^\s*[+-]?\d+\s*$/.test(text);
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
