/**
 * The hash of a name: 32 bits, keyed with 64 bits that clients do not know, so that no client can choose names that
 * collide. It determines the position of a name in a table and the order of scans. Clients see the order of scans and
 * the cursors, but must not be able to derive the key from them. No result of a write depends on it. Source: Aumasson
 * and Bernstein, "SipHash: a fast short-input PRF", 2012; HalfSipHash, its variant for 32-bit words, with one round for
 * each word and three at the end, as in the hash tables of other languages.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";

/** Maximum number of bytes of a name that are hashed, in addition to its length. The number is a multiple of 4. */
const HASHED_BYTES_MAX = 16_384;
const CURSOR_TAG_BITS = 20;

let key0 = 0x2545f491;
let key1 = 0x6d0f27bd;
let isUsed = false;
/** The last name is cached with its hash, because handlers hash the same name several times in a row. */
let lastName: ByteString = "";
let lastHash = 0;

/** Sets this process's key, 64 random bits. Must be called before the first name is hashed. */
export function seedNameHash(low: number, high: number): void {
  if (isUsed) throw new Error("names have been hashed with another seed");
  key0 = low | 0;
  key1 = high | 0;
}

/** Returns a signed 32-bit number; both its highest and its lowest bits are suitable for a table. */
export function hashOfName(name: ByteString): number {
  if (isUsed && name === lastName) return lastHash;
  isUsed = true;
  lastHash = halfSipHash(name);
  lastName = name;
  return lastHash;
}

/** Returns a number from 1 to 2^20 - 1 that differs between processes; scans mark their cursors with it. */
export function cursorTag(): number {
  return hashOfName("") >>> (32 - CURSOR_TAG_BITS) || 1;
}

function halfSipHash(name: ByteString): number {
  let v0 = key0;
  let v1 = key1;
  let v2 = 0x6c796765 ^ key0;
  let v3 = 0x74656462 ^ key1;
  const end = Math.min(name.length, HASHED_BYTES_MAX) & ~3;
  for (let at = 0; at < end; at += 4) {
    const word = wordAt(name, at);
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }

  const last = lastWord(name, end);
  v3 ^= last;

  // The round of the last word and three final rounds share one loop body: a separate copy of the code would take twice
  // as long.
  for (let round = 0; round < 4; round++) {
    if (round === 1) {
      v0 ^= last;
      v2 ^= 0xff;
    }

    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }

  return v1 ^ v3;
}

function wordAt(name: ByteString, at: number): number {
  return (
    name.charCodeAt(at) |
    (name.charCodeAt(at + 1) << 8) |
    (name.charCodeAt(at + 2) << 16) |
    (name.charCodeAt(at + 3) << 24)
  );
}

/** Returns the last word: the remaining bytes, the length's low byte as in SipHash, and its higher bytes. */
function lastWord(name: ByteString, at: number): number {
  const { length } = name;
  let word = (length << 24) ^ (length >>> 8);
  if (length > HASHED_BYTES_MAX) return word;
  for (let i = at; i < length; i++) word ^= name.charCodeAt(i) << (8 * (i - at));
  return word;
}
