/**
 * Signs commands and envelopes. Version 1 commands use RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2), so a text has
 * exactly one signature. Version 2 envelopes use the same scheme with RSA keys, and Ed25519 (RFC 8032) with Ed25519
 * keys. Source: test/vectors/php-dbsync/README.md "Signed frame"; docs/protocol-v2.md "Signature and id".
 */
import { constants, hash, type KeyObject, privateEncrypt, sign } from "node:crypto";
import { SHA256_DIGEST_INFO } from "./digest-info.js";

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
