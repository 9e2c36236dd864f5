/**
 * Writes files atomically: each file is written under another name in the same folder, synced to disk, and renamed in
 * one step. It is therefore complete or absent, never partial. Describes a file or folder that cannot be written: which
 * one, the reason, and the remedy.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "./key-source.js";

const STAGED_NAME_BYTES = 6;

/** Error codes of file systems without hard links (FAT, some network shares, Android). */
const NO_HARD_LINKS = new Set(["EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"]);

/**
 * Writes `text` to a new file in the folder of `path`. Until it is complete, only its owner can read it.
 * @param mode  the final mode of the file, whatever the umask
 * @returns the path of the staged file; pass it to `publishNew` or `publishOver`, then to `discard`
 */
export function stage(path: string, text: string | Uint8Array, mode: number): string {
  const staged = join(
    dirname(path),
    `.${basename(path)}.${randomBytes(STAGED_NAME_BYTES).toString("hex")}.tmp`,
  );

  const descriptor = openSync(staged, "wx", 0o600);
  try {
    writeFileSync(descriptor, text);
    fchmodSync(descriptor, mode);
    fsyncSync(descriptor);
  } catch (error) {
    discard(staged);
    throw error;
  } finally {
    closeSync(descriptor);
  }
  return staged;
}

/**
 * Renames a staged file to its final name if that name is free.
 * @param link  the system call, which tests replace to simulate a file system without hard links
 * @throws the system's error; EEXIST if the name is in use
 */
export function publishNew(staged: string, path: string, link: typeof linkSync = linkSync): void {
  try {
    link(staged, path);
  } catch (error) {
    if (!NO_HARD_LINKS.has(errnoOf(error))) throw error;
    // An empty file is created first to reserve the name. A crash between the two calls leaves the empty file, but
    // never a partial one.
    closeSync(openSync(path, "wx", 0o600));
    renameSync(staged, path);
  }
}

/** Renames a staged file to its final name, and replaces an existing file. */
export function publishOver(staged: string, path: string): void {
  renameSync(staged, path);
}

/** Removes a staged file if it still exists. */
export function discard(staged: string): void {
  rmSync(staged, { force: true });
}

/**
 * Creates a folder and its missing parents. It does not use Node's option `recursive`, which reports ENOENT instead of
 * EROFS, and never returns if the system reports ENOENT although the parent folder exists, as in /proc.
 * @param mode  the mode of each new folder, less the umask
 * @throws the system's error; EEXIST if the path is a file
 */
export function makeFolder(folder: string, mode?: number): void {
  const make = () => mkdirSync(folder, { mode });
  try {
    make();
  } catch (problem) {
    const above = dirname(folder);
    if (errnoOf(problem) === "ENOENT" && above !== folder) {
      makeFolder(above, mode);
      make();
    } else if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw problem;
  }
}

/** The reasons by the system's error code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on its disk",
  EDQUOT: "this user's quota on its disk is exhausted",
  EFBIG: "it is larger than this process may write",
  EROFS: "its disk is mounted read-only",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  ENOENT: "its folder does not exist",
  ENOTDIR: "a part of its path is not a folder",
  EIO: "the disk reports an error, or is full",
};

/**
 * Returns the system's error code of a failed write, such as `ENOSPC`, even if the failed write is the cause of another
 * error. Returns null for all other errors.
 */
export function writingFailureCode(problem: unknown): string | null {
  if (!(problem instanceof Error)) return null;
  const code = codeOf((problem as { readonly code?: unknown }).code);
  return REASONS[code] === undefined ? writingFailureCode(problem.cause) : code;
}

/** Returns the code and reason of a failed write, such as `ENOSPC: no space …`, or null for all other errors. */
export function writingFailure(problem: unknown): string | null {
  const code = writingFailureCode(problem);
  return code === null ? null : `${code}: ${REASONS[code]}`;
}

/** Returns the system's error code. LMDB's errors have the system's number instead. */
function codeOf(code: unknown): string {
  if (typeof code !== "number") return typeof code === "string" ? code : "";
  return Object.entries(constants.errno).find(([, number]) => number === code)?.[0] ?? "";
}

/** Returns a message about a file that could not be written and was removed, or null if `problem` is another error. */
export function unwritable(path: string, problem: unknown): string | null {
  const reason = writingFailure(problem);
  if (reason === null) return null;
  return `${path} cannot be written (${reason}). The partial file was removed. Free space there, or choose another path, and run the command again`;
}
