/**
 * The numbers that texts represent. Statements, bound values, comparisons, lists, indexes and limits all use this one
 * definition: digits with an optional sign, point and exponent, and possibly spaces around them. Source:
 * applyNumericAffinity of SQLite.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";

/** Matches a decimal number without a sign, as an English statement writes it. */
export const DECIMAL = String.raw`(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?`;

const SPACES = String.raw`[\t-\r ]*`;
const NUMBER = new RegExp(`^${SPACES}[+-]?${DECIMAL}${SPACES}$`, "i");
const AT_START = new RegExp(`^${SPACES}[+-]?${DECIMAL}`, "i");
const DIGITS_AT_START = new RegExp(`^${SPACES}[+-]?\\d+`);
/** Matches the beginning of a text with which a Malagasy statement calculates. */
const ORIGINAL_AT_START = new RegExp(String.raw`^${SPACES}-?\d+(?:\.\d+)?`);

const TRUE = /^(?:true|yes|on|t|y)$/i;

/**
 * Returns the number that a text represents, or undefined if the text is not a number. A number that is too large for a
 * double is infinite: it is compared with other numbers, but no column accepts it.
 */
export function numberOfText(text: ByteString): number | undefined {
  return NUMBER.test(text) ? Number(text) + 0 : undefined;
}

/** Returns the number at the beginning of a text, infinite if it is too large for a double; 0 if there is none. */
export function numberAtStart(text: ByteString): number {
  return Number(AT_START.exec(text)?.[0] ?? 0);
}

/**
 * Returns the digits at the beginning of a text as a number, without a fraction or an exponent; 0 if there are none.
 */
export function digitsAtStart(text: ByteString): number {
  return Number(DIGITS_AT_START.exec(text)?.[0] ?? 0);
}

/** Returns the number that a text equals in a Malagasy statement: its number, 1 if it means yes, otherwise 0. */
export function malagasyNumberOf(text: ByteString): number {
  return numberOfText(text) ?? (TRUE.test(text) ? 1 : 0);
}

/**
 * Returns a text's value in the arithmetic of a Malagasy statement, as in the original: the digits with which it
 * begins, without an exponent, or otherwise 1 if it means yes, or 0. The result may be infinite.
 */
export function malagasyNumberAtStart(text: ByteString): number {
  const [digits] = ORIGINAL_AT_START.exec(text) ?? [];
  return digits === undefined ? Number(TRUE.test(text)) : Number(digits);
}
