/**
 * The format and the lock of a data folder. The number of the format is in the file `format` of the folder that
 * contains the data (DIR/timeline, or DIR/order with --order). A folder of another format is refused before anything in
 * it is changed. The lock is for one process at a time: a file in the folder names the process that has it.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { syncFolder } from "../entries/sync-folder.js";

export const FORMAT_FILE = "format";
/** The number of the format that this program reads and writes. CONTRIBUTING.md "Versions" lists all formats. */
const FOLDER_FORMAT = 1;
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

/**
 * Writes the number to a new folder, and syncs it to the disk. Must precede the data.
 * @throws Error  the system's error
 */
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

export const LOCK_FILE = "lock";
/**
 * The maximum number of attempts: another process may take over a stale lock between our check and our own attempt.
 */
const ATTEMPTS_MAX = 3;
/**
 * The index of the start time in the fields of /proc/PID/stat after the name, which may contain spaces: the start time
 * is field 22, and the first field after the name is field 3.
 */
const START_FIELD = 22 - 3;

/**
 * Folders that this process has locked. A lock file with this process's id does not prove that this process has locked
 * the folder, because an earlier process may have had the same id.
 */
const ownFolders = new Set<string>();

/** The error if another process uses the folder. */
export class FolderInUse extends Error {
  override readonly name = "FolderInUse";
}

/** A lock that this process has. */
export interface FolderLock {
  /** Releases the folder. */
  unlock(): void;
  /** Restores the lock of the process from which this process took it, because that process is still running. */
  restoreOther(): void;
}

/**
 * Locks a folder for this process. The lock of a killed process is recognized because the process no longer exists, or
 * because its process id belongs to a process that started at another time. In another container the process ids refer
 * to other processes, so open files are checked instead.
 * @param folder  an existing folder
 * @throws FolderInUse
 */
export function lockFolder(folder: string): FolderLock {
  const real = realpathSync(folder);
  if (ownFolders.has(real)) throw new FolderInUse(`${folder} is already in use by this process`);

  const path = join(real, LOCK_FILE);
  const ours = `${process.pid} ${startOf(process.pid) ?? "?"}\n`;

  let found: string | null = null;
  for (let attempt = 0; !create(path, ours); attempt++) {
    found = read(path);
    const holder = holderOf(found);
    if (holder !== null || attempt === ATTEMPTS_MAX)
      throw inUse(folder, holder === null ? "another process" : `process ${holder}`, path);
    // Remove only the lock that was checked: another process may have replaced it in the meantime.
    if (found !== null && read(path) === found) rmSync(path, { force: true });
  }

  if (read(path) !== ours) throw inUse(folder, "another process", path);
  ownFolders.add(real);

  const end = (theirs: string | null): void => {
    if (!ownFolders.delete(real) || read(path) !== ours) return;
    if (theirs === null) rmSync(path, { force: true });
    else writeFileSync(path, theirs);
  };

  return { unlock: () => end(null), restoreOther: () => end(found) };
}

/** Returns the process of this machine that uses a folder, or null if none is visible. */
export function processIn(folder: string): number | null {
  return holderOf(read(join(folder, LOCK_FILE)));
}

/** Whether this process has a file of the folder open; true if the system does not report it. */
export function hasOpen(folder: string, file: string): boolean {
  if (!existsSync("/proc/self/maps")) return true;
  const inode = statSync(join(folder, file), { throwIfNoEntry: false })?.ino;
  return inode !== undefined && hasMapped("self", inode);
}

/**
 * Refuses the folder if a process in another container has a file of it open. The lock already excludes the processes
 * of this container that write; processes that only read are permitted.
 * @param processes    the processes that have the file open, by their process ids in their own containers
 * @param hasSamePid  whether one of these processes has the same process id as this process
 * @throws FolderInUse
 */
export function refuseForeignProcesses(
  folder: string,
  file: string,
  { processes, hasSamePid }: { readonly processes: readonly number[]; readonly hasSamePid: boolean },
): void {
  const inode = statSync(join(folder, file)).ino;
  if (hasSamePid || processes.some((pid) => isForeign(pid, inode)))
    throw inUse(folder, "a process of another container, or of another user");
}

/** Whether no visible process with that process id has the file open; false on systems without containers. */
function isForeign(pid: number, inode: number): boolean {
  return existsSync("/proc/self/maps") && !hasMapped(pid, inode);
}

function hasMapped(pid: number | "self", inode: number): boolean {
  const maps = read(`/proc/${pid}/maps`) ?? "";
  return new RegExp(`^\\S+ \\S+ \\S+ \\S+ ${inode} `, "m").test(maps);
}

/** Returns the error for a folder. @param lock  the file to remove if no process runs; omitted if one certainly runs */
function inUse(folder: string, holder: string, lock?: string): FolderInUse {
  const cure = lock === undefined ? "Stop that one first" : `If no daemon runs, remove ${lock}`;
  return new FolderInUse(
    `${folder} is in use by ${holder}: two daemons must not share a data folder. ${cure}`,
  );
}

/** @returns false if the file already exists */
function create(path: string, text: string): boolean {
  try {
    const descriptor = openSync(path, "wx", 0o600);
    try {
      writeSync(descriptor, text);
    } finally {
      closeSync(descriptor);
    }
    return true;
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw problem;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}

/** Returns the process that a lock names, if it is running. */
function holderOf(text: string | null): number | null {
  const [, number, start] = /^(\d+) (\S+)\n$/.exec(text ?? "") ?? [];
  const pid = Number(number);
  if (number === undefined || pid === process.pid || !isRunning(pid)) return null;
  const startNow = startOf(pid);
  return startNow === null || start === "?" || startNow === start ? pid : null;
}

function isRunning(pid: number): boolean {
  // A killed process that its parent has not reaped yet has released its files.
  if (statOf(pid)?.[0] === "Z") return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (problem) {
    return (problem as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Returns the start time of a process, in the system's own units, or null if the system does not report it. */
const startOf = (pid: number): string | null => statOf(pid)?.[START_FIELD] ?? null;

/** Returns the system's fields about a process, starting with its state, or null if there are none. */
function statOf(pid: number): string[] | null {
  const stat = read(`/proc/${pid}/stat`);
  return stat === null ? null : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
