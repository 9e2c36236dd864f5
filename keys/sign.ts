/**
 * Signing. Version 1's commands: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2), so a text has one signature.
 * Version 2's envelopes: the same with RSA keys, Ed25519 (RFC 8032) with Ed25519 keys; the key alone decides.
 * Source: test/vectors/php-dbsync/README.md "Signed frame"; docs/protocol-v2.md "Signature and id".
 */
import { constants, hash, type KeyObject, privateEncrypt, sign } from "node:crypto";
import { digestInfo } from "./digest-info.js";

/**
 * The signature of a command's text; as long as the key's modulus.
 * @param text  the text with its NUL
 * @param key   a private RSA key from `loadPrivateKey`
 */
export function signCommand(text: Buffer, key: KeyObject): Buffer {
  return sign("sha256", text, { key, padding: constants.RSA_PKCS1_PADDING });
}

/**
 * The signature of an envelope: as long as an RSA key's modulus, 64 bytes with an Ed25519 key.
 * @param signed  what protocol/version-2/envelope.ts gives as the bytes to be signed
 * @param key     a private key from `loadPrivateKey`
 * @param digest  SHA-256 of `signed` as latin1 characters, the envelope's id: RSA signs it, and need not compute it
 */
export function signEnvelope(
  signed: Buffer,
  key: KeyObject,
  digest: string = hash("sha256", signed, "binary"),
): Buffer {
  if (key.asymmetricKeyType === "ed25519") return sign(null, signed, key);
  return privateEncrypt(
    { key, padding: constants.RSA_PKCS1_PADDING },
    Buffer.from(digestInfo(digest), "latin1"),
  );
}

/** As `signEnvelope`, on a thread of the pool. `signed` must not be changed before it is done. */
export function signEnvelopeAside(signed: Buffer, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, signature: Buffer): void =>
      error === null ? resolve(signature) : reject(error);
    if (key.asymmetricKeyType === "ed25519") sign(null, signed, key, done);
    else sign("sha256", signed, { key, padding: constants.RSA_PKCS1_PADDING }, done);
  });
}
