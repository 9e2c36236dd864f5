/** Reads a passphrase from the first line of a file. */
import { KeyFileError, type KeyFileErrorCode, type KeyOrigin } from "./key-file-errors.js";
import { readKeyFile } from "./key-source.js";

/** The maximum length, in bytes, of a passphrase that node:crypto accepts to decrypt a key. */
export const MAX_PASSPHRASE_BYTES = 1024;

/** Descriptions of reading errors, by code. They replace the sentences of key-file-errors.ts, which are about key files. */
const NO_SUCH_FILE: { readonly [code in KeyFileErrorCode]?: string } = {
  "not-found": "does not exist",
  "is-folder": "is a folder",
  "too-big": "is too big",
};

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Reads the first line, without its line ending.
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
  if (end > MAX_PASSPHRASE_BYTES) {
    throw new KeyFileError("passphrase-too-long", origin, { detail: `${MAX_PASSPHRASE_BYTES} bytes` });
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
