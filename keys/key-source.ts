/**
 * Reads keys from a file, PEM text or a node:crypto object, and passphrases from a file, and warns about unsafe file
 * modes.
 */

import type { KeyObject } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import {
  KeyFileError,
  type KeyFileErrorCode,
  type KeyHalf,
  type KeyOrigin,
  shellWord,
} from "./key-file-errors.js";

export type KeySource = { readonly file: string } | { readonly pem: string | Buffer } | KeyObject;

/** The maximum size of a key file. An encrypted RSA-16384 key has 13 KB. */
const FILE_BYTES_MAX = 1 << 18;

const GROUP_MAY_READ = 0o040;
const ALL_MAY_READ = 0o004;
const ALL_MAY_WRITE = 0o002;
const PERMISSION_BITS = 0o777;

export function originOf(source: KeySource, due: KeyHalf): KeyOrigin {
  if ("file" in source) return { name: source.file, file: source.file, due };
  return { name: "pem" in source ? "the key passed as PEM text" : "the passed key object", file: null, due };
}

/**
 * Reads a small file.
 * @param due  "private" for content that must stay secret
 * @returns `warnings` say which other users may read or change the file, with the command that fixes it
 * @throws KeyFileError  not-found, not-readable, is-folder, too-big
 */
export function readKeyFile(file: string, due: KeyHalf): { bytes: Buffer; warnings: string[] } {
  const origin: KeyOrigin = { name: file, file, due };
  let descriptor: number | null = null;
  try {
    descriptor = openSync(file, "r");
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) throw new KeyFileError("is-folder", origin);
    const bytes = readAll(descriptor);
    if (bytes === null) throw new KeyFileError("too-big", origin, { detail: `${FILE_BYTES_MAX} bytes` });
    const warning = modeWarning(file, due, stat.mode & PERMISSION_BITS);
    return { bytes, warnings: warning === null ? [] : [warning] };
  } catch (error) {
    if (error instanceof KeyFileError) throw error;
    throw readingFailed(origin, error);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** Translates the system's error into one that names the user's file or folder. */
export function readingFailed(origin: KeyOrigin, error: unknown): KeyFileError {
  const code = errnoOf(error);
  if (code === "ENOENT" || code === "ENOTDIR") return new KeyFileError("not-found", origin, { cause: error });
  const detail = code === "EACCES" || code === "EPERM" ? "permission denied" : code;
  return new KeyFileError("not-readable", origin, { detail, cause: error });
}

/** Returns the system's error code, such as `ENOENT`, or the message of any other error. */
export function errnoOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

/** Reads a file or pipe to its end. Returns null if it is longer than the limit. */
function readAll(descriptor: number): Buffer | null {
  const buffer = Buffer.alloc(FILE_BYTES_MAX + 1);
  let length = 0;
  while (length < buffer.length) {
    const count = readSync(descriptor, buffer, length, buffer.length - length, null);
    if (count === 0) return Buffer.from(buffer.subarray(0, length));
    length += count;
  }
  return null;
}

function modeWarning(file: string, due: KeyHalf, mode: number): string | null {
  // Windows has no permission bits. The mode that Node.js reports there would cause a warning for every file.
  if (process.platform === "win32") return null;
  const octal = `mode ${mode.toString(8).padStart(4, "0")}`;
  if (due === "private") {
    if ((mode & (ALL_MAY_READ | GROUP_MAY_READ)) === 0) return null;
    const readers = mode & ALL_MAY_READ ? "every user of this machine" : "its group";
    return `${file} can be read by ${readers} (${octal}). Restrict it to its owner: chmod 600 ${shellWord(file)}`;
  }
  if ((mode & ALL_MAY_WRITE) === 0) return null;
  return `${file} can be changed by every user of this machine (${octal}). Restrict it: chmod 644 ${shellWord(file)}`;
}

/** The maximum length, in bytes, of a passphrase that node:crypto accepts to decrypt a key. */
export const PASSPHRASE_BYTES_MAX = 1024;

/**
 * Descriptions of reading errors, by code. They replace the sentences of key-file-errors.ts, which are about key files.
 */
const NO_SUCH_FILE: { readonly [code in KeyFileErrorCode]?: string } = {
  "not-found": "does not exist",
  "is-folder": "is a folder",
  "too-big": "is too big",
};

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Reads a passphrase: the first line of a file, without its line ending.
 * @returns `warnings` say which other users may read the file
 * @throws KeyFileError  passphrase-file, passphrase-empty, passphrase-too-long, not-readable
 */
export function readPassphraseFile(file: string): { passphrase: Buffer; warnings: readonly string[] } {
  const origin = { name: file, file, due: "private" } as const;
  const { bytes, warnings } = readSecret(origin);
  let end = bytes.indexOf(LINE_FEED);
  if (end < 0) end = bytes.length;
  if (end > 0 && bytes[end - 1] === CARRIAGE_RETURN) end--;
  if (end === 0) throw new KeyFileError("passphrase-empty", origin);
  if (end > PASSPHRASE_BYTES_MAX) {
    throw new KeyFileError("passphrase-too-long", origin, { detail: `${PASSPHRASE_BYTES_MAX} bytes` });
  }
  return { passphrase: bytes.subarray(0, end), warnings };
}

function readSecret(origin: KeyOrigin & { readonly file: string }): ReturnType<typeof readKeyFile> {
  try {
    return readKeyFile(origin.file, "private");
  } catch (cause) {
    const detail = cause instanceof KeyFileError ? NO_SUCH_FILE[cause.code] : undefined;
    throw detail === undefined ? cause : new KeyFileError("passphrase-file", origin, { detail, cause });
  }
}
