/**
 * Bits and bit fields in a string, as if infinitely many zeros followed it. Bit 0 is the highest bit of the first byte.
 * Source: redis-server 7.0, test/conformance.
 */

import type { ByteString } from "../../../../../protocol/byte-string.js";

export type Bit = 0 | 1;

/** Number of bits of each byte that are 1. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);

/** Returns the byte at an index, or 0 after the end. */
function byteAt(bytes: ByteString, index: number): number {
  return index < bytes.length ? bytes.charCodeAt(index) : 0;
}

export function bitAt(bytes: ByteString, index: number): Bit {
  return ((byteAt(bytes, Math.floor(index / 8)) >> (7 - (index % 8))) & 1) as Bit;
}

/** Returns the byte that contains a bit, with that bit set to the given value. */
export function byteWith(bytes: ByteString, index: number, value: Bit): ByteString {
  const mask = 0x80 >> (index % 8);
  const byte = byteAt(bytes, Math.floor(index / 8));
  return String.fromCharCode(value === 1 ? byte | mask : byte & ~mask);
}

/** Ranges of fewer bytes are read byte by byte; longer ranges are read in words, which is faster. */
const SHORT_BYTES = 64;

/** Counts the bits `from` ≤ index < `to` that are 1. The range must not extend after the end. */
export function countOnes(bytes: ByteString, from: number, to: number): number {
  if (from >= to) return 0;
  const first = Math.floor(from / 8);
  const last = Math.floor((to - 1) / 8);
  const count = onesOf(bytes, first, last + 1);
  const before = bytes.charCodeAt(first) & ~(0xff >> (from % 8));
  const after = bytes.charCodeAt(last) & (0xff >> (((to - 1) % 8) + 1));
  return count - ONES[before]! - ONES[after]!;
}

/** Counts the bits that are 1 in the bytes `start` ≤ index < `end`. */
function onesOf(bytes: ByteString, start: number, end: number): number {
  let count = 0;
  if (end - start < SHORT_BYTES) {
    for (let index = start; index < end; index++) count += ONES[bytes.charCodeAt(index)]!;
    return count;
  }
  for (let index = start; index < end; index += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES, end - index);
    count += onesOfWords(wordsFrom(bytes, index, length), wordsIn(length));
  }
  return count;
}

/** Number of words whose bytewise sums fit in a byte: each word adds at most 8 to a byte. */
const WORDS_PER_SUM = 31;

/**
 * Counts the bits that are 1 by adding within pairs, then within groups of four, then within bytes. Source: Warren,
 * "Hacker's Delight", 5-1.
 */
function onesOfWords(words: Int32Array, length: number): number {
  let count = 0;
  for (let index = 0; index < length; ) {
    const end = Math.min(length, index + WORDS_PER_SUM);
    let sums = 0;
    for (; index < end; index++) {
      let word = words[index]!;
      word = (word - ((word >>> 1) & 0x55555555)) | 0;
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
      sums = (sums + ((word + (word >>> 4)) & 0x0f0f0f0f)) | 0;
    }
    const halves = (sums & 0x00ff00ff) + ((sums >>> 8) & 0x00ff00ff);
    count += (halves & 0xffff) + (halves >>> 16);
  }

  return count;
}

/**
 * Returns the index of the first bit that has the given value, `from` ≤ index < `to`, or -1 if there is none. The range
 * must not extend after the end.
 */
export function findBit(bytes: ByteString, value: Bit, from: number, to: number): number {
  const near = Math.min(to, (Math.ceil(from / 8) + SHORT_BYTES) * 8);
  const index = findNear(bytes, value, from, near);
  if (index >= 0 || near === to) return index;
  return findNear(bytes, value, 8 * pass(bytes, value, near / 8, Math.floor(to / 8)), to);
}

function findNear(bytes: ByteString, value: Bit, from: number, to: number): number {
  const without = value === 1 ? 0 : 0xff;
  let index = from;
  while (index < to) {
    if (index % 8 === 0 && bytes.charCodeAt(index / 8) === without) index += 8;
    else if (bitAt(bytes, index) === value) return index;
    else index++;
  }
  return -1;
}

