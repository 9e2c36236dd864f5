/**
 * Simulated signatures, for tests with several members in one process: hashes, which are faster than curve operations,
 * and which only tests could forge.
 */
import { createPublicKey, hash, type KeyObject, verify } from "node:crypto";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
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
  if (signature.length === ED25519_SIGNATURE_BYTES) return real.isSignedBy(spki, bytes, signature);
  return signatureOf(spki, bytes).equals(signature);
}

/** The results of real signatures, each verified once: all daemons of a run are in one process. */
class RealSignatures {
  readonly #keys = new Map<ByteString, KeyObject>();
  /** The results by all bytes on which they depend. */
  readonly #results = new Map<ByteString, boolean>();

  isSignedBy(spki: ByteString, bytes: Buffer, signature: Buffer): boolean {
    const all = `${spki}${bytesOf(signature)}${bytesOf(bytes)}`;
    let result = this.#results.get(all);
    if (result === undefined) {
      result = verify(null, bytes, this.#keyOf(spki), signature);
      if (this.#results.size >= REMEMBERED_MAX) this.#results.clear();
      this.#results.set(all, result);
    }
    return result;
  }

  #keyOf(spki: ByteString): KeyObject {
    let key = this.#keys.get(spki);
    if (key === undefined) {
      key = createPublicKey({ key: Buffer.from(spki, "latin1"), format: "der", type: "spki" });
      if (this.#keys.size >= REMEMBERED_MAX) this.#keys.clear();
      this.#keys.set(spki, key);
    }
    return key;
  }
}

const REMEMBERED_MAX = 1_000;
const real = new RealSignatures();

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
