/**
 * MurmurHash2 in its 64-bit variant for 64-bit machines ("64A"), by Austin Appleby, public domain: the hash function of
 * sketches.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";

/** A mutable 64-bit number; `hi` and `lo` are its unsigned halves. */
export interface Word64 {
  hi: number;
  lo: number;
}

/** The multiplier 0xc6a4a7935bd1e995: its upper half, and its lower half in two parts of 16 bits. */
const MULTIPLIER_HI = 0xc6a4a793;
const MULTIPLIER_LO = 0x5bd1e995;
const MULTIPLIER_1 = MULTIPLIER_LO >>> 16;
const MULTIPLIER_0 = MULTIPLIER_LO & 0xffff;

const BLOCK_BYTES = 8;

export function murmurHash64A(bytes: ByteString, seed: number): Word64 {
  const hash: Word64 = { hi: 0, lo: bytes.length };
  multiply(hash);
  hash.lo = (hash.lo ^ seed) >>> 0;
  const blocksEnd = bytes.length - (bytes.length % BLOCK_BYTES);
  const block: Word64 = { hi: 0, lo: 0 };
  for (let at = 0; at < blocksEnd; at += BLOCK_BYTES) {
    block.lo = littleEndian(bytes, at, at + 4);
    block.hi = littleEndian(bytes, at + 4, at + 8);
    multiply(block);
    mix(block);
    multiply(block);
    xor(hash, block);
    multiply(hash);
  }

  if (blocksEnd < bytes.length) {
    block.lo = littleEndian(bytes, blocksEnd, Math.min(blocksEnd + 4, bytes.length));
    block.hi = littleEndian(bytes, blocksEnd + 4, bytes.length);
    xor(hash, block);
    multiply(hash);
  }

  mix(hash);
  multiply(hash);
  mix(hash);
  return hash;
}

function littleEndian(bytes: ByteString, from: number, to: number): number {
  let value = 0;
  for (let at = to - 1; at >= from; at--) value = (value << 8) | bytes.charCodeAt(at);
  return value >>> 0;
}

function xor(word: Word64, other: Word64): void {
  word.hi = (word.hi ^ other.hi) >>> 0;
  word.lo = (word.lo ^ other.lo) >>> 0;
}

/** `word ^= word >> 47` */
function mix(word: Word64): void {
  word.lo = (word.lo ^ (word.hi >>> 15)) >>> 0;
}

/** Multiplies by the multiplier, modulo 2⁶⁴. */
function multiply(word: Word64): void {
  const { hi, lo } = word;
  const lo1 = lo >>> 16;
  const lo0 = lo & 0xffff;
  const low = lo0 * MULTIPLIER_0;
  const one = lo0 * MULTIPLIER_1;
  const other = lo1 * MULTIPLIER_0;
  const middle = (low >>> 16) + (one & 0xffff) + (other & 0xffff);
  const carried = lo1 * MULTIPLIER_1 + (one >>> 16) + (other >>> 16) + (middle >>> 16);
  word.lo = ((middle << 16) | (low & 0xffff)) >>> 0;
  word.hi = (carried + Math.imul(lo, MULTIPLIER_HI) + Math.imul(hi, MULTIPLIER_LO)) >>> 0;
}
