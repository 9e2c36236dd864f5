/**
 * Computes a key's fingerprint: the SHA-256 of its public half as SubjectPublicKeyInfo (RFC 5280, 4.1). Both
 * halves of a pair have the same fingerprint, in every file format.
 */
import { createHash, createPublicKey, type KeyObject } from "node:crypto";

/** Returns the fingerprint of a key, 64 lowercase hexadecimal digits. */
export function fingerprint(key: KeyObject): string {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}
