/** Seals with a key that was loaded, by Node's own crypto; and, where there is none, with an id alone. */
import { hash, randomBytes } from "node:crypto";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { NO_KEY, NONCE_BYTES } from "../../protocol/version-2/envelope.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { EnvelopeSigner } from "./signing-key.js";

/** The number of nonces that are cut from random bytes fetched in one step. */
const NONCES_AT_ONCE = 256;

/** Returns the sealer of a client. @param signer  null: it has no key */
export const sealerOf = (signer: EnvelopeSigner | null): Sealer =>
  signer === null ? new UnsignedSealer() : new KeySealer(signer);

class KeySealer implements Sealer {
  readonly keyId: ByteString;
  readonly #signer: EnvelopeSigner;

  constructor(signer: EnvelopeSigner) {
    this.keyId = signer.keyId;
    this.#signer = signer;
  }

  nonce(): ByteString {
    return nextNonce();
  }

  seal(bytes: Buffer): Seal {
    const id = idOf(bytes);
    return { signature: this.#signer.sign(bytes, id), id };
  }

  async sealAside(bytes: Buffer): Promise<Seal> {
    return new LateSeal(await this.#signer.signAside(bytes), bytes);
  }
}

/** Makes unsigned envelopes, for daemons without keys. */
class UnsignedSealer implements Sealer {
  readonly keyId = NO_KEY;

  nonce(): ByteString {
    return nextNonce();
  }

  seal(bytes: Buffer): Seal {
    return new LateSeal(NO_SIGNATURE, bytes);
  }

  async sealAside(bytes: Buffer): Promise<Seal> {
    return this.seal(bytes);
  }
}

const NO_SIGNATURE = Buffer.alloc(0);

function nextNonce(): ByteString {
  if (nonceStart === nonces.length) {
    nonces = randomBytes(NONCE_BYTES * NONCES_AT_ONCE);
    nonceStart = 0;
  }
  nonceStart += NONCE_BYTES;
  return bytesOf(nonces, nonceStart - NONCE_BYTES, nonceStart);
}

/**
 * A seal whose id is computed when first read, after the frame was written: the daemons work meanwhile. The signed
 * bytes are freed then, because a hung daemon may keep the envelope in memory for long.
 */
class LateSeal implements Seal {
  readonly signature: Buffer;
  #bytes: Buffer | null;
  #id: ByteString = "";

  constructor(signature: Buffer, bytes: Buffer) {
    this.signature = signature;
    this.#bytes = bytes;
  }

  get id(): ByteString {
    if (this.#bytes !== null) this.#id = idOf(this.#bytes);
    this.#bytes = null;
    return this.#id;
  }
}

/** "binary" is latin1's older name. */
const idOf = (bytes: Buffer): ByteString => hash("sha256", bytes, "binary");

let nonces = Buffer.alloc(0);
let nonceStart = 0;
