/**
 * The keys that may sign: the key ring, and the methods that verify signatures with its keys. Commands of version 1 do
 * not name a key, so their signatures are checked with each RSA key of -s (--sign-key).
 *
 * The type of a key says what it is: a ByteString is its id or its SubjectPublicKeyInfo (`spki`), a KeyRecord is its
 * entry in the ring, and a KeyObject is the form that Node verifies with.
 */
import type { KeyObject } from "node:crypto";
import { verifyCommand, verifyEnvelope } from "../../../keys/signatures.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { KeyRecord, KeyRing } from "../../store/key-ring.js";
import { clusterIdOf, type Genesis } from "./genesis.js";
import { KnownKeys, readPublicKey } from "./known-keys.js";

/** The maximum number of cached keys outside of the ring, mostly members' keys that have signed votes. */
const UNLISTED_KEYS_MAX = 256;

/** A key of -s, which may sign the commands of applications. */
interface ApplicationKey {
  readonly id: ByteString;
  readonly key: KeyObject;
}

interface SignersOptions {
  readonly genesis: Genesis;
  /** Returns a new ring with the genesis keys. */
  readonly makeRing: () => KeyRing;
  /** The keys of -s, which are the ring's application keys. */
  readonly applicationKeys: readonly ApplicationKey[];
}

/** Returns the SubjectPublicKeyInfo of the key with an id, if it is in the ring or an entry has named it. */
export const spkiOfKey = (ring: KeyRing, keyId: ByteString): ByteString | undefined =>
  ring.find(keyId)?.spki ?? ring.named.find(keyId);

/** The key ring, and the checks of signatures; KnownKeys verifies those of envelopes. */
export class Signers extends KnownKeys {
  readonly genesis: Genesis;
  /** Returns a new ring with the genesis keys. */
  readonly makeRing: () => KeyRing;
  /** The cluster's id, 32 bytes. */
  readonly cluster: ByteString;
  /** This daemon's own key, which signs changes of the member list that an operator orders; null without a timeline. */
  ownKey: KeyRecord | null = null;
  /** The object with the current ring: the fold, once there is one. */
  #ringSource: { readonly ring: KeyRing };
  readonly #applicationKeys: readonly ApplicationKey[];
  /** The keys of -s that sign commands of version 1. */
  readonly #rsaKeys: readonly KeyObject[];
  /**
   * Keys by SubjectPublicKeyInfo that have made a valid signature, the oldest first. They are cached, because parsing a
   * key takes as long as verifying a signature.
   */
  readonly #unlistedKeys = new Map<ByteString, KeyObject>();

  constructor({ genesis, makeRing, applicationKeys }: SignersOptions) {
    super();
    this.genesis = genesis;
    this.makeRing = makeRing;
    this.cluster = clusterIdOf(genesis);
    this.#ringSource = { ring: makeRing() };
    this.#applicationKeys = applicationKeys;
    this.#rsaKeys = applicationKeys.map(({ key }) => key).filter((key) => key.asymmetricKeyType === "rsa");
  }

  /** The current key ring. The ring may be replaced, so callers must not keep it. */
  get ring(): KeyRing {
    return this.#ringSource.ring;
  }

  /** Whether KEY commands have changed the ring since the start. */
  get isRingChanged(): boolean {
    return [...this.ring.all()].some(({ addedBy, version }) => addedBy !== null || version > 1);
  }

  /** Returns the key with the given id, if it is in the ring or is this daemon's own. */
  find(keyId: ByteString): KeyRecord | undefined {
    return this.ring.find(keyId) ?? (this.ownKey?.id === keyId ? this.ownKey : undefined);
  }

  /** Uses the key ring of a fold from now on, also after the fold has replaced its ring. */
  follow(fold: { readonly ring: KeyRing }): void {
    this.#ringSource = fold;
  }

  /** Returns the key that signed the text of a version 1 command, or undefined if none did. */
  signerOfCommand(text: Buffer, signature: Buffer): KeyRecord | undefined {
    const found = verifyCommand(text, signature, this.#rsaKeys);
    const id = this.#applicationKeys.find(({ key }) => key === found)?.id;
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
}
