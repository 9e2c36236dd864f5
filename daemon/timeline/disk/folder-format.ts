/**
 * The number of a data folder's format, in the file `format` of the folder that contains the data (DIR/timeline, or
 * DIR/order with --order). A folder of another format is refused before anything in it is changed.
 */
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { syncFolder } from "../entries/sync-folder.js";

export const FORMAT_FILE = "format";
/** The number of the format that this program reads and writes. CONTRIBUTING.md "Versions" lists all formats. */
export const FOLDER_FORMAT = 1;
const TEXT = /^dbsync data folder ([1-9]\d{0,8})\n$/;
/** The suffix of the file while it is being written. */
const PARTIAL = ".partial";
const FILE_MODE = 0o600;
/** Files that may exist although no data was written yet. */
const NO_DATA: ReadonlySet<string> = new Set(["lock", FORMAT_FILE + PARTIAL]);

/** The error for a folder of another format. */
export class ForeignFolder extends Error {
  override readonly name = "ForeignFolder";
}

/**
 * Checks the number of a folder, without changing the folder.
 * @returns whether the folder has the number; false if the folder is new
 * @throws ForeignFolder
 */
export function checkFolderFormat(folder: string): boolean {
  const names = namesIn(folder);
  if (!names.includes(FORMAT_FILE)) {
    if (names.every((name) => NO_DATA.has(name))) return false;
    throw foreign(folder, "no format number");
  }
  const [, number] = TEXT.exec(readFileSync(join(folder, FORMAT_FILE), "latin1")) ?? [];
  if (number === undefined) throw foreign(folder, "a format number that cannot be read");
  if (Number(number) !== FOLDER_FORMAT) throw foreign(folder, `format ${number}`);
  return true;
}

/** Writes the number to a new folder, and syncs it to the disk. Must precede the data. @throws Error  the system's error */
export function writeFolderFormat(folder: string): void {
  const path = join(folder, FORMAT_FILE);
  const descriptor = openSync(path + PARTIAL, "w", FILE_MODE);
  try {
    writeSync(descriptor, `dbsync data folder ${FOLDER_FORMAT}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(path + PARTIAL, path);
  syncFolder(folder);
}

function foreign(folder: string, found: string): ForeignFolder {
  return new ForeignFolder(
    `${folder} has ${found}, and this program reads only format ${FOLDER_FORMAT}. Nothing in it was changed. Use the ` +
      "program that wrote it, or a new data folder, which the other daemons of the cluster fill",
  );
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw problem;
  }
}
