/** The key of a client: from an option to a loaded key, and from a command to the frame that all daemons receive. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { KeyFileError } from "../../keys/errors.js";
import { loadPrivateKey } from "../../keys/key-file.js";
import { signCommand, signEnvelope, signEnvelopeAside } from "../../keys/sign.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { UnsendableCommand } from "../../protocol/errors.js";
import { commandText, writeCommandFrame } from "../../protocol/version-1/command-v1.js";
import type { CommandInput } from "../shared/command.js";
import { commandLabel } from "../shared/command-labels.js";
import { DbsyncError } from "../shared/errors.js";
import type { Settings } from "./options.js";

/** Signs one text, which ends with its NUL. Handed in by tests that count signatures. */
export type Signer = (text: Buffer) => Buffer;

/** Signs version 2's envelopes. */
export interface EnvelopeSigner {
  /** SHA-256 of the key's SubjectPublicKeyInfo, 32 bytes. */
  readonly keyId: ByteString;
  /** @param id  their SHA-256 */
  sign(bytes: Buffer, id: ByteString): Buffer;
  /** The same on another thread; the bytes are not to be changed meanwhile. */
  signAside(bytes: Buffer): Promise<Buffer>;
}

/**
 * The signing functions of a client. Both are null for an unsigned client, `sign` also for a key that version 1 does
 * not support.
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

/** The options that name the key, as `Settings` has them. */
interface KeyOptions {
  readonly key: Settings["key"];
  readonly passphrase: Settings["passphrase"];
}

/** @throws DbsyncError `bad-key`, with keys/ own error as its cause */
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
      signAside: (bytes) => signEnvelopeAside(bytes, key),
    };
    return { sign, signer, fingerprint, warnings };
  } catch (cause) {
    if (cause instanceof KeyFileError) throw new DbsyncError("bad-key", cause.message, { cause });
    throw cause;
  }
}

/** Returns the public half of the client's key; null: it signs with none. @throws DbsyncError `bad-key` */
export function publicKeyOf({ key, passphrase }: KeyOptions): KeyObject | null {
  if (key === null) return null;
  try {
    return createPublicKey(loadPrivateKey(keySource(key), { passphrase, kinds: ["rsa", "ed25519"] }).key);
  } catch (cause) {
    if (cause instanceof KeyFileError) throw new DbsyncError("bad-key", cause.message, { cause });
    throw cause;
  }
}

/** Whether a key option names a file; other texts are PEM themselves. */
export function isFile(key: Settings["key"]): key is string {
  return typeof key === "string" && !key.includes("-----BEGIN");
}

function keySource(
  key: string | Buffer | KeyObject,
): { file: string } | { pem: string | Buffer } | KeyObject {
  if (isFile(key)) return { file: key };
  return typeof key === "string" || Buffer.isBuffer(key) ? { pem: key } : key;
}

/**
 * Returns the frame of a command: signed once, whatever the number of daemons.
 * @param given  the command as the caller gave it, for errors
 * @throws DbsyncError `bad-command`: version 1 cannot carry it
 */
export function frameOf(
  command: string | readonly string[],
  sign: Signer | null,
  given: CommandInput = command,
): Buffer {
  const text = commandTextOf(command, given);
  const signature = sign === null ? null : sign(Buffer.from(text, "latin1")).toString("latin1");
  return Buffer.from(writeCommandFrame(text, signature), "latin1");
}

function commandTextOf(command: string | readonly string[], given: CommandInput): string {
  try {
    return commandText(command);
  } catch (cause) {
    if (!(cause instanceof UnsendableCommand)) throw cause;
    throw new DbsyncError("bad-command", cause.message, { cause, command: commandLabel(given) });
  }
}