/**
 * Searches the bytes `start` ≤ index < `end` word by word. Returns the index at which the first word begins that may
 * contain a bit with the given value, or `end` if there is no such word.
 */
function pass(bytes: ByteString, value: Bit, start: number, end: number): number {
  const without = value === 1 ? 0 : -1;
  for (let index = start; index < end; index += BLOCK_BYTES) {
    const bytesHere = Math.min(BLOCK_BYTES, end - index);
    const words = wordsFrom(bytes, index, bytesHere);
    for (let i = 0; i < wordsIn(bytesHere); i++) if (words[i] !== without) return index + i * WORD_BYTES;
  }
  return end;
}

/** Returns an unsigned integer of 1 to 64 bits, whose highest bit is at `index`. */
export function readField(bytes: ByteString, index: number, bits: number): bigint {
  const first = Math.floor(index / 8);
  const last = Math.floor((index + bits - 1) / 8);
  let value = 0n;
  for (let i = first; i <= last; i++) value = (value << 8n) | BigInt(byteAt(bytes, i));
  return BigInt.asUintN(bits, value >> BigInt(8 * (last + 1) - index - bits));
}

/**
 * Returns the bytes that contain a field of 1 to 64 bits, with the field set to the lowest bits of an integer. The
 * field's highest bit is at `index`; the bits around the field do not change.
 */
export function bytesWithField(bytes: ByteString, index: number, bits: number, value: bigint): ByteString {
  const first = Math.floor(index / 8);
  const last = Math.floor((index + bits - 1) / 8);
  const width = 8 * (last - first + 1);
  const shift = BigInt(8 * (last + 1) - index - bits);
  const around = readField(bytes, first * 8, Math.min(width, 64)) << BigInt(Math.max(0, width - 64));
  // A field can span nine bytes, in which case the last byte is read separately.
  const old = width > 64 ? around | BigInt(byteAt(bytes, last)) : around;
  const mask = BigInt.asUintN(bits, -1n) << shift;
  const changed = (old & ~mask) | (BigInt.asUintN(bits, value) << shift);
  let result = "";
  for (let shift = width - 8; shift >= 0; shift -= 8) {
    result += String.fromCharCode(Number((changed >> BigInt(shift)) & 0xffn));
  }

  return result;
}

export const WORD_BYTES = 4;
/**
 * Number of bytes of a block: a multiple of the word size, small enough that the block and the result fit into the
 * processor's first-level cache.
 */
export const BLOCK_BYTES = 16 * 1024;

const block = Buffer.from(new ArrayBuffer(BLOCK_BYTES));
const words = new Int32Array(block.buffer);

/**
 * Returns the 32-bit words that begin at the given byte, in the machine's byte order; the words after the end of the
 * string are 0. Reading a long string byte by byte takes ten times as long.
 * @param bytes the number of bytes, at most a block
 * @returns the same array on every call; only the requested words of it are valid
 */
export function wordsFrom(string: ByteString, start: number, bytes: number): Int32Array {
  const end = Math.min(string.length, start + bytes);
  const written = end > start ? block.write(string.substring(start, end), "latin1") : 0;
  block.fill(0, written, wordsIn(bytes) * WORD_BYTES);
  return words;
}

/** Returns the number of words for the given number of bytes; the last word may be incomplete. */
export const wordsIn = (bytes: number): number => Math.ceil(bytes / WORD_BYTES);

/**
 * Returns a new buffer for a string, and the same memory as words, filled with zeros.
 * @param bytes the string's length; the buffer may be slightly longer
 */
export function newWords(bytes: number): { readonly buffer: Buffer; readonly words: Int32Array } {
  const memory = new ArrayBuffer(wordsIn(bytes) * WORD_BYTES);
  return { buffer: Buffer.from(memory), words: new Int32Array(memory) };
}
