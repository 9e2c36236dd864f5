/** Loads the key of a client, and builds the signed frame that all daemons receive. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { loadPrivateKey } from "../../keys/key-file.js";
import { KeyFileError } from "../../keys/key-file-errors.js";
import { signCommand, signEnvelope, signEnvelopeAsync } from "../../keys/sign.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { UnsendableCommand } from "../../protocol/errors.js";
import { commandText, writeCommandFrame } from "../../protocol/version-1/command-v1.js";
import type { CommandInput } from "../shared/command-input.js";
import { commandLabel } from "../shared/command-labels.js";
import { DbsyncError } from "../shared/errors.js";
import type { Settings } from "./client-settings.js";

/** Signs one text, which ends with a NUL. Tests replace it to count signatures. */
export type Signer = (text: Buffer) => Buffer;

/** Signs the envelopes of version 2. */
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
  readonly key: Settings["key"];
  readonly passphrase: Settings["passphrase"];
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

/** Returns the text of a version 1 command. @throws DbsyncError `bad-command`: version 1 does not support the command */
export function textOf(command: string | readonly string[], input: CommandInput): string {
  try {
    return commandText(command);
  } catch (cause) {
    if (!(cause instanceof UnsendableCommand)) throw cause;
    throw new DbsyncError("bad-command", cause.message, { cause, command: commandLabel(input) });
  }
}
