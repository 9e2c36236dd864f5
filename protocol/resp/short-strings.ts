/**
 * Short byte strings that came lately. Clients name the same commands, keys and fields again and again: comparing some bytes
 * with a string that is there costs a fraction of making one, and leaves nothing to collect.
 */
import { type ByteString, bytesOf } from "../byte-string.js";

/** Longer strings are not shared: comparing them would cost as much as making them. */
const LENGTH_MAX = 32;
/** A power of two. When all are full they take about 30 KiB. */
const PLACES = 512;

export class ShortStrings {
  readonly #strings: ByteString[] = new Array(PLACES).fill("");

  /** The slot of what was looked for last. */
  #place = 0;

  /** Bytes of a buffer, from `start` up to `end`. */
  take(buffer: Buffer, start: number, end: number): ByteString {
    return this.find(buffer, start, end) ?? this.keep(bytesOf(buffer, start, end));
  }

  /** The same if they came lately; null: they did not, or are too long. */
  find(buffer: Buffer, start: number, end: number): ByteString | null {
    const length = end - start;
    this.#place = -1;
    if (length > LENGTH_MAX) return null;
    if (length === 0) return "";
    // Names mostly differ at their end.
    let hash = length;
    for (let at = end - 1; at >= start && at > end - 5; at--)
      hash = Math.imul(hash, 31) + (buffer[at] as number);
    const place = (hash ^ (hash >>> 9)) & (PLACES - 1);
    this.#place = place;
    const known = this.#strings[place] as ByteString;
    return known.length === length && isAt(known, buffer, start) ? known : null;
  }

  /** @param made  what was looked for last, and not found; a string of its own, no part of a longer one */
  keep(made: ByteString): ByteString {
    if (this.#place >= 0) this.#strings[this.#place] = made;
    return made;
  }
}

function isAt(bytes: ByteString, buffer: Buffer, start: number): boolean {
  for (let i = bytes.length - 1; i >= 0; i--) if (bytes.charCodeAt(i) !== buffer[start + i]) return false;
  return true;
}
