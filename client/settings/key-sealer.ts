/** Signs envelopes with a loaded key, using Node's crypto. Without a key it computes only their ids. */
import { hash, randomBytes } from "node:crypto";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { NO_KEY, NONCE_BYTES } from "../../protocol/version-2/envelope.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { EnvelopeSigner } from "./signing-key.js";

/** The number of nonces generated from one request for random bytes. */
const NONCES_PER_BATCH = 256;

/** Returns the sealer of a client. @param signer  null if it has no key */
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

  async sealAsync(bytes: Buffer): Promise<Seal> {
    return new LateSeal(await this.#signer.signAsync(bytes), bytes);
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

  async sealAsync(bytes: Buffer): Promise<Seal> {
    return this.seal(bytes);
  }
}

const NO_SIGNATURE = Buffer.alloc(0);

function nextNonce(): ByteString {
  if (nonceStart === nonces.length) {
    nonces = randomBytes(NONCE_BYTES * NONCES_PER_BATCH);
    nonceStart = 0;
  }
  nonceStart += NONCE_BYTES;
  return bytesOf(nonces, nonceStart - NONCE_BYTES, nonceStart);
}

/**
 * A seal whose id is computed when first read. The client first reads the id after it has written the frame, so the
 * daemons can already work. The signed bytes are then freed, because an envelope for a hung daemon may stay in memory
 * for a long time.
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

/** Returns the id of an envelope. "binary" is an older name of latin1. */
const idOf = (bytes: Buffer): ByteString => hash("sha256", bytes, "binary");

let nonces = Buffer.alloc(0);
let nonceStart = 0;
