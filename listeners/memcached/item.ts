/**
 * Items of memcached as strings of the database: bytes, which Redis clients see as they are, and flags. Those are 0 for most; else they
 * stand in front of the bytes, behind a mark.
 */
import { createHash } from "node:crypto";
import type { ByteString } from "../../protocol/byte-string.js";

export interface Item {
  /** The client's own, 32 bits. */
  readonly flags: number;
  readonly data: ByteString;
}

const MARK = "\0memcached ";
const MARKED = new RegExp(`^${MARK}(\\d{1,10})\0`);
/** Longer exptimes are dates. */
const RELATIVE_SECONDS_MAX = 30 * 24 * 60 * 60;

export function stringOf({ flags, data }: Item): ByteString {
  return flags === 0 && !data.startsWith(MARK) ? data : `${MARK}${flags}\0${data}`;
}

/** `stringOf` the other way round. */
export function itemOf(text: ByteString): Item {
  const [head, flags] = text.startsWith(MARK) ? (MARKED.exec(text) ?? []) : [];
  return head === undefined
    ? { flags: 0, data: text }
    : { flags: Number(flags), data: text.slice(head.length) };
}

/** What `gets` tells and `cas` compares: 64 bits, of the unit that changed the key last. */
export function uniqueOf(writer: ByteString): bigint {
  return createHash("sha256").update(writer, "latin1").digest().readBigUInt64BE(0);
}

/** Options of SET. @param now  milliseconds since 1970 @param lasting  the option of what has no end */
export function expiryOf(
  exptime: number,
  now: number,
  lasting: readonly ByteString[],
): readonly ByteString[] {
  if (exptime === 0) return lasting;
  const ms = exptime > RELATIVE_SECONDS_MAX ? exptime * 1000 : now + exptime * 1000;
  // Below 0 is at once, as is what is past.
  return ["PXAT", String(exptime < 0 ? 1 : ms)];
}
