/** Verifies signatures. The key objects that Node needs for this are created on first use, and cached. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { verifyDigest, verifyEnvelope } from "../../../keys/signatures.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { PackedEntry } from "../../../protocol/members/member-elements.js";
import { signedBytes } from "../../../protocol/version-2/envelope.js";

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

  /** Returns whether a key signed an envelope. @param id  SHA-256 of the signed bytes */
  verify(signer: PublicKey, { body, signature }: PackedEntry, id: ByteString): boolean {
    const key = this.#keys.get(signer.id) ?? this.#load(signer);
    if (key.asymmetricKeyType === "rsa") return verifyDigest(id, signature, key);
    return verifyEnvelope(signedBytes(body), signature, key);
  }

  #load({ id, spki }: PublicKey): KeyObject {
    const key = readPublicKey(spki);
    this.#keys.set(id, key);
    return key;
  }
}
