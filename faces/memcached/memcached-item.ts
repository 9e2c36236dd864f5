/**
 * Converts between memcached's items and strings of the database. Redis clients see an item's bytes unchanged. Flags
 * other than 0 precede the bytes, after a mark.
 */
import { createHash } from "node:crypto";
import type { Limits } from "../../daemon/options/limits.js";
import type { ByteString } from "../../protocol/byte-string.js";

export interface Item {
  /** The 32-bit number that the client stores with the item. */
  readonly flags: number;
  readonly data: ByteString;
}

const MARK = "\0memcached ";
const MARKED = new RegExp(`^${MARK}(\\d{1,10})\0`);
/** The maximum relative exptime in seconds; a greater one is a date. */
const RELATIVE_SECONDS_MAX = 30 * 24 * 60 * 60;

/** Returns the maximum length of an item's data. */
export function itemBytesMax({ maxRequestBytes, maxMemcachedItemBytes }: Limits): number {
  return Math.min(maxRequestBytes, maxMemcachedItemBytes - 1);
}

export function stringOf({ flags, data }: Item): ByteString {
  return flags === 0 && !data.startsWith(MARK) ? data : `${MARK}${flags}\0${data}`;
}

/** Returns the item that a string contains. Inverse of `stringOf`. */
export function itemOf(text: ByteString): Item {
  const [head, flags] = text.startsWith(MARK) ? (MARKED.exec(text) ?? []) : [];
  return head === undefined
    ? { flags: 0, data: text }
    : { flags: Number(flags), data: text.slice(head.length) };
}

/** Returns the 64 bits that `gets` sends and `cas` compares: a hash of the unit that last changed the key. */
export function uniqueOf(writer: ByteString): bigint {
  return createHash("sha256").update(writer, "latin1").digest().readBigUInt64BE(0);
}

/**
 * Returns the options of SET for an exptime. @param now  milliseconds since 1970 @param lasting  the options for an
 * item that does not expire
 */
export function expiryOf(
  exptime: number,
  now: number,
  lasting: readonly ByteString[],
): readonly ByteString[] {
  if (exptime === 0) return lasting;
  // A negative exptime, or a date in the past, expires the item immediately.
  return ["PXAT", String(exptime < 0 ? 1 : dateOf(exptime, now))];
}

/** Returns the date of an exptime, in milliseconds since 1970. */
export function dateOf(exptime: number, now: number): number {
  return exptime > RELATIVE_SECONDS_MAX ? exptime * 1000 : now + exptime * 1000;
}
