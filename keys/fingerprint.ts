/**
 * A key's name: the SHA-256 of its public part as SubjectPublicKeyInfo (RFC 5280, 4.1). The two halves of a
 * pair have the same one, and so has a key in each of its file formats.
 */
import { createHash, createPublicKey, type KeyObject } from "node:crypto";

/** @returns 64 lowercase hexadecimal digits */
export function fingerprint(key: KeyObject): string {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}
