/**
 * Names the encoding that Redis 7.0 would use for a new value with these contents. In Redis an older
 * collection may have another encoding, because a collection that was once large keeps its encoding.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { parseInteger } from "../arguments/number-arguments.js";
import { Hash } from "../values/hash.js";
import { MemberSet } from "../values/member-set.js";
import { SortedSet } from "../values/sorted-set.js";
import { typeName, type Value } from "../values/value.js";

/**
 * The limits up to which Redis stores collections in a compact form. They affect only the reported names, not how this
 * store represents values.
 */
export interface EncodingLimits {
  readonly setIntsetEntries: number;
  readonly hashListpackEntries: number;
  /** Maximum number of bytes of a field or value. */
  readonly hashListpackValue: number;
  readonly zsetListpackEntries: number;
  /** Maximum number of bytes of a member. */
  readonly zsetListpackValue: number;
}

/** The default limits of Redis. */
export const ENCODING_LIMITS: EncodingLimits = {
  setIntsetEntries: 512,
  hashListpackEntries: 512,
  hashListpackValue: 64,
  zsetListpackEntries: 128,
  zsetListpackValue: 64,
};

/** Length of the longest string that Redis stores next to its header. */
export const EMBEDDED_BYTES_MAX = 44;
/** Redis shares one object for each integer from 0 up to, but not including, this number. */
const SHARED_INTEGERS = 10_000;
const SHARED_REFERENCES = 2 ** 31 - 1;

export function encodingName(value: Value, limits: EncodingLimits = ENCODING_LIMITS): string {
  if (typeof value === "string") return stringEncoding(value);
  if (value instanceof MemberSet) {
    const isSmall = value.size <= limits.setIntsetEntries;
    return isSmall && value.members.every((member) => parseInteger(member) !== undefined)
      ? "intset"
      : "hashtable";
  }

  if (value instanceof Hash) {
    const { hashListpackEntries, hashListpackValue } = limits;
    const isSmall = value.size <= hashListpackEntries;
    const fits = ({ length }: ByteString) => length <= hashListpackValue;
    return isSmall && value.fields.every(fits) && value.values.every(fits) ? "listpack" : "hashtable";
  }

  if (value instanceof SortedSet) {
    const { zsetListpackEntries, zsetListpackValue } = limits;
    const isSmall = value.size <= zsetListpackEntries;
    return isSmall && value.members.every(({ length }) => length <= zsetListpackValue)
      ? "listpack"
      : "skiplist";
  }

  const type = typeName(value);
  return type === "list" ? "quicklist" : type;
}

/** Whether Redis stores the value in one block of memory, as it does with small collections. */
export function isCompact(value: Value, limits?: EncodingLimits): boolean {
  const name = encodingName(value, limits);
  return name === "listpack" || name === "intset";
}

/** Returns the reference count that Redis would report for a value with these contents. */
export function referenceCount(value: Value): number {
  const integer = typeof value === "string" ? parseInteger(value) : undefined;
  return integer !== undefined && integer >= 0 && integer < SHARED_INTEGERS ? SHARED_REFERENCES : 1;
}

function stringEncoding(bytes: ByteString): string {
  if (parseInteger(bytes) !== undefined) return "int";
  return bytes.length <= EMBEDDED_BYTES_MAX ? "embstr" : "raw";
}
