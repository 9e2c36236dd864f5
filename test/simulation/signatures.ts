/**
 * Simulated signatures, for tests with several members in one process: hashes, which are faster than curve operations,
 * and which only tests could forge.
 */
import { createPublicKey, hash, verify } from "node:crypto";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { type HeaderFields, readBody, signedBytes } from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";

export const sha256 = (bytes: Buffer | string): ByteString =>
  hash("sha256", typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, "binary");

export interface SimulatedKey {
  readonly id: ByteString;
  readonly spki: ByteString;
}

const SIGNED = "signed\0";
const ED25519_SIGNATURE_BYTES = 64;

/** Returns the simulated signature of a key over `bytes`. */
export function signatureOf(spki: ByteString, bytes: Buffer): Buffer {
  return Buffer.from(sha256(Buffer.concat([Buffer.from(SIGNED + spki, "latin1"), bytes])), "latin1");
}

/** Verifies a simulated signature, or a real one of a daemon's identity. */
export function isSignedBy(spki: ByteString, bytes: Buffer, signature: Buffer): boolean {
  if (signature.length === ED25519_SIGNATURE_BYTES) {
    const key = createPublicKey({ key: Buffer.from(spki, "latin1"), format: "der", type: "spki" });
    return verify(null, bytes, key, signature);
  }
  return signatureOf(spki, bytes).equals(signature);
}

/** Signs commands and returns the entry that every daemon must have in the end. */
export function sign(
  key: SimulatedKey,
  header: Omit<HeaderFields, "key">,
  commands: readonly (readonly ByteString[])[],
): Entry {
  const text = writeBody({ ...header, key: key.id }, commands.map(writeCommand));
  const body = Buffer.from(text, "latin1");
  const signed = signedBytes(body);
  return { id: sha256(signed), body, signature: signatureOf(key.spki, signed), envelope: readBody(body) };
}
