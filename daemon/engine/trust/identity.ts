/**
 * The daemon's identity: its own Ed25519 key, whose hash is its id. With a data folder the key is stored in it
 * (data-folder.ts); otherwise the key exists only as long as the process runs.
 */
import { createHash, createPublicKey, generateKeyPairSync, hash, type KeyObject } from "node:crypto";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";

export interface Identity {
  /** The SHA-256 of `spki`, 32 bytes. */
  readonly id: ByteString;
  /** The SubjectPublicKeyInfo of the public key, in DER. */
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

/** Returns the SHA-256 of the concatenated pieces, 32 bytes. */
export function hashOf(...pieces: readonly Buffer[]): ByteString {
  const [only] = pieces;
  // "binary" is the old name of the encoding latin1. The types of this function accept only the old name.
  if (only !== undefined && pieces.length === 1) return hash("sha256", only, "binary");
  const hashing = createHash("sha256");
  for (const piece of pieces) hashing.update(piece);
  return hashing.digest("binary");
}
