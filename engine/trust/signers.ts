/**
 * Who may sign: the key ring, and its keys in the form that checks signatures. Version 1 knows no names of keys, so
 * each of its signatures is tried with the RSA keys of -s.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { verifyCommand, verifyEnvelope } from "../../keys/verify.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { KeyRecord, KeyRing } from "../../store/key-ring.js";
import { clusterOf, type Genesis } from "./cluster.js";
import { KnownKeys } from "./known-keys.js";

/** A key of -s. */
interface ApplicationKey {
  readonly id: ByteString;
  readonly key: KeyObject;
}

/** SubjectPublicKeyInfo of a key that the ring has, or that an entry has named. */
export const knownKey = (ring: KeyRing, key: ByteString): ByteString | undefined =>
  ring.find(key)?.spki ?? ring.named.find(key);

export class Signers extends KnownKeys {
  readonly genesis: Genesis;
  /** A new ring with the keys of genesis. */
  readonly makeRing: () => KeyRing;
  /** 32 bytes. */
  readonly cluster: ByteString;
  #owner: { readonly ring: KeyRing };
  readonly #applications: readonly ApplicationKey[];
  readonly #rsaKeys: readonly KeyObject[];

  /** @param applications  keys of -s: application keys of the ring */
  constructor({
    genesis,
    makeRing,
    applications,
  }: {
    readonly genesis: Genesis;
    readonly makeRing: () => KeyRing;
    readonly applications: readonly ApplicationKey[];
  }) {
    super();
    this.genesis = genesis;
    this.makeRing = makeRing;
    this.cluster = clusterOf(genesis);
    this.#owner = { ring: makeRing() };
    this.#applications = applications;
    this.#rsaKeys = applications.map(({ key }) => key).filter((key) => key.asymmetricKeyType === "rsa");
  }

  /** As of now: to be asked for at each look-up. */
  get ring(): KeyRing {
    return this.#owner.ring;
  }

  /** From now on the ring is that of a timeline, which folds it. */
  follow(owner: { readonly ring: KeyRing }): void {
    this.#owner = owner;
  }

  /** The key that signed a text of version 1. */
  ofCommand(text: Buffer, signature: Buffer): KeyRecord | undefined {
    const found = verifyCommand(text, signature, this.#rsaKeys);
    const id = this.#applications.find(({ key }) => key === found)?.id;
    return id === undefined ? undefined : this.ring.find(id);
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
