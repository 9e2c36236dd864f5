/**
 * Loads the public keys whose commands a daemon accepts, from the files and folders of its option `-s`.
 */
import type { KeyObject } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type LoadKeyOptions, loadPublicKey } from "./key-file.js";
import { KeyFileError } from "./key-file-errors.js";
import { readingFailed } from "./key-source.js";

export interface AcceptedKey {
  readonly key: KeyObject;
  readonly fingerprint: string;
  readonly file: string;
}

export interface KeySet {
  /** The keys without duplicates, in the order of the paths; within a folder by file name. */
  readonly keys: readonly AcceptedKey[];
  readonly warnings: readonly string[];
}

/**
 * Loads every path: a file, or each `*.pem` in a folder (except hidden ones, as in a shell). In a folder, a file
 * that is named like a private key is skipped with a warning; any other file that cannot be used is an error.
 * @throws KeyFileError  for the first file that cannot be used; `no-keys` for a folder without a public key
 */
export function loadPublicKeys(paths: readonly string[], options: LoadKeyOptions = {}): KeySet {
  const keys = new Map<string, AcceptedKey>();
  const warnings: string[] = [];
  for (const path of paths) {
    for (const file of isFolder(path) ? filesOf(path, warnings) : [path]) {
      const loaded = loadPublicKey({ file }, options);
      warnings.push(...loaded.warnings);
      const same = keys.get(loaded.fingerprint);
      if (same === undefined) {
        keys.set(loaded.fingerprint, { key: loaded.key, fingerprint: loaded.fingerprint, file });
      } else if (same.file !== file) {
        warnings.push(`${file} contains the same key as ${same.file}. One of them can be removed.`);
      }
    }
  }
  return { keys: [...keys.values()], warnings };
}

function filesOf(folder: string, warnings: string[]): string[] {
  const files: string[] = [];
  const names = readFolder(folder).filter((name) => name.endsWith(".pem") && !name.startsWith("."));
  for (const name of names.sort()) {
    const file = join(folder, name);
    if (isNamedForPrivateKey(name)) {
      warnings.push(
        `${file} was skipped because it is named like a private key. Keep private keys only on the clients' machines.`,
      );
    } else {
      files.push(file);
    }
  }
  if (files.length === 0) throw new KeyFileError("no-keys", { name: folder, file: folder, due: "public" });
  return files;
}

/**
 * Whether a file is named like a private key. `private-cloud-public.pem` is not, because keygen's --name is arbitrary.
 */
function isNamedForPrivateKey(name: string): boolean {
  return /private/i.test(name) && !/public/i.test(name);
}

/** Whether `path` is a folder. Returns false if it cannot be read; reading it as a file then reports the reason. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw readingFailed({ name: folder, file: folder, due: "public" }, error);
  }
}
