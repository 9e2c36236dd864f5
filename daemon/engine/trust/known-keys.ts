/** Verifies signatures. The key objects that Node needs for this are created on first use, and cached. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { signatureBytes, verifyDigest, verifyEnvelope } from "../../../keys/signatures.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { PackedEntry } from "../../../protocol/members/member-elements.js";
import { signedBytes } from "../../../protocol/version-2/envelope.js";
import { SharedSignatures } from "./shared-signatures.js";

/** A public key. */
export interface PublicKey {
  /** The SHA-256 of `spki`, 32 bytes. */
  readonly id: ByteString;
  /** The key's SubjectPublicKeyInfo in DER. */
  readonly spki: ByteString;
}

/**
 * Returns the key object of a SubjectPublicKeyInfo in DER.
 * @throws Error  the bytes are not a valid key; Node's errors vary
 */
export const readPublicKey = (spki: ByteString): KeyObject =>
  createPublicKey({ key: Buffer.from(spki, "latin1"), format: "der", type: "spki" });

export class KnownKeys {
  /** The cached key objects, by key id. */
  readonly #keys = new Map<ByteString, KeyObject>();
  readonly #shared = new SharedSignatures(verifyEnvelope);

  /**
   * Returns whether a key signed an envelope, alone or with others. @param id  SHA-256 of the signed bytes
   * @throws MalformedFrame  the envelope shares a valid signature, and its body is malformed
   */
  verify(signer: PublicKey, { body, signature }: PackedEntry, id: ByteString): boolean {
    const key = this.#keys.get(signer.id) ?? this.#load(signer);
    if (signature.length !== signatureBytes(key))
      return this.#shared.verify(signer.id, key, body, signature, id);
    if (key.asymmetricKeyType === "rsa") return verifyDigest(id, signature, key);
    return verifyEnvelope(signedBytes(body), signature, key);
  }

  /** Whether a signature is as long as those of its key for one envelope. */
  isPlain(signer: PublicKey, { length }: Buffer): boolean {
    return length === signatureBytes(this.#keys.get(signer.id) ?? this.#load(signer));
  }

  #load({ id, spki }: PublicKey): KeyObject {
    const key = readPublicKey(spki);
    this.#keys.set(id, key);
    return key;
  }
}
