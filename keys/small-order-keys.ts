/**
 * Detects Ed25519 public keys that have no private half: points of small order, for which any attacker can make
 * signatures that are valid for every text. OpenSSL accepts such keys. Source: RFC 8032, 5.1.3 and 5.1.7.
 */
import { createPublicKey, type KeyObject } from "node:crypto";

const POINT_BYTES = 32;
const SIGN_BIT = 0x80;

/**
 * The y coordinates of the points whose order divides 8: 0, 1, -1, and the two of order 8. Little-endian, sign bit
 * clear.
 */
const SMALL_ORDER = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);

/** Matches coordinates that are not below 2²⁵⁵ − 19, which are a second encoding of a point. */
const NOT_REDUCED = /^(e[d-f]|f[0-9a-f])(ff){30}7f$/;

/** Whether an Ed25519 key, public or private, is a point of small order or has a non-canonical encoding. */
export function isSmallOrderKey(key: KeyObject): boolean {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const point = Buffer.from(publicKey.export({ type: "spki", format: "der" }).subarray(-POINT_BYTES));
  point[POINT_BYTES - 1] = (point[POINT_BYTES - 1] as number) & ~SIGN_BIT;
  const y = point.toString("hex");
  return SMALL_ORDER.has(y) || NOT_REDUCED.test(y);
}
