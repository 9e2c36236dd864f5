/** Makes keys with node:crypto alone. Source: docs/protocol-v2.md, "Signature and id". */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export interface Key {
  readonly privateKey: KeyObject;
  /** The SubjectPublicKeyInfo in DER. */
  readonly spki: Buffer;
  /** The SHA-256 hash of `spki`. */
  readonly id: Buffer;
  /** The public key in PEM. */
  readonly pem: string;
}

export const sha256 = (...parts: readonly Buffer[]): Buffer =>
  createHash("sha256").update(Buffer.concat(parts)).digest();

/** Makes an Ed25519 key. */
export function makeKey(): Key {
  return keyOf(generateKeyPairSync("ed25519").privateKey);
}

export function signatureOf({ privateKey }: Key, bytes: Buffer): Buffer {
  return sign(null, bytes, privateKey);
}

/** Returns a key with its public part. */
export function keyOf(privateKey: KeyObject): Key {
  const publicKey = createPublicKey(privateKey);
  const spki = publicKey.export({ type: "spki", format: "der" });
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  return { privateKey, spki, id: sha256(spki), pem };
}
