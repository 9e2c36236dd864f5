/** Texts as numbers, where a statement compares them with one, or calculates. Source: the original's rules, with numbers in full. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { numberOfText } from "./domain.js";

const TRUE = /^(?:true|yes|on|t|y)$/i;
const LEADING = /^\s*-?\d+(?:\.\d+)?/;

/** Returns the number that a text equals: the number that it writes, 1 if it says yes, else 0. */
export function numberForText(text: ByteString): number {
  return numberOfText(text) ?? (TRUE.test(text) ? 1 : 0);
}

/** Returns a text's value in arithmetic: the number at its beginning, otherwise as above. */
export function leadingNumber(text: ByteString): number {
  const [digits] = LEADING.exec(text) ?? [];
  const number = digits === undefined ? numberForText(text) : Number(digits);
  return Number.isFinite(number) ? number : 0;
}
