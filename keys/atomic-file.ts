/**
 * Files that are there whole or not at all: written under another name in the same folder, brought to the
 * disk, then put in place in one step.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "./key-source.js";

const STAGED_NAME_BYTES = 6;

/** What file systems without hard links answer (FAT, some network shares, Android). */
const NO_HARD_LINKS = new Set(["EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"]);

/**
 * Writes `text` beside `path`, readable by nobody else while it is written.
 * @param mode  what the file has in the end, whatever the umask
 * @returns the path of what was written; hand it to `placeNew` or `placeOver`, then `discard` it
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
 * Gives a staged file its name if that is free.
 * @param link  the system's call; handed in because few file systems at hand lack it
 * @throws an error of the system; EEXIST when the name is taken
 */
export function placeNew(staged: string, path: string, link: typeof linkSync = linkSync): void {
  try {
    link(staged, path);
  } catch (error) {
    if (!NO_HARD_LINKS.has(errnoOf(error))) throw error;
    // Taking the name first keeps it exclusive; a crash between the two calls leaves an empty file, never
    // half a one.
    closeSync(openSync(path, "wx", 0o600));
    renameSync(staged, path);
  }
}

/** Gives a staged file its name, whatever had it before. */
export function placeOver(staged: string, path: string): void {
  renameSync(staged, path);
}

/** Removes what is left of a staged file. Harmless when nothing is. */
export function discard(staged: string): void {
  rmSync(staged, { force: true });
}
