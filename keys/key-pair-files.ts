/** Names the two files of a key pair, and writes both of them or neither. */
import { existsSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { discard, publishNew, publishOver, stage } from "./atomic-file.js";
import type { KeyPairPem } from "./generate-keys.js";
import { KeyFileError } from "./key-file-errors.js";
import { errnoOf } from "./key-source.js";
import { writingFailure } from "./write-failures.js";

export interface KeyPairPaths {
  readonly privateFile: string;
  readonly publicFile: string;
}

const PRIVATE_MODE = 0o600;
const PUBLIC_MODE = 0o644;

/**
 * Returns the paths of `private.pem` and `public.pem` in a folder.
 * @param name  a prefix, for `name-private.pem` and `name-public.pem`, or null for no prefix
 */
export function keyPairPaths(folder: string, name: string | null): KeyPairPaths {
  const prefix = name === null ? "" : `${name}-`;
  return {
    privateFile: join(folder, `${prefix}private.pem`),
    publicFile: join(folder, `${prefix}public.pem`),
  };
}

/**
 * Checks that both names are free, and creates the folder if it is missing, before the slow generation of a key
 * starts.
 * @throws KeyFileError  exists, not-writable
 */
export function prepareKeyPairFiles(paths: KeyPairPaths, options: { force: boolean }): void {
  const taken = [paths.privateFile, paths.publicFile].filter(isTaken);
  if (taken.length > 0 && !options.force) throw exists(taken);
  const folder = dirname(paths.privateFile);
  try {
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw notWritable(folder, error);
  }
}

/**
 * Writes a pair: the private file with mode 0600, the public one with 0644. Each file is complete or absent at any
 * time.
 * Without `force`, existing files are never changed, and both files are written or neither. With `force`, a crash
 * between the two can leave the new private file next to the old public one; writing the pair again repairs that.
 * @throws KeyFileError  exists, not-writable
 */
export function writeKeyPair(pair: KeyPairPem, paths: KeyPairPaths, options: { force: boolean }): void {
  prepareKeyPairFiles(paths, options);
  const files = [
    { path: paths.privateFile, text: pair.privatePem, mode: PRIVATE_MODE },
    { path: paths.publicFile, text: pair.publicPem, mode: PUBLIC_MODE },
  ];
  const staged: { from: string; path: string }[] = [];
  const placed: string[] = [];
  let path = paths.privateFile;
  try {
    for (const file of files) {
      path = file.path;
      staged.push({ from: stage(file.path, file.text, file.mode), path: file.path });
    }
    for (const file of staged) {
      path = file.path;
      if (options.force) publishOver(file.from, file.path);
      else publishNew(file.from, file.path);
      placed.push(file.path);
    }
  } catch (error) {
    if (!options.force) for (const file of placed) rmSync(file, { force: true });
    throw errnoOf(error) === "EEXIST" ? exists([path]) : notWritable(path, error);
  } finally {
    for (const file of staged) discard(file.from);
  }
}

/** Whether the name is in use, including by a dangling link. */
function isTaken(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function exists(taken: readonly string[]): KeyFileError {
  return new KeyFileError("exists", { name: taken.join(" and "), file: taken[0] ?? null, due: "private" });
}

function notWritable(path: string, error: unknown): KeyFileError {
  const origin = { name: path, file: path, due: "private" } as const;
  return new KeyFileError("not-writable", origin, {
    detail: writingFailure(error) ?? errnoOf(error),
    cause: error,
  });
}
