/**
 * Checking signatures: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2) by RSA keys, in version 1 the only ones;
 * Ed25519 (RFC 8032) by Ed25519 keys. The message has no say in which.
 * Source: test/vectors/php-dbsync/README.md "Signed frame"; docs/protocol-v2.md "Signature and id".
 */
import { constants, hash, type KeyObject, publicDecrypt, verify } from "node:crypto";
import { digestInfo } from "./digest-info.js";

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
 * @param signed     what protocol/version-2/envelope.ts gives as the bytes that are signed
 * @param signature  any bytes
 * @param key        a public key that `loadPublicKey` would take: others have signatures that hold for any text
 */
export function verifyEnvelope(signed: Buffer, signature: Buffer, key: KeyObject): boolean {
  if (key.asymmetricKeyType !== "ed25519")
    return verifyDigest(hash("sha256", signed, "binary"), signature, key);
  return signature.length === ED25519_SIGNATURE_BYTES && verify(null, signed, key, signature);
}

/** False for every key that is not plain RSA; OpenSSL compares with the one encoding that a text has. */
function verifyRsa(text: Buffer, signature: Buffer, key: KeyObject): boolean {
  if (!mayBeOf(key, signature)) return false;
  return verify("sha256", text, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
}

/**
 * As `verifyEnvelope`, for RSA keys, from the digest: an envelope's id, which need not be computed twice. False for
 * other keys.
 *
 * OpenSSL takes 00 01, FFs, 00 off the modulus-long block and nothing else; what is left is compared whole with the one
 * DigestInfo, so there are as many FFs as there have to be, and nothing behind it.
 * @param digest  SHA-256 of what is signed, as latin1 characters
 */
export function verifyDigest(digest: string, signature: Buffer, key: KeyObject): boolean {
  if (!mayBeOf(key, signature)) return false;
  let block: Buffer;
  try {
    block = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
  } catch {
    // Not below the modulus, or padded otherwise.
    return false;
  }
  return block.toString("latin1") === digestInfo(digest);
}

function mayBeOf(key: KeyObject, signature: Buffer): boolean {
  if (key.asymmetricKeyType !== "rsa") return false;
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return Math.ceil(bits / BITS_PER_BYTE) === signature.length;
}
