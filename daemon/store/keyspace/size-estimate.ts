/** Estimates the memory of a key with its value. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { REFERENCE, stringBytes, TABLE_SLOT } from "../values/memory-estimate.js";
import type { Value } from "../values/value.js";
import { NO_EXPIRY } from "./keyspace.js";

/** A key's record, and its slots in the list of keys and in the table. */
const ENTRY = 64 + REFERENCE + TABLE_SLOT;
/** The time and the key in the expiry queue, and the time in the record. */
const EXPIRY = 3 * 16;

/**
 * Returns the estimated bytes of a key and its value.
 * @param samples number of elements to sample; the estimate assumes that the remaining ones are similar
 */
export function estimatedBytes(key: ByteString, value: Value, expire: number, samples: number): number {
  const bytes = typeof value === "string" ? stringBytes(value) : value.estimatedBytes(samples);
  return stringBytes(key) + ENTRY + (expire === NO_EXPIRY ? 0 : EXPIRY) + bytes;
}
