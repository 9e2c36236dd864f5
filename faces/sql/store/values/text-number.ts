/**
 * Converts texts to numbers where a statement compares a text with a number or calculates with it. The rules are those
 * of the original implementation of statements, but numbers have full precision.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { numberOfText } from "./domain.js";

const TRUE = /^(?:true|yes|on|t|y)$/i;
const LEADING = /^\s*-?\d+(?:\.\d+)?/;

/** Returns the number that a text equals: the number that it represents, 1 if it means yes, otherwise 0. */
export function numberForText(text: ByteString): number {
  return numberOfText(text) ?? (TRUE.test(text) ? 1 : 0);
}

/** Returns a text's value in arithmetic: the number at its beginning, or otherwise the number that it equals. */
export function leadingNumber(text: ByteString): number {
  const [digits] = LEADING.exec(text) ?? [];
  const number = digits === undefined ? numberForText(text) : Number(digits);
  return Number.isFinite(number) ? number : 0;
}
