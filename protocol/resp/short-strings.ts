/**
 * A cache of recently read short byte strings. Clients send the same commands, keys and fields repeatedly. Comparing a
 * few bytes with an existing string costs a fraction of creating a new one, and produces no garbage.
 */
import { type ByteString, bytesOf } from "../byte-string.js";

/** The maximum length of cached strings. Comparing longer ones would cost as much as creating them. */
const LENGTH_MAX = 32;
/** The number of slots, a power of two. If all are full, they need about 30 KiB. */
const SLOTS = 512;

export class ShortStrings {
  readonly #strings: ByteString[] = new Array(SLOTS).fill("");

  /** The slot of the last search. */
  #slot = 0;

  /** Returns the bytes of a buffer from `start` up to `end`. */
  take(buffer: Buffer, start: number, end: number): ByteString {
    return this.find(buffer, start, end) ?? this.store(bytesOf(buffer, start, end));
  }

  /** Returns these bytes if they are cached; null if they are not, or are too long. */
  find(buffer: Buffer, start: number, end: number): ByteString | null {
    const length = end - start;
    this.#slot = -1;
    if (length > LENGTH_MAX) return null;
    if (length === 0) return "";
    // The hash covers the last four bytes, because names usually differ at their end.
    let hash = length;
    for (let at = end - 1; at >= start && at > end - 5; at--)
      hash = Math.imul(hash, 31) + (buffer[at] as number);
    const slot = (hash ^ (hash >>> 9)) & (SLOTS - 1);
    this.#slot = slot;
    const known = this.#strings[slot] as ByteString;
    return known.length === length && isAt(known, buffer, start) ? known : null;
  }

  /**
   * Caches a string.
   * @param made  the string that the last search did not find; not a slice, which would retain the longer string
   */
  store(made: ByteString): ByteString {
    if (this.#slot >= 0) this.#strings[this.#slot] = made;
    return made;
  }
}

function isAt(bytes: ByteString, buffer: Buffer, start: number): boolean {
  for (let i = bytes.length - 1; i >= 0; i--) if (bytes.charCodeAt(i) !== buffer[start + i]) return false;
  return true;
}
