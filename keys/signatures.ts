/**
 * Signs commands and envelopes, and verifies their signatures. Version 1 commands use RSASSA-PKCS1-v1_5 with SHA-256
 * (RFC 8017, 8.2), so a text has exactly one signature. Version 2 envelopes use the same scheme with RSA keys, and
 * Ed25519 (RFC 8032) with Ed25519 keys. The key determines the algorithm, never the message. Source:
 * test/vectors/php-dbsync/README.md "Signed frame"; docs/protocol-v2.md "Signature and id".
 */
import { constants, hash, type KeyObject, privateEncrypt, publicDecrypt, sign, verify } from "node:crypto";

/**
 * The beginning of the DigestInfo of SHA-256, which follows the padding of an RSA signature: DER (RFC 8017, 9.2, note
 * 1), as latin1 characters. The digest, 32 bytes, follows it.
 */
const SHA256_DIGEST_INFO = Buffer.from("3031300d060960864801650304020105000420", "hex").toString("latin1");

/**
 * Signs a command's text. The signature is as long as the key's modulus.
 * @param text  the text with its NUL
 * @param key   a private RSA key from `loadPrivateKey`
 */
export function signCommand(text: Buffer, key: KeyObject): Buffer {
  return sign("sha256", text, { key, padding: constants.RSA_PKCS1_PADDING });
}

/**
 * Signs an envelope. The signature is as long as an RSA key's modulus, or 64 bytes with an Ed25519 key.
 * @param signed  the bytes to be signed, from protocol/version-2/envelope.ts
 * @param key     a private key from `loadPrivateKey`
 * @param digest  the SHA-256 of `signed` as latin1 characters, the envelope's id; avoids computing it again for RSA
 */
export function signEnvelope(
  signed: Buffer,
  key: KeyObject,
  digest: string = hash("sha256", signed, "binary"),
): Buffer {
  if (key.asymmetricKeyType === "ed25519") return sign(null, signed, key);
  return privateEncrypt(
    { key, padding: constants.RSA_PKCS1_PADDING },
    Buffer.from(SHA256_DIGEST_INFO + digest, "latin1"),
  );
}

/** Signs like `signEnvelope`, on a pool thread. `signed` must not change until the promise settles. */
export function signEnvelopeAsync(signed: Buffer, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, signature: Buffer): void =>
      error === null ? resolve(signature) : reject(error);
    if (key.asymmetricKeyType === "ed25519") sign(null, signed, key, done);
    else sign("sha256", signed, { key, padding: constants.RSA_PKCS1_PADDING }, done);
  });
}

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
