/** The words of requests: numbers, and the errors if they are wrong. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Wrong } from "./request-types.js";

export const KEY_BYTES_MAX = 250;
/** The number of bits of the flags that a client stores with an item. */
const FLAGS_BITS = 32;
/** The maximum of these flags. */
export const FLAGS_MAX = 2 ** FLAGS_BITS - 1;
/** The maximum number of digits of an exptime: its dates are then within those of JavaScript. */
const EXPTIME_DIGITS_MAX = 12;
/** The maximum length of data that memcached accepts in the line of a storage command. */
export const LENGTH_MAX = 2 ** 31 - 3;

const UINT64_MAX = 2n ** 64n - 1n;

export const ERROR: Wrong = { kind: "wrong", answer: "ERROR\r\n" };
export const BAD_FORMAT = wrong("bad command line format");

export function wrong(why: string): Wrong {
  return { kind: "wrong", answer: `CLIENT_ERROR ${why}\r\n` };
}

/** Matches a number as strtoul of C does: with a sign, and with leading zeros. */
const NUMBER = /^([+-]?)0*(\d{1,20})$/;

export function unsigned(text: ByteString, max: number): number | null {
  const value = uint64(text);
  return value !== null && value <= max ? Number(value) : null;
}

/** Parses the flags of an item. Like memcached, uses only the lower 32 bits of a 64-bit number. */
export function flagsOf(text: ByteString): number | null {
  const value = uint64(text);
  return value === null ? null : Number(BigInt.asUintN(FLAGS_BITS, value));
}

export function exptimeOf(text: ByteString): number | null {
  const [, sign, digits = ""] = NUMBER.exec(text) ?? [];
  if (sign === undefined || digits.length > EXPTIME_DIGITS_MAX) return null;
  return sign === "-" ? -Number(digits) : Number(digits);
}

/** Parses an unsigned 64-bit number. Returns null if it is not one. */
export function uint64(text: ByteString): bigint | null {
  const [, sign = "-", digits = ""] = NUMBER.exec(text) ?? [];
  const value = sign === "-" ? UINT64_MAX + 1n : BigInt(digits);
  return value <= UINT64_MAX ? value : null;
}
