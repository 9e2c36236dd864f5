/**
 * The sizes that V8 allocates for objects, strings and tables, and what estimates of values have in common.
 * test/daemon/store/commands/object.test.ts compares the estimates with the heap.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { isPackable, PACKED_ELEMENTS_MAX } from "./tables/packed-elements.js";

/** Number of bytes of a string without its characters. */
const STRING_HEAD = 16;
/** Number of bytes of a reference. */
export const REFERENCE = 8;
/** Number of bytes of a slot in a hash table, including its share of empty slots. */
export const TABLE_SLOT = 40;
/** The objects of an empty collection. */
const COLLECTION = 160;
/** Collections of at least this number of members also have a hash table. */
const TABLE_MEMBERS_MIN = 13;

/**
 * Returns the estimated bytes of a value, without its hash table.
 * @param samples  number of elements to sample; the estimate assumes that the remaining ones are similar
 * @param bytesOf  returns the bytes of the given number of first elements
 */
export function sampledBytes(size: number, samples: number, bytesOf: (count: number) => number): number {
  const sampled = Math.min(size, samples);
  return COLLECTION + Math.round((bytesOf(sampled) * size) / Math.max(sampled, 1));
}

/** Returns the bytes of a value's hash table. */
export function tableBytes(size: number): number {
  return size < TABLE_MEMBERS_MIN ? 0 : size * TABLE_SLOT;
}

/** @param all the number of texts in the collection: a few short ones are packed into one string */
export function namedBytes(texts: readonly ByteString[], all: number): number {
  if (all <= PACKED_ELEMENTS_MAX && texts.every(isPackable))
    return texts.reduce((bytes, { length }) => bytes + 1 + length, 0);
  return texts.length * REFERENCE + textBytes(texts);
}

export function textBytes(texts: readonly ByteString[]): number {
  return texts.reduce((bytes, text) => bytes + stringBytes(text), 0);
}

export function stringBytes({ length }: ByteString): number {
  return STRING_HEAD + Math.ceil(length / 8) * 8;
}
