/**
 * Short byte strings that came lately. Clients name the same commands, keys and fields again and again: comparing some bytes
 * with a string that is there costs a fraction of making one, and leaves nothing to collect.
 */
import { type ByteString, bytesOf } from "./byte-string.js";

/** Longer ones are made anew: comparing them would cost as much. */
const LENGTH_MAX = 32;
/** A power of two. All of them full are some 30 KiB. */
const PLACES = 512;

export class ShortStrings {
  readonly #strings: ByteString[] = new Array(PLACES).fill("");

  /** Bytes of a buffer, from `start` up to `end`. */
  take(buffer: Buffer, start: number, end: number): ByteString {
    const length = end - start;
    if (length > LENGTH_MAX) return bytesOf(buffer, start, end);
    if (length === 0) return "";
    // What differs between names mostly stands at their end.
    let hash = length;
    for (let at = end - 1; at >= start && at > end - 5; at--)
      hash = Math.imul(hash, 31) + (buffer[at] as number);
    const place = (hash ^ (hash >>> 9)) & (PLACES - 1);
    const known = this.#strings[place] as ByteString;
    if (known.length === length && isAt(known, buffer, start)) return known;
    const made = bytesOf(buffer, start, end);
    this.#strings[place] = made;
    return made;
  }
}

function isAt(bytes: ByteString, buffer: Buffer, start: number): boolean {
  for (let i = bytes.length - 1; i >= 0; i--) if (bytes.charCodeAt(i) !== buffer[start + i]) return false;
  return true;
}
