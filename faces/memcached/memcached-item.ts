/** Items of memcached as strings of the database: their flags, their numbers for `cas`, and their expiry. */

import { createHash } from "node:crypto";
import type { Limits } from "../../daemon/options/limits.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { FLAGS_MAX } from "./bytes/request-words.js";

export interface Item {
  /** The 32-bit number that the client stores with the item. */
  readonly flags: number;
  readonly data: ByteString;
}

/** Begins a string that contains flags. The flags in decimal digits and a zero byte follow it. */
const FLAGS_MARK = "\0memcached ";
const STORED_FLAGS = new RegExp(`^${FLAGS_MARK}(\\d{1,10})\0`);
/** The maximum relative exptime in seconds; a greater one is a date. */
const RELATIVE_SECONDS_MAX = 30 * 24 * 60 * 60;

/** Returns the maximum length of an item's data. */
export function itemBytesMax({ maxRequestBytes, maxMemcachedItemBytes }: Limits): number {
  return Math.min(maxRequestBytes, maxMemcachedItemBytes - 1);
}

/**
 * Returns the string of the database that contains an item. Redis clients see the item's bytes unchanged. Flags other
 * than 0 precede the bytes, after a mark.
 */
export function stringOf({ flags, data }: Item): ByteString {
  return flags === 0 && !data.startsWith(FLAGS_MARK) ? data : `${FLAGS_MARK}${flags}\0${data}`;
}

/**
 * Returns the item that a string contains. Inverse of `stringOf`. Another client may have written the mark; flags of
 * more than 32 bits then belong to the data.
 */
export function itemOf(text: ByteString): Item {
  const [prefix, flags] = text.startsWith(FLAGS_MARK) ? (STORED_FLAGS.exec(text) ?? []) : [];
  return prefix === undefined || Number(flags) > FLAGS_MAX
    ? { flags: 0, data: text }
    : { flags: Number(flags), data: text.slice(prefix.length) };
}

/**
 * The number of bits of an item's number for `cas`. Memcached counts from 1, so clients whose integers are signed store
 * its numbers in 63 bits: PHP and Java cannot represent more.
 */
const CAS_UNIQUE_BITS = 63;

/**
 * Returns the number that `gets` sends and `cas` compares: a hash of the unit that last changed the key, which is the
 * same on all daemons. It is never 0, which in a request means that the item may have any number.
 */
export function casUniqueOf(writer: ByteString): bigint {
  const hash = createHash("sha256").update(writer, "latin1").digest().readBigUInt64BE(0);
  return BigInt.asUintN(CAS_UNIQUE_BITS, hash) || 1n;
}

/**
 * Returns the options of SET for an exptime.
 * @param now  milliseconds since 1970
 * @param withoutExpiry  the options for an item that does not expire
 */
export function expiryOf(
  exptime: number,
  now: number,
  withoutExpiry: readonly ByteString[],
): readonly ByteString[] {
  if (exptime === 0) return withoutExpiry;
  // A negative exptime, or a date in the past, expires the item immediately.
  return ["PXAT", String(exptime < 0 ? 1 : expiryDateOf(exptime, now))];
}

/** Returns the date of an exptime, in milliseconds since 1970. */
export function expiryDateOf(exptime: number, now: number): number {
  return exptime > RELATIVE_SECONDS_MAX ? exptime * 1000 : now + exptime * 1000;
}
