/**
 * Bits and bit fields within a string, which is taken to go on with zeros for ever. Bit 0 is the highest of the first
 * byte. Source: redis-server 7.0, test/conformance.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { BLOCK_BYTES, WORD_BYTES, wordsFrom, wordsIn } from "../../arguments/words.js";

export type Bit = 0 | 1;

/** Number of bits of each byte that are 1. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);

/** The byte at a place, 0 beyond the end. */
function byteAt(bytes: ByteString, place: number): number {
  return place < bytes.length ? bytes.charCodeAt(place) : 0;
}

export function bitAt(bytes: ByteString, place: number): Bit {
  return ((byteAt(bytes, Math.floor(place / 8)) >> (7 - (place % 8))) & 1) as Bit;
}

/** The byte of a bit's place with that bit set to a value. */
export function byteWith(bytes: ByteString, place: number, value: Bit): ByteString {
  const mask = 0x80 >> (place % 8);
  const byte = byteAt(bytes, Math.floor(place / 8));
  return String.fromCharCode(value === 1 ? byte | mask : byte & ~mask);
}

/** Fewer bytes than this are looked at one by one: words are worth it above. */
const SHORT_BYTES = 64;

/** Counts the bits `from` ≤ index < `to` that are 1; none is beyond the end. */
export function countOnes(bytes: ByteString, from: number, to: number): number {
  if (from >= to) return 0;
  const first = Math.floor(from / 8);
  const last = Math.floor((to - 1) / 8);
  const count = onesOf(bytes, first, last + 1);
  const before = bytes.charCodeAt(first) & ~(0xff >> (from % 8));
  const after = bytes.charCodeAt(last) & (0xff >> (((to - 1) % 8) + 1));
  return count - ONES[before]! - ONES[after]!;
}

/** Counts them in the bytes `start` ≤ index < `end`. */
function onesOf(bytes: ByteString, start: number, end: number): number {
  let count = 0;
  if (end - start < SHORT_BYTES) {
    for (let place = start; place < end; place++) count += ONES[bytes.charCodeAt(place)]!;
    return count;
  }
  for (let place = start; place < end; place += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES, end - place);
    count += onesOfWords(wordsFrom(bytes, place, length), wordsIn(length));
  }
  return count;
}

/** Words whose sums of four bytes fit four bytes: each adds 8 to a byte at most. */
const WORDS_A_SUM = 31;

/** Source: Warren, "Hacker's Delight", 5-1: bits are added up within pairs, these within fours, these within bytes. */
function onesOfWords(words: Int32Array, length: number): number {
  let count = 0;
  for (let place = 0; place < length; ) {
    const end = Math.min(length, place + WORDS_A_SUM);
    let sums = 0;
    for (; place < end; place++) {
      let word = words[place]!;
      word = (word - ((word >>> 1) & 0x55555555)) | 0;
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
      sums = (sums + ((word + (word >>> 4)) & 0x0f0f0f0f)) | 0;
    }
    const halves = (sums & 0x00ff00ff) + ((sums >>> 8) & 0x00ff00ff);
    count += (halves & 0xffff) + (halves >>> 16);
  }
  return count;
}

/** The place of the first bit of a value, `from` ≤ place < `to`; -1: there is none. No bit lies beyond the end. */
export function findBit(bytes: ByteString, value: Bit, from: number, to: number): number {
  const near = Math.min(to, (Math.ceil(from / 8) + SHORT_BYTES) * 8);
  const found = findNear(bytes, value, from, near);
  if (found >= 0 || near === to) return found;
  return findNear(bytes, value, 8 * pass(bytes, value, near / 8, Math.floor(to / 8)), to);
}

function findNear(bytes: ByteString, value: Bit, from: number, to: number): number {
  const without = value === 1 ? 0 : 0xff;
  let place = from;
  while (place < to) {
    if (place % 8 === 0 && bytes.charCodeAt(place / 8) === without) place += 8;
    else if (bitAt(bytes, place) === value) return place;
    else place++;
  }
  return -1;
}

/** Returns the beginning of the first word in the bytes `start` ≤ index < `end` that may have a bit of the value; `end`: there is none. */
function pass(bytes: ByteString, value: Bit, start: number, end: number): number {
  const without = value === 1 ? 0 : -1;
  for (let place = start; place < end; place += BLOCK_BYTES) {
    const bytesHere = Math.min(BLOCK_BYTES, end - place);
    const words = wordsFrom(bytes, place, bytesHere);
    for (let i = 0; i < wordsIn(bytesHere); i++) if (words[i] !== without) return place + i * WORD_BYTES;
  }
  return end;
}

/** An unsigned integer of 1 to 64 bits, the highest at `place`. */
export function readField(bytes: ByteString, place: number, bits: number): bigint {
  const first = Math.floor(place / 8);
  const last = Math.floor((place + bits - 1) / 8);
  let value = 0n;
  for (let i = first; i <= last; i++) value = (value << 8n) | BigInt(byteAt(bytes, i));
  return BigInt.asUintN(bits, value >> BigInt(8 * (last + 1) - place - bits));
}

/** The bytes that hold an integer's lowest 1 to 64 bits, the highest at `place`; the bits around it stay. */
export function bytesWithField(bytes: ByteString, place: number, bits: number, value: bigint): ByteString {
  const first = Math.floor(place / 8);
  const last = Math.floor((place + bits - 1) / 8);
  const width = 8 * (last - first + 1);
  const shift = BigInt(8 * (last + 1) - place - bits);
  const around = readField(bytes, first * 8, Math.min(width, 64)) << BigInt(Math.max(0, width - 64));
  // Nine bytes are more than a field can have: the last one is read by itself.
  const old = width > 64 ? around | BigInt(byteAt(bytes, last)) : around;
  const mask = BigInt.asUintN(bits, -1n) << shift;
  const changed = (old & ~mask) | (BigInt.asUintN(bits, value) << shift);
  let result = "";
  for (let left = width - 8; left >= 0; left -= 8) {
    result += String.fromCharCode(Number((changed >> BigInt(left)) & 0xffn));
  }
  return result;
}
