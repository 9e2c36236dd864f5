/**
 * Checking the signatures of version 1's commands: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2).
 * Source: test/vectors/php-dbsync/README.md "Signed frame".
 */
import { constants, type KeyObject, verify } from "node:crypto";

const BITS_PER_BYTE = 8;

/**
 * The first of `keys` that made the signature; null: none did.
 * A key whose modulus is not as long as the signature costs nothing.
 * @param text       the text with its NUL
 * @param signature  any bytes
 * @param keys       public RSA keys from `loadPublicKey`
 */
export function verifyCommand(text: Buffer, signature: Buffer, keys: readonly KeyObject[]): KeyObject | null {
  for (const key of keys) {
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    if (Math.ceil(bits / BITS_PER_BYTE) !== signature.length) continue;
    if (verify("sha256", text, { key, padding: constants.RSA_PKCS1_PADDING }, signature)) return key;
  }
  return null;
}
