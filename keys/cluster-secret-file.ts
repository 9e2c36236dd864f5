/**
 * The file with a cluster's secret, with which its daemons authenticate to each other: one line of 64 hexadecimal
 * digits, in the same file on each machine. Source: docs/member-protocol.md.
 */
import { randomBytes } from "node:crypto";
import { discard, publishNew, stage, writingFailure } from "./atomic-file.js";
import { KeyFileError, type KeyFileErrorCode, shellWord } from "./key-file-errors.js";
import { errnoOf, readKeyFile } from "./key-source.js";

const SECRET_BYTES = 32;
const SECRET_MODE = 0o600;

/**
 * Descriptions of reading errors, by code. They replace the sentences of key-file-errors.ts, which are about key files.
 */
const NO_SECRET: { readonly [code in KeyFileErrorCode]?: string } = {
  "is-folder": "is a folder",
  "too-big": "is too big",
};

/**
 * Creates a file with a new secret that only its owner can read. Never changes an existing file.
 * @returns a message for the user
 * @throws KeyFileError  secret-exists, secret-not-writable
 */
export function writeClusterSecret(file: string): string {
  const origin = { name: file, file, due: "private" } as const;
  let staged: string | null = null;
  try {
    staged = stage(file, `${randomBytes(SECRET_BYTES).toString("hex")}\n`, SECRET_MODE);
    publishNew(staged, file);
  } catch (cause) {
    const isTaken = errnoOf(cause) === "EEXIST";
    const detail = writingFailure(cause) ?? errnoOf(cause);
    throw new KeyFileError(isTaken ? "secret-exists" : "secret-not-writable", origin, { detail, cause });
  } finally {
    if (staged !== null) discard(staged);
  }
  return `secret  ${file} (mode 0600; for daemons only)

Next:
  copy it   to each machine of the cluster, and keep it secret: anyone who reads it can pose as a daemon
  start     each daemon with it:  dbsyncd --cluster-secret ${shellWord(file)} --peer host:port …
`;
}

/**
 * Reads the secret from a file, 32 bytes.
 * @returns `warnings` say which other users may read the file, with the command that fixes it
 * @throws KeyFileError  secret-missing, secret-damaged, not-readable
 */
export function readClusterSecret(file: string): { secret: Buffer; warnings: readonly string[] } {
  const origin = { name: file, file, due: "private" } as const;
  const { bytes, warnings } = readSecretFile(file);
  const text = bytes.toString("latin1").replace(/\r?\n$/, "");
  if (!/^[\da-f]{64}$/i.test(text))
    throw new KeyFileError("secret-damaged", origin, { detail: "has other contents" });
  return { secret: Buffer.from(text, "hex"), warnings };
}

function readSecretFile(file: string): ReturnType<typeof readKeyFile> {
  const origin = { name: file, file, due: "private" } as const;
  try {
    return readKeyFile(file, "private");
  } catch (cause) {
    if (!(cause instanceof KeyFileError)) throw cause;
    if (cause.code === "not-found") throw new KeyFileError("secret-missing", origin, { cause });
    const detail = NO_SECRET[cause.code];
    throw detail === undefined ? cause : new KeyFileError("secret-damaged", origin, { detail, cause });
  }
}
