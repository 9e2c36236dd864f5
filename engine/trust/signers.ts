/**
 * Who may sign: the key ring, and its keys in the form that checks signatures. Version 1 knows no names of keys, so
 * each of its signatures is tried with the RSA keys of -s.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { verifyCommand, verifyEnvelope } from "../../keys/verify.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { CommandMessage } from "../../protocol/version-2/messages-v2.js";
import type { KeyRecord, KeyRing } from "../../store/key-ring.js";
import { clusterOf, type Genesis } from "./cluster.js";
import { KnownKeys } from "./known-keys.js";

export interface SignersParts {
  readonly genesis: Genesis;
  /** A new ring with the keys of genesis. */
  readonly makeRing: () => KeyRing;
  /** Keys of -s: application keys of the ring. */
  readonly applications: readonly { readonly id: ByteString; readonly key: KeyObject }[];
}

/** What is used of them. */
export type SignersFace = Pick<Signers, "ring" | "cluster" | "ofCommand" | "verify">;

/** SubjectPublicKeyInfo of a key that the ring has, or that an entry has named. */
export const knownKey = (ring: KeyRing, key: ByteString): ByteString | undefined =>
  ring.find(key)?.spki ?? ring.named.find(key);

export class Signers {
  readonly genesis: Genesis;
  readonly makeRing: () => KeyRing;
  /** 32 bytes. */
  readonly cluster: ByteString;
  #ringSource: { readonly ring: KeyRing };
  readonly #applications: SignersParts["applications"];
  readonly #rsaKeys: readonly KeyObject[];
  /** `KEY ADD` may bring more. */
  readonly #keys = new KnownKeys();

  constructor({ genesis, makeRing, applications }: SignersParts) {
    this.genesis = genesis;
    this.makeRing = makeRing;
    this.cluster = clusterOf(genesis);
    this.#ringSource = { ring: makeRing() };
    this.#applications = applications;
    this.#rsaKeys = applications.map(({ key }) => key).filter((key) => key.asymmetricKeyType === "rsa");
  }

  /** As of now: to be asked for at each look-up. */
  get ring(): KeyRing {
    return this.#ringSource.ring;
  }

  /** Looks keys up in the ring of a fold from now on. */
  follow(fold: { readonly ring: KeyRing }): void {
    this.#ringSource = fold;
  }

  /** The key that signed a text of version 1. */
  ofCommand(text: Buffer, signature: Buffer): KeyRecord | undefined {
    const found = verifyCommand(text, signature, this.#rsaKeys);
    const id = this.#applications.find(({ key }) => key === found)?.id;
    return id === undefined ? undefined : this.ring.find(id);
  }

  /** Whether a key signed an envelope. @param id  SHA-256 of what is signed */
  verify(signer: Pick<KeyRecord, "id" | "spki">, message: CommandMessage, id: ByteString): boolean {
    return this.#keys.verify(signer, message, id);
  }

  /** The same by a key that need not be in the ring. @param spki  its SubjectPublicKeyInfo, DER */
  verifyBy(spki: ByteString, bytes: Buffer, signature: Buffer): boolean {
    try {
      const key = createPublicKey({ key: Buffer.from(spki, "latin1"), format: "der", type: "spki" });
      return verifyEnvelope(bytes, signature, key);
    } catch {
      // Bytes that are no key, as the library says in many ways.
      return false;
    }
  }

  /** Whether KEY commands have changed the ring since the start. */
  get haveChanged(): boolean {
    return [...this.ring.all()].some(({ addedBy, version }) => addedBy !== null || version > 1);
  }
}
