/**
 * Loads the key of a client, signs envelopes with it, and builds the signed frame of version 1 that all daemons
 * receive.
 */
import { createPublicKey, hash, type KeyObject, randomBytes } from "node:crypto";
import { loadPrivateKey } from "../../keys/key-file.js";
import { KeyFileError } from "../../keys/key-file-errors.js";
import { signCommand, signEnvelope, signEnvelopeAsync } from "../../keys/signatures.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { UnsendableCommand } from "../../protocol/errors.js";
import { commandText, writeCommandFrame } from "../../protocol/version-1/command-v1.js";
import { NO_KEY, NONCE_BYTES } from "../../protocol/version-2/envelope.js";
import type { CommandInput } from "../shared/command-input.js";
import { commandLabel } from "../shared/command-labels.js";
import { DbsyncError } from "../shared/errors.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { ClientSettings } from "./client-settings.js";

/** Signs one text, which ends with a NUL. Tests replace it to count signatures. */
export type Signer = (text: Buffer) => Buffer;

/** The signer of the envelopes of version 2. */
export interface EnvelopeSigner {
  /** SHA-256 of the key's SubjectPublicKeyInfo, 32 bytes. */
  readonly keyId: ByteString;
  /** Signs bytes. @param id  the SHA-256 of the bytes */
  sign(bytes: Buffer, id: ByteString): Buffer;
  /** Signs on another thread. The caller must not change the bytes before the promise settles. */
  signAsync(bytes: Buffer): Promise<Buffer>;
}

/**
 * The signing functions of a client. Both are null for an unsigned client. `sign` is also null for a key that version 1
 * does not support.
 */
export interface Signing {
  readonly sign: Signer | null;
  readonly signer: EnvelopeSigner | null;
}

/** A loaded key. `fingerprint` is "" for an unsigned client; `warnings` are sentences for its user. */
export interface SigningKey extends Signing {
  readonly fingerprint: string;
  readonly warnings: readonly string[];
}

/** The settings that name the key. */
interface KeyOptions {
  readonly key: ClientSettings["key"];
  readonly passphrase: ClientSettings["passphrase"];
}

/** Loads the key of a client. @throws DbsyncError `bad-key`, with the error from keys/ as its cause */
export function loadSigningKey(settings: KeyOptions): SigningKey {
  if (settings.key === null) return { sign: null, signer: null, fingerprint: "", warnings: [] };
  try {
    const { key, fingerprint, warnings } = loadPrivateKey(keySource(settings.key), {
      passphrase: settings.passphrase,
      kinds: ["rsa", "ed25519"],
    });
    const sign = key.asymmetricKeyType === "rsa" ? (text: Buffer) => signCommand(text, key) : null;
    const signer: EnvelopeSigner = {
      keyId: Buffer.from(fingerprint, "hex").toString("latin1"),
      sign: (bytes, id) => signEnvelope(bytes, key, id),
      signAsync: (bytes) => signEnvelopeAsync(bytes, key),
    };
    return { sign, signer, fingerprint, warnings };
  } catch (cause) {
    if (cause instanceof KeyFileError) throw new DbsyncError("bad-key", cause.message, { cause });
    throw cause;
  }
}

/** Returns the public half of the client's key, or null if the client does not sign. @throws DbsyncError `bad-key` */
export function publicKeyOf({ key, passphrase }: KeyOptions): KeyObject | null {
  if (key === null) return null;
  try {
    return createPublicKey(loadPrivateKey(keySource(key), { passphrase, kinds: ["rsa", "ed25519"] }).key);
  } catch (cause) {
    if (cause instanceof KeyFileError) throw new DbsyncError("bad-key", cause.message, { cause });
    throw cause;
  }
}

/** Whether a key option names a file. All other texts are PEM. */
export function isFile(key: ClientSettings["key"]): key is string {
  return typeof key === "string" && !key.includes("-----BEGIN");
}

function keySource(
  key: string | Buffer | KeyObject,
): { file: string } | { pem: string | Buffer } | KeyObject {
  if (isFile(key)) return { file: key };
  return typeof key === "string" || Buffer.isBuffer(key) ? { pem: key } : key;
}

/**
 * Returns the frame of a command. It is signed once for all daemons.
 * @param input  the command as the caller passed it, for errors
 * @throws DbsyncError `bad-command`: version 1 does not support the command
 */
export function frameOf(
  command: string | readonly string[],
  sign: Signer | null,
  input: CommandInput = command,
): Buffer {
  const text = textOf(command, input);
  const signature = sign === null ? null : sign(Buffer.from(text, "latin1")).toString("latin1");
  return Buffer.from(writeCommandFrame(text, signature), "latin1");
}

/**
 * Returns the text of a version 1 command.
 * @throws DbsyncError `bad-command`: version 1 does not support the command
 */
export function textOf(command: string | readonly string[], input: CommandInput): string {
  try {
    return commandText(command);
  } catch (cause) {
    if (!(cause instanceof UnsendableCommand)) throw cause;
    throw new DbsyncError("bad-command", cause.message, { cause, command: commandLabel(input) });
  }
}

/** The number of nonces generated from one request for random bytes. */
const NONCES_PER_BATCH = 256;

/**
 * Returns the sealer of a client, which signs envelopes using Node's crypto.
 * @param signer  null if the client has no key: the sealer then computes only the ids of envelopes
 */
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

/** The maker of unsigned envelopes, for daemons without keys. */
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
