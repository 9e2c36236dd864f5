/**
 * The daemon's identity: an Ed25519 key of its own, whose hash is its id. Without a data folder it lasts as long as the
 * process; with one it is stored there (data-folder.ts).
 */
import { createHash, createPublicKey, generateKeyPairSync, hash, type KeyObject } from "node:crypto";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";

export interface Identity {
  /** SHA-256 of the public key's SubjectPublicKeyInfo, 32 bytes. */
  readonly id: ByteString;
  /** The SubjectPublicKeyInfo, DER. */
  readonly spki: ByteString;
  /** The private key. */
  readonly key: KeyObject;
}

export function makeIdentity(): Identity {
  return identityOf(generateKeyPairSync("ed25519").privateKey);
}

/** @param key  the private key */
export function identityOf(key: KeyObject): Identity {
  const der = createPublicKey(key).export({ type: "spki", format: "der" });
  return { id: hashOf(der), spki: bytesOf(der), key };
}

/** Returns the SHA-256 of all pieces together, 32 bytes. */
export function hashOf(...pieces: readonly Buffer[]): ByteString {
  const [only] = pieces;
  // "binary" is the older name of latin1, and the one in the types of this function.
  if (only !== undefined && pieces.length === 1) return hash("sha256", only, "binary");
  const hashing = createHash("sha256");
  for (const piece of pieces) hashing.update(piece);
  return hashing.digest("binary");
}
