/** The data folder (--data): made with the daemon's own key in it, which says for good whose folder it is. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { discard, placeNew, stage } from "../../keys/atomic-file.js";
import { KeyFileError } from "../../keys/errors.js";
import { loadPrivateKey } from "../../keys/key-file.js";
import { errnoOf } from "../../keys/key-source.js";
import { StartError } from "../../net/process/start-error.js";
import { type Identity, identityOf, makeIdentity } from "./identity.js";

const KEY_FILE = "daemon.pem";
/** For the daemon's user alone. */
const FOLDER_MODE = 0o700;
const KEY_MODE = 0o600;

/** Where a data folder has its snapshots. */
export const snapshotFolder = (data: string): string => join(data, "snapshots");

/** Where it has the states of a stream (--order), in place of a timeline. */
export const orderFolder = (data: string): string => join(data, "order");

/** Returns why a folder is not read as a daemon's, and what to do. @param folder  one in which no timeline was found */
export function noTimeline(folder: string): string {
  const reason = !existsSync(folder)
    ? "there is no such folder, or this user cannot see it"
    : statSync(folder).isDirectory()
      ? "there is no timeline in it, or this user cannot read it"
      : "it is a file";
  return `${reason}. Name the folder of a daemon.`;
}

/**
 * The key in a folder; both are made where they are missing.
 * @param warn  is told of a key that others can read
 * @throws StartError  a folder or key that cannot be used, and the cure
 */
export function openDataFolder(folder: string, warn: (sentence: string) => void = () => {}): Identity {
  const file = join(folder, KEY_FILE);
  try {
    makeFolder(folder);
    return readKey(file, warn) ?? makeKey(file);
  } catch (problem) {
    if (problem instanceof StartError) throw problem;
    throw new StartError(
      `--data ${folder}: ${reasonOf(problem)}. Correct --data, or the folder's rights.`,
      1,
    );
  }
}

/** Whose folder it is; null: no daemon's. @throws StartError  its key cannot be read */
export const ownerOf = (folder: string): Identity | null => readKey(join(folder, KEY_FILE), () => {});

/** With those above it. Node's own way tries for ever where the system says ENOENT of a folder in one that is there, as in /proc. */
function makeFolder(folder: string): void {
  const make = () => mkdirSync(folder, { mode: FOLDER_MODE });
  try {
    make();
  } catch (problem) {
    const above = dirname(folder);
    if (errnoOf(problem) === "ENOENT" && above !== folder) {
      makeFolder(above);
      make();
    } else if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw problem;
  }
}

/** null: there is none. */
function readKey(file: string, warn: (sentence: string) => void): Identity | null {
  try {
    const { key, warnings } = loadPrivateKey({ file }, { kinds: ["ed25519"] });
    for (const warning of warnings) warn(warning);
    return identityOf(key);
  } catch (problem) {
    if (!(problem instanceof KeyFileError)) throw problem;
    if (problem.code === "not-found") return null;
    throw new StartError(`--data: the daemon's own key: ${problem.message}`, 1);
  }
}

function makeKey(file: string): Identity {
  const identity = makeIdentity();
  const pem = identity.key.export({ type: "pkcs8", format: "pem" }).toString();
  const staged = stage(file, pem, KEY_MODE);
  try {
    placeNew(staged, file);
  } finally {
    discard(staged);
  }
  return identity;
}

function reasonOf(problem: unknown): string {
  const code = errnoOf(problem);
  return code === "ENOTDIR" || code === "EEXIST" ? "it is no folder" : `it cannot be used (${code})`;
}
