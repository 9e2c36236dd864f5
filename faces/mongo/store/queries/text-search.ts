/**
 * Searches for a part of a text in linear time. V8's `indexOf` takes time proportional to the product of both lengths
 * for texts that repeat themselves.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";

/** Maximum product of two lengths for which V8's search is used. */
const PRODUCT_MAX = 1 << 20;

/** Returns the index of the first occurrence of a part at or after `from`; -1 if there is none. */
export function indexOfPart(text: ByteString, part: ByteString, from = 0): number {
  if (text.length * part.length <= PRODUCT_MAX) return text.indexOf(part, from);
  for (const at of occurrences(text, part, from)) return at;
  return -1;
}

/** Returns the indexes of all occurrences that do not overlap, by the method of Knuth, Morris and Pratt. */
export function* occurrences(text: ByteString, part: ByteString, from = 0): Generator<number> {
  if (text.length * part.length <= PRODUCT_MAX) return yield* shortOccurrences(text, part, from);
  const borders = bordersOf(part);
  let equal = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    while (equal > 0 && part.charCodeAt(equal) !== code) equal = borders[equal - 1] as number;
    if (part.charCodeAt(equal) === code) equal++;
    if (equal < part.length) continue;
    yield at + 1 - equal;
    equal = 0;
  }
}

function* shortOccurrences(text: ByteString, part: ByteString, from: number): Generator<number> {
  for (let at = text.indexOf(part, from); at >= 0; at = text.indexOf(part, at + part.length)) yield at;
}

/** Returns, for each beginning of a text, the length of its longest proper beginning that is also its end. */
function bordersOf(part: ByteString): Int32Array {
  const borders = new Int32Array(part.length);
  for (let at = 1, equal = 0; at < part.length; at++) {
    const code = part.charCodeAt(at);
    while (equal > 0 && part.charCodeAt(equal) !== code) equal = borders[equal - 1] as number;
    if (part.charCodeAt(equal) === code) equal++;
    borders[at] = equal;
  }
  return borders;
}
