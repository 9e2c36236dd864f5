/**
 * Who may sign: the key ring, and its keys in the form that checks signatures. Version 1 knows no names of keys, so
 * each of its signatures is tried with the RSA keys of -s.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { verifyCommand, verifyDigest, verifyEnvelope } from "../keys/verify.js";
import type { ByteString } from "../protocol/byte-string.js";
import { signedBytes } from "../protocol/envelope.js";
import type { CommandMessage } from "../protocol/messages-v2.js";
import type { KeyRecord, KeyRing } from "../store/key-ring.js";

export interface SignersParts {
  readonly ring: KeyRing;
  /** 32 bytes. */
  readonly cluster: ByteString;
  /** Keys of -s: application keys of the ring. */
  readonly applications: readonly { readonly id: ByteString; readonly key: KeyObject }[];
}

export class Signers {
  readonly ring: KeyRing;
  readonly cluster: ByteString;
  readonly #applications: SignersParts["applications"];
  readonly #rsaKeys: readonly KeyObject[];
  /** By key id; made when first needed, since `KEY ADD` may bring more. */
  readonly #keys = new Map<ByteString, KeyObject>();

  constructor({ ring, cluster, applications }: SignersParts) {
    this.ring = ring;
    this.cluster = cluster;
    this.#applications = applications;
    this.#rsaKeys = applications.map(({ key }) => key).filter((key) => key.asymmetricKeyType === "rsa");
  }

  /** The key that signed a text of version 1. */
  ofCommand(text: Buffer, signature: Buffer): KeyRecord | undefined {
    const found = verifyCommand(text, signature, this.#rsaKeys);
    const id = this.#applications.find(({ key }) => key === found)?.id;
    return id === undefined ? undefined : this.ring.find(id);
  }

  /** Whether a key signed an envelope. @param id  SHA-256 of what is signed */
  verify(signer: KeyRecord, { body, signature }: CommandMessage, id: ByteString): boolean {
    const key = this.#keyOf(signer);
    if (key.asymmetricKeyType === "rsa") return verifyDigest(id, signature, key);
    return verifyEnvelope(signedBytes(body), signature, key);
  }

  /** Whether KEY commands have changed the ring since the start. */
  get haveChanged(): boolean {
    return [...this.ring.all()].some(({ addedBy, version }) => addedBy !== null || version > 1);
  }

  #keyOf({ id, spki }: KeyRecord): KeyObject {
    let key = this.#keys.get(id);
    if (key === undefined) {
      key = createPublicKey({ key: Buffer.from(spki, "latin1"), format: "der", type: "spki" });
      this.#keys.set(id, key);
    }
    return key;
  }
}
