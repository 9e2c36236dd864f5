/**
 * The hash of a digest (see canonical-state.ts), which selects the elements and the bytes that a digest covers, by its
 * salt.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Maximum number of bytes of a string to sample. */
const BYTES_MAX = 65_536;
/** Maximum number of elements of any other value to sample. */
const ELEMENTS_MAX = 1024;
/**
 * Approximate number of bytes of all sampled elements. Each element contributes an equal share, or its full length if
 * that is shorter. The number is limited because a digest is computed in one step.
 */
const VALUE_BYTES_MAX = 2 ** 20;
const ELEMENT_BYTES_MIN = 1024;

/** A 64-bit number as two unsigned halves. */
export interface Digest64 {
  readonly high: number;
  readonly low: number;
}

/** Returns the offset of the part that a salt selects. */
const partOf = (size: number, max: number, salt: number) =>
  size <= max ? 0 : (salt % Math.ceil(size / max)) * max;

/** A hash with two lanes of 32 bits. */
export class DigestMix {
  #one: number;
  #other: number;
  /**
   * Selects the sampled part of each long element. It is mixed from the salt: if the salt itself selected both the
   * sampled elements and their parts, the part of an element would depend on which elements are sampled.
   */
  readonly #elementSalt: number;
  #elementBytes = BYTES_MAX;
  readonly salt: number;
  /** The elements of a value that the salt selects: `from` ≤ index < `to`. */
  from = 0;
  to = 0;

  constructor(salt: number) {
    this.salt = salt;
    this.#elementSalt = Math.imul(salt, 0x9e3779b1) >>> 16;
    this.#one = Math.imul(salt, 0x9e3779b1) ^ 0x2545f491;
    this.#other = Math.imul(salt, 0x85ebca6b) ^ 0x735a2d97;
  }

  /** Adds a text with its length, so that two texts and their concatenation have different digests. */
  text(bytes: ByteString): void {
    let one = this.#one ^ bytes.length;
    let other = this.#other;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes.charCodeAt(i);
      one = Math.imul(one ^ byte, 0x5bd1e995);
      one ^= one >>> 15;
      other = Math.imul((other << 5) ^ (other >>> 27) ^ byte, 0x27d4eb2f);
    }
    this.#one = Math.imul(one, 0x21f0aaad);
    this.#other = Math.imul(other ^ bytes.length, 0x9e3779b1);
  }

  /** Adds a string or, if it is long, the part of it that the salt selects. */
  string(bytes: ByteString): void {
    this.number(bytes.length);
    const from = partOf(bytes.length, BYTES_MAX, this.salt);
    this.text(bytes.length <= BYTES_MAX ? bytes : bytes.slice(from, from + BYTES_MAX));
  }

  /** Begins a value with the given number of elements, and selects those that its digest covers. */
  begin(size: number): void {
    this.number(size);
    this.#elementBytes = Math.max(
      ELEMENT_BYTES_MIN,
      Math.floor(VALUE_BYTES_MAX / Math.min(size, ELEMENTS_MAX)),
    );
    this.from = partOf(size, ELEMENTS_MAX, this.salt);
    this.to = Math.min(size, this.from + ELEMENTS_MAX);
  }

  /** Yields the first elements of a value that cannot begin at any index, as many as a digest covers. */
  *first<T>(items: Iterable<T>): Generator<T> {
    let remaining = ELEMENTS_MAX;
    for (const item of items) {
      if (remaining-- === 0) return;
      yield item;
    }
  }

  /** Adds an element or, if the element is long, the part of it that the salt selects. */
  part(bytes: ByteString): void {
    const max = this.#elementBytes;
    if (bytes.length <= max) {
      this.text(bytes);
      return;
    }
    const from = partOf(bytes.length, max, this.#elementSalt);
    this.number(bytes.length);
    this.text(bytes.slice(from, from + max));
  }

  /** Adds an integer below 2⁵³. */
  number(value: number): void {
    const high = Math.floor(value / 2 ** 32);
    this.#one = Math.imul(this.#one ^ value ^ (this.#one >>> 15), 0x5bd1e995) ^ high;
    this.#other = Math.imul((this.#other << 5) ^ (this.#other >>> 27) ^ value, 0x27d4eb2f) + high;
  }

  get digest(): Digest64 {
    return { high: finished(this.#one), low: finished(this.#other ^ this.#one) };
  }
}

function finished(lane: number): number {
  let hash = Math.imul(lane ^ (lane >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return (hash ^ (hash >>> 15)) >>> 0;
}
