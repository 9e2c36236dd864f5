/**
 * What Redis 7.0 would call the encoding of a value, by its default limits: of a value that is made anew with these
 * contents. A value with a past may have another one there (what was large once stays so), here it has not.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { parseInteger } from "./numbers.js";
import { Hash } from "./values/hash.js";
import { MemberSet } from "./values/member-set.js";
import { SortedSet } from "./values/sorted-set.js";
import { typeName, type Value } from "./values/value.js";

/** Redis's defaults of the settings of these names, and the longest string that it keeps beside its head. */
const EMBEDDED_BYTES_MAX = 44;
export const SET_MAX_INTSET_ENTRIES = 512;
export const HASH_MAX_LISTPACK_ENTRIES = 512;
export const ZSET_MAX_LISTPACK_ENTRIES = 128;
export const LISTPACK_VALUE_MAX = 64;
/** Integers from 0 to below it exist once, however many keys hold them. */
const SHARED_INTEGERS = 10_000;
const SHARED_REFERENCES = 2 ** 31 - 1;

export function encodingName(value: Value): string {
  if (typeof value === "string") return stringEncoding(value);
  if (value instanceof MemberSet) {
    const isSmall = value.size <= SET_MAX_INTSET_ENTRIES;
    return isSmall && value.members.every((member) => parseInteger(member) !== undefined)
      ? "intset"
      : "hashtable";
  }
  if (value instanceof Hash) {
    const isSmall = value.size <= HASH_MAX_LISTPACK_ENTRIES;
    return isSmall && value.fields.every(fits) && value.values.every(fits) ? "listpack" : "hashtable";
  }
  if (value instanceof SortedSet)
    return value.size <= ZSET_MAX_LISTPACK_ENTRIES && value.members.every(fits) ? "listpack" : "skiplist";
  const type = typeName(value);
  return type === "list" ? "quicklist" : type;
}

/** How many references Redis counts to a value of these contents. */
export function referenceCount(value: Value): number {
  const integer = typeof value === "string" ? parseInteger(value) : undefined;
  return integer !== undefined && integer >= 0 && integer < SHARED_INTEGERS ? SHARED_REFERENCES : 1;
}

function stringEncoding(bytes: ByteString): string {
  if (parseInteger(bytes) !== undefined) return "int";
  return bytes.length <= EMBEDDED_BYTES_MAX ? "embstr" : "raw";
}

function fits(bytes: ByteString): boolean {
  return bytes.length <= LISTPACK_VALUE_MAX;
}
