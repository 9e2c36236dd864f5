/**
 * Checking signatures: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2) by RSA keys, in version 1 the only ones;
 * Ed25519 (RFC 8032) by Ed25519 keys. The message has no say in which.
 * Source: test/vectors/php-dbsync/README.md "Signed frame"; docs/protocol-v2.md "Signature and id".
 */
import { constants, type KeyObject, verify } from "node:crypto";

const BITS_PER_BYTE = 8;
const ED25519_SIGNATURE_BYTES = 64;

/**
 * The first of `keys` that made the signature; null: none did.
 * A key whose modulus is not as long as the signature costs nothing.
 * @param text       the text with its NUL
 * @param signature  any bytes
 * @param keys       public RSA keys from `loadPublicKey`
 */
export function verifyCommand(text: Buffer, signature: Buffer, keys: readonly KeyObject[]): KeyObject | null {
  for (const key of keys) if (verifyRsa(text, signature, key)) return key;
  return null;
}

/**
 * Whether `key` made the signature.
 * @param signed     what protocol/envelope.ts gives as the bytes that are signed
 * @param signature  any bytes
 * @param key        a public key that `loadPublicKey` would take: others have signatures that hold for any text
 */
export function verifyEnvelope(signed: Buffer, signature: Buffer, key: KeyObject): boolean {
  if (key.asymmetricKeyType !== "ed25519") return verifyRsa(signed, signature, key);
  return signature.length === ED25519_SIGNATURE_BYTES && verify(null, signed, key, signature);
}

/** False for every key that is not plain RSA; OpenSSL compares with the one encoding that a text has. */
function verifyRsa(text: Buffer, signature: Buffer, key: KeyObject): boolean {
  if (key.asymmetricKeyType !== "rsa") return false;
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (Math.ceil(bits / BITS_PER_BYTE) !== signature.length) return false;
  return verify("sha256", text, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
}
