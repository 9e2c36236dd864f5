/**
 * The hash of a name: 32 bits, well mixed, from a seed that others do not know, so that nobody can choose names that
 * collide. It decides where a name stands in a table and nothing else: no result ever depends on it.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Of longer names only so many bytes and the length count. */
const HASHED_BYTES_MAX = 16_384;

let seed = 0x2545f491;
let isUsed = false;
/** Handlers ask for the same name again and again. */
let lastName: ByteString = "";
let lastHash = 0;

/** Chooses the seed of this process, before the first name is hashed. @param value  32 bits nobody can guess */
export function seedNameHash(value: number): void {
  if (isUsed) throw new Error("names have been hashed with another seed");
  seed = value | 0;
}

/** A signed 32-bit number; both its highest and its lowest bits are fit to choose a place. */
export function hashOfName(name: ByteString): number {
  if (isUsed && name === lastName) return lastHash;
  isUsed = true;
  const length = Math.min(name.length, HASHED_BYTES_MAX);
  let hash = seed ^ Math.imul(name.length, 0x9e3779b1);
  for (let i = 0; i < length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  lastName = name;
  lastHash = hash ^ (hash >>> 15);
  return lastHash;
}
