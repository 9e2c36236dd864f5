/**
 * Verifies signatures: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2) for RSA keys, Ed25519 (RFC 8032) for Ed25519
 * keys. The key determines the algorithm, never the message. Version 1 supports only RSA.
 * Source: test/vectors/php-dbsync/README.md "Signed frame"; docs/protocol-v2.md "Signature and id".
 */
import { constants, hash, type KeyObject, publicDecrypt, verify } from "node:crypto";
import { SHA256_DIGEST_INFO } from "./digest-info.js";

const BITS_PER_BYTE = 8;
const ED25519_SIGNATURE_BYTES = 64;

/**
 * Returns the first of `keys` that made the signature, or null if none did.
 * A key whose modulus length differs from the signature's is skipped without any computation.
 * @param text       the text with its NUL
 * @param signature  any bytes
 * @param keys       public RSA keys from `loadPublicKey`
 */
export function verifyCommand(text: Buffer, signature: Buffer, keys: readonly KeyObject[]): KeyObject | null {
  for (const key of keys) if (verifyRsa(text, signature, key)) return key;
  return null;
}

/**
 * Checks whether `key` made the signature.
 * @param signed     the signed bytes, from protocol/version-2/envelope.ts
 * @param signature  any bytes
 * @param key        a public key that `loadPublicKey` accepts; weak keys have signatures that are valid for any text
 */
export function verifyEnvelope(signed: Buffer, signature: Buffer, key: KeyObject): boolean {
  if (key.asymmetricKeyType !== "ed25519")
    return verifyDigest(hash("sha256", signed, "binary"), signature, key);
  return signature.length === ED25519_SIGNATURE_BYTES && verify(null, signed, key, signature);
}

/**
 * Verifies an RSA signature; returns false for any other type of key. OpenSSL compares it with the only valid encoding
 * of the text.
 */
function verifyRsa(text: Buffer, signature: Buffer, key: KeyObject): boolean {
  if (!mayBeOf(key, signature)) return false;
  return verify("sha256", text, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
}

/**
 * Verifies like `verifyEnvelope`, but only for RSA keys, and from the digest, which is the envelope's id and already
 * computed. Returns false for other keys.
 *
 * OpenSSL strips exactly 00 01, FFs and 00 from a block that is as long as the modulus. The complete remainder is
 * compared with the only valid DigestInfo, so the number of FFs is correct and no bytes follow it.
 * @param digest  the SHA-256 of the signed bytes, as latin1 characters
 */
export function verifyDigest(digest: string, signature: Buffer, key: KeyObject): boolean {
  if (!mayBeOf(key, signature)) return false;
  let block: Buffer;
  try {
    block = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
  } catch {
    // The signature, as a number, is not smaller than the modulus, or its padding is wrong.
    return false;
  }
  return block.toString("latin1") === SHA256_DIGEST_INFO + digest;
}

function mayBeOf(key: KeyObject, signature: Buffer): boolean {
  if (key.asymmetricKeyType !== "rsa") return false;
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return Math.ceil(bits / BITS_PER_BYTE) === signature.length;
}
