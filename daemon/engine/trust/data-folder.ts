/** The data folder (--data). It is created with the daemon's own key, which identifies the daemon permanently. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  discard,
  makeFolder,
  publishNew,
  stage,
  writingFailure,
  writingFailureCode,
} from "../../../keys/atomic-file.js";
import { loadPrivateKey } from "../../../keys/key-file.js";
import { KeyFileError } from "../../../keys/key-file-errors.js";
import { errnoOf } from "../../../keys/key-source.js";
import { StartError } from "../../net/process/service.js";
import { type Identity, identityOf, makeIdentity } from "./identity.js";

const KEY_FILE = "daemon.pem";
/** The mode that permits access only to the daemon's user. */
const FOLDER_MODE = 0o700;
const KEY_MODE = 0o600;

/** Returns the folder of snapshots in a data folder. */
export const snapshotFolder = (data: string): string => join(data, "snapshots");

/** Returns the file of the function libraries of a daemon's Redis clients, in a data folder. */
export const functionsFile = (data: string): string => join(data, "functions.rdb");

/** Returns the folder for the states of a stream (--order), which replaces the timeline. */
export const orderFolder = (data: string): string => join(data, "order");

/** Returns why a folder in which no timeline was found cannot be read as a data folder, and what to do. */
export const noTimeline = (folder: string): string => noDataFolder(folder, "timeline");

/** Returns why a folder in which no key was found cannot be read as a data folder, and what to do. */
export const noKey = (folder: string): string => noDataFolder(folder, KEY_FILE);

function noDataFolder(folder: string, content: string): string {
  const reason = !existsSync(folder)
    ? "the folder does not exist, or this user cannot access it"
    : statSync(folder).isDirectory()
      ? `there is no ${content} in it, or this user cannot read it`
      : "it is a file";
  return `${reason}. Specify the folder of a daemon.`;
}

/**
 * Returns the daemon's key in a data folder. Creates the folder and the key if they are missing.
 * @param warn  receives a warning about a key that other users can read
 * @throws StartError  the folder or key cannot be used; states the cure
 */
export function openDataFolder(folder: string, warn: (sentence: string) => void = () => {}): Identity {
  const file = join(folder, KEY_FILE);
  try {
    makeFolder(folder, FOLDER_MODE);
    return readKey(file, warn) ?? makeKey(file);
  } catch (problem) {
    if (problem instanceof StartError) throw problem;
    throw new StartError(`--data ${folder}: ${unusableBecause(problem)}`, 1);
  }
}

/** Returns the daemon that a folder belongs to, or null if it has no key. @throws StartError  the key cannot be read */
export const ownerOf = (folder: string): Identity | null => readKey(join(folder, KEY_FILE), () => {});

/** Reads the key, or returns null if there is none. */
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
    publishNew(staged, file);
  } finally {
    discard(staged);
  }
  return identity;
}

/** Returns that the disk is full, and what to do, or null if that is not the problem. */
export function fullDisk(problem: unknown): string | null {
  const code = writingFailureCode(problem);
  return code === "ENOSPC" || code === "EDQUOT"
    ? `the disk is full (${code}). Free space on it, or choose a folder on another disk.`
    : null;
}

/** Returns why a folder cannot be used as a data folder, and what to do. */
export function unusableBecause(problem: unknown): string {
  const full = fullDisk(problem);
  if (full !== null) return full;
  const code = errnoOf(problem);
  const reason =
    code === "ENOTDIR" || code === "EEXIST"
      ? "it is not a folder"
      : `it cannot be used (${writingFailure(problem) ?? code})`;
  return `${reason}. Correct --data, or the folder's rights.`;
}
