/**
 * The keys that may sign: the key ring, and the methods that verify signatures with its keys. Commands of version 1 do
 * not name a key, so their signatures are checked with each RSA key of -s.
 */
import type { KeyObject } from "node:crypto";
import { verifyCommand, verifyEnvelope } from "../../../keys/signatures.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { KeyRecord, KeyRing } from "../../store/key-ring.js";
import { clusterIdOf, type Genesis } from "./genesis.js";
import { KnownKeys, readPublicKey } from "./known-keys.js";

/** The maximum number of cached keys that need not be in the ring: mostly those of members, which sign votes. */
const UNLISTED_KEYS_MAX = 256;

/** A key of -s. */
interface ApplicationKey {
  readonly id: ByteString;
  readonly key: KeyObject;
}

/** Returns the SubjectPublicKeyInfo of a key that is in the ring, or that an entry has named. */
export const knownKey = (ring: KeyRing, key: ByteString): ByteString | undefined =>
  ring.find(key)?.spki ?? ring.named.find(key);

export class Signers extends KnownKeys {
  readonly genesis: Genesis;
  /** Returns a new ring with the genesis keys. */
  readonly makeRing: () => KeyRing;
  /** The cluster's id, 32 bytes. */
  readonly cluster: ByteString;
  /** This daemon's own key, with which an operator orders it to change member lists; null: it has no timeline. */
  own: KeyRecord | null = null;
  #ringSource: { readonly ring: KeyRing };
  readonly #applications: readonly ApplicationKey[];
  readonly #rsaKeys: readonly KeyObject[];
  /** Keys with a valid signature, the oldest first: reading a key takes as long as verifying a signature. */
  readonly #unlistedKeys = new Map<ByteString, KeyObject>();

  /** @param applications  the keys of -s, which are the ring's application keys */
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
    this.cluster = clusterIdOf(genesis);
    this.#ringSource = { ring: makeRing() };
    this.#applications = applications;
    this.#rsaKeys = applications.map(({ key }) => key).filter((key) => key.asymmetricKeyType === "rsa");
  }

  /** The current key ring. The ring may be replaced, so callers must not keep it. */
  get ring(): KeyRing {
    return this.#ringSource.ring;
  }

  /** Returns the key with which an envelope of a client may be signed, or undefined if it is unknown. */
  find(key: ByteString): KeyRecord | undefined {
    return this.ring.find(key) ?? (this.own?.id === key ? this.own : undefined);
  }

  /** Uses the key ring of a fold from now on, even if the fold replaces its ring. */
  follow(fold: { readonly ring: KeyRing }): void {
    this.#ringSource = fold;
  }

  /** Returns the key that signed the text of a version 1 command, or undefined if none did. */
  ofCommand(text: Buffer, signature: Buffer): KeyRecord | undefined {
    const found = verifyCommand(text, signature, this.#rsaKeys);
    const id = this.#applications.find(({ key }) => key === found)?.id;
    return id === undefined ? undefined : this.ring.find(id);
  }

  /**
   * Returns whether the owner of a key has signed the bytes. The key need not be in the ring.
   * @param spki  the key's SubjectPublicKeyInfo in DER
   */
  verifyBy(spki: ByteString, bytes: Buffer, signature: Buffer): boolean {
    try {
      const known = this.#unlistedKeys.get(spki);
      const key = known ?? readPublicKey(spki);
      const isValid = verifyEnvelope(bytes, signature, key);
      if (isValid && known === undefined) this.#remember(spki, key);
      return isValid;
    } catch {
      // The bytes are not a valid key.
      return false;
    }
  }

  #remember(spki: ByteString, key: KeyObject): void {
    this.#unlistedKeys.set(spki, key);
    const [oldest] = this.#unlistedKeys.keys();
    if (this.#unlistedKeys.size > UNLISTED_KEYS_MAX && oldest !== undefined)
      this.#unlistedKeys.delete(oldest);
  }

  /** Whether KEY commands have changed the ring since the start. */
  get haveChanged(): boolean {
    return [...this.ring.all()].some(({ addedBy, version }) => addedBy !== null || version > 1);
  }
}
