/**
 * Detects Ed25519 public keys that have no secret: points of small order, for which anyone can forge signatures, and
 * alternative encodings of a point. OpenSSL accepts such keys. Source: RFC 8032, 5.1.3 and 5.1.7.
 */
import { type ByteString, bytesOf } from "./byte-string.js";

/**
 * The y coordinates of the points whose order divides 8: 0, 1, -1, and the two of order 8. Little-endian, sign bit
 * clear.
 */
const SMALL_ORDER: ReadonlySet<ByteString> = new Set(
  [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ].map((hex) => bytesOf(Buffer.from(hex, "hex"))),
);

/** A coordinate of at least 2²⁵⁵ − 19. */
const NOT_REDUCED = /^[\xed-\xff]\xff{30}\x7f$/;

const SIGN_BIT = 0x80;

/**
 * Whether a public key is a point of small order or has a non-canonical encoding.
 * @param point  the 32 bytes of the key
 */
export function isSmallOrderKey(point: ByteString): boolean {
  const y = point.slice(0, -1) + String.fromCharCode(point.charCodeAt(point.length - 1) & ~SIGN_BIT);
  return SMALL_ORDER.has(y) || NOT_REDUCED.test(y);
}
