/**
 * Entries and marks in LMDB: one environment in DIR/timeline, with the databases "entries" and "marks". Each commit
 * is a transaction that records the last group of the log that it includes. The map grows with the file. This module
 * needs the package lmdb, so load it only when it is used.
 */

import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  statfsSync,
  statSync,
  writeSync,
} from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import type { LogMark, StorageOperation } from "../entries/storage.js";
import { CRC_BYTES, damagedMark, readCheckedMark, writeCheckedMark } from "./checked-mark.js";
import { writeInThread, writeNow } from "./file-writes.js";
import { checkHeader, DATA_FILE, DamagedFile, findDamage, PAGE_BYTES_MAX } from "./lmdb-file.js";
import {
  BINARY,
  entrySlices,
  logMarkIn,
  orderKeySlices,
  type Slice,
  type StoredEntry,
} from "./lmdb-reader.js";
import { LOG_KEY, writeLogMark } from "./log-record.js";

/** The number of keys whose pages are checked before LMDB reads them, which takes about 0.2 s. */
const CHECKED_MAX = 200_000;

const LIBRARY = /[\\/]lmdb[\\/]/;
const printError = console.error;
/** Suppresses the package's own output: before a failed commit rejects, the package prints the error with its stack. */
console.error = (...items: unknown[]): void => {
  const [first] = items;
  if (!(first instanceof Error && LIBRARY.test(first.stack ?? ""))) printError(...items);
};

/** The number of pages of a new file: LMDB's two heads. */
const HEADS = 2;
const NEW_FILE_BYTES_MAX = HEADS * PAGE_BYTES_MAX;

const STDERR = 2;

/** The file in which LMDB lists its readers. */
const READERS_FILE = "lock.mdb";
const FILE_MODE = 0o600;
const OTHERS_MODES = 0o077;

/**
 * Ends a line on standard error. When a write fails, LMDB itself prints the error there without a line break. If
 * standard error and the log are the same file, the next log line would otherwise continue that line.
 */
function endPrintedLine(): void {
  try {
    writeSync(STDERR, "\n");
  } catch {
    // Standard error is closed, or its reader is too slow: there is no line to end, or no better way to end it.
  }
}

export class LmdbTree {
  readonly #folder: string;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #entries: Database<Buffer, Buffer>;
  readonly #marks: Database<Buffer, Buffer>;
  readonly #reserve: LmdbReserve;
  /** Whether a process with the same process id, perhaps this process, already had the environment open. */
  readonly hasSamePid: boolean;

  /**
   * @param folder    must exist
   * @param isSynced  whether each commit is on the disk when it is done
   * @throws DamagedFile
   * @throws Error  the system's error, for example of a full disk
   */
  constructor(folder: string, isSynced: boolean) {
    this.#folder = folder;
    const file = join(folder, DATA_FILE);
    checkFile(file);
    for (const name of [DATA_FILE, READERS_FILE]) makePrivate(join(folder, name));

    this.#root = open<Buffer, Buffer>({
      path: folder,
      noSubdir: false,
      noSync: !isSynced,
      // By default, a commit resolves before the sync, and a failed sync is reported only on the console.
      overlappingSync: false,
      // By default, lmdb creates its own promise, whose rejection cannot be caught when the disk is full.
      eventTurnBatching: false,
      maxDbs: 4,
      ...BINARY,
    });

    // LMDB adds this process to its list of readers only at the first read, so the list does not contain this opening
    // yet. If no other process has the environment open, LMDB has cleared the list.
    this.hasSamePid = this.#readers().includes(process.pid);

    this.#reserve = new LmdbReserve(file);
    const { size } = statSync(file);
    // LMDB has just created the file. Two commits add the databases.
    if (size <= NEW_FILE_BYTES_MAX)
      this.#reserve.reserveNow(size, commitBytesMax([], emptyShape(size / HEADS)));

    this.#entries = this.#root.openDB("entries", BINARY);
    this.#marks = this.#root.openDB("marks", BINARY);
  }

  /** The bytes of the file, without the reserve after LMDB's last page. */
  get bytes(): number {
    return Math.min(statSync(join(this.#folder, DATA_FILE)).size, sizesIn(this.#root).used);
  }

  /**
   * Returns the ids of the other processes that have the environment open. For a process in another container, this is
   * the id inside that container. LMDB recognizes live processes by locks on its file.
   */
  get otherProcesses(): number[] {
    // The read also adds this process to the list. If two processes check at the same time, at least one process sees
    // the other process.
    this.mark("format");
    return this.#readers().filter((number) => number !== process.pid);
  }

  /** The log's mark, or null if there was no log yet. */
  get logMark(): LogMark | null {
    return logMarkIn(this.#marks);
  }

  get(orderKey: Buffer): Buffer | null {
    return this.#entries.get(orderKey) ?? null;
  }

  mark(name: string): Buffer | null {
    const key = Buffer.from(name);
    const value = this.#marks.get(key);
    return value === undefined ? null : readCheckedMark(key, value);
  }

  /** @throws DamagedFile  a mark is damaged; the environment is closed then */
  checkMarks(): void {
    for (const { key, value } of this.#marks.getRange({})) {
      if (readCheckedMark(key, value) !== null) continue;
      void this.close();
      throw new DamagedFile(damagedMark(join(this.#folder, DATA_FILE), key));
    }
  }

  orderKeys(from: Buffer | null, to: Buffer | null): Iterable<Slice<Buffer>> {
    return orderKeySlices(this.#entries, from, to);
  }

  entries(from: Buffer | null, to: Buffer | null): Iterable<Slice<StoredEntry>> {
    return entrySlices(this.#entries, from, to);
  }

  /** Yields the order keys in descending order. The iterator is valid only in this turn of the event loop. */
  backwards(): Iterable<Buffer> {
    return this.#entries.getKeys({ reverse: true });
  }

  /** Writes in the background, in one of LMDB's threads. Rejects with the system's error, or with LMDB's message. */
  async commit(operations: readonly StorageOperation[], log: LogMark): Promise<void> {
    const { used, shape } = sizesIn(this.#entries);
    await this.#reserve.reserve(used, commitBytesMax(operations, shape));
    try {
      await this.#root.batch(() => this.#execute(operations, log));
    } catch (problem) {
      endPrintedLine();
      throw await causeOf(problem);
    }
  }

  /** Writes in one step, without another thread. */
  commitNow(operations: readonly StorageOperation[], log: LogMark): void {
    const { used, shape } = sizesIn(this.#entries);
    this.#reserve.reserveNow(used, commitBytesMax(operations, shape));
    try {
      this.#root.transactionSync(() => this.#execute(operations, log));
    } catch (problem) {
      endPrintedLine();
      throw problem;
    }
  }

  /** Syncs everything that the system has buffered to disk. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      (this.#root as unknown as Syncable).sync((problem) => (problem == null ? resolve() : reject(problem)));
    });
  }

  async close(): Promise<void> {
    const { used } = sizesIn(this.#root);
    await this.#root.close();
    this.#reserve.close(used);
  }

  #readers(): number[] {
    this.#root.readerCheck();
    const rows = this.#root.readerList().matchAll(/^ *(\d+) /gm);
    return [...rows].map(([, number]) => Number(number));
  }

  #execute(operations: readonly StorageOperation[], log: LogMark): void {
    for (const operation of operations) {
      if (operation.kind === "put") this.#entries.put(operation.orderKey, operation.value);
      else if (operation.kind === "remove") this.#entries.remove(operation.orderKey);
      else this.#putMark(Buffer.from(operation.name), operation.value);
    }
    this.#putMark(LOG_KEY, writeLogMark(log));
  }

  #putMark(name: Buffer, bytes: Buffer): void {
    this.#marks.put(name, writeCheckedMark(name, bytes));
  }
}

/** Checks the file for damage, because LMDB would end the process when it reads a damaged page. @throws DamagedFile */
function checkFile(path: string): void {
  if (!checkHeader(path)) return;
  const damage = findDamage(path, ["entries", "marks"], CHECKED_MAX);
  if (damage !== null) throw new DamagedFile(`${path} is damaged: page ${damage.page}: ${damage.problem}`);
}

/**
 * Makes a file of LMDB accessible only to its owner, and creates it if it is missing: LMDB itself creates it with mode
 * 0664, less the umask, and has no option for this. LMDB accepts an empty file as a new one.
 */
function makePrivate(path: string): void {
  // An existing file is not opened: closing any descriptor of it would release the locks that this process has on it.
  const existing = statSync(path, { throwIfNoEntry: false });
  if (existing === undefined) {
    closeSync(openSync(path, "wx", FILE_MODE));
    return;
  }

  const { mode, uid } = existing;
  // The system permits only the owner and root to change the mode.
  const user = process.geteuid?.();
  if ((mode & OTHERS_MODES) !== 0 && (user === uid || user === 0)) chmodSync(path, FILE_MODE);
}

/** A method of lmdb that is missing from its types. */
interface Syncable {
  sync(done: (problem: unknown) => void): void;
}

/** Returns LMDB's own error. Its rejection contains a promise that is itself rejected with the reason. */
async function causeOf(problem: unknown): Promise<unknown> {
  try {
    if (problem instanceof Error && "commitError" in problem) await problem.commitError;
  } catch (reason) {
    return reason;
  }
  return problem;
}

/** Bytes by which the reserve grows beyond what the next commit may need, so that it grows less often. */
const STEP_BYTES = 256 * 1024;
/** Bytes at the end of the reserve that are written again if it is long enough. */
const PROBE_BYTES = 4096;
/** Bytes that are passed to the system in one call. */
const CHUNK_BYTES = 1024 * 1024;

/** Random bytes: a file system that compresses files would store zeros without reserving space. */
const FILLER = randomBytes(CHUNK_BYTES);

/** The range that is written before a commit, as offsets in the file. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * The reserve of LMDB's file: bytes after its last page, which LMDB replaces as the file grows. LMDB must never find
 * the disk full: it formats the error of a failed write into a buffer that can be too short, and then the whole process
 * ends. The reserve is therefore written before each commit, by Node, which reports the system's error: of a full disk,
 * a quota, a limit of the file's size, or a disk that became read-only.
 */
export class LmdbReserve {
  readonly #path: string;
  readonly #descriptor: number;

  /** @param path  LMDB's file, which exists */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, "r+");
  }

  /**
   * Reserves the bytes of the next commit.
   * @param used  the end of LMDB's last page in the file
   * @param bytes  the maximum bytes that the commit writes
   * @throws Error  the system's error; nothing was reserved
   */
  async reserve(used: number, bytes: number): Promise<void> {
    const { from, to } = this.#missing(used, bytes, freeIn(await statfs(this.#path)));
    const { size } = fstatSync(this.#descriptor);
    try {
      for (let at = from; at < to; at += CHUNK_BYTES)
        await writeInThread(this.#descriptor, FILLER.subarray(0, to - at), at);
    } catch (problem) {
      this.#truncate(size);
      throw problem;
    }
  }

  /** Reserves like `reserve`, without another thread. */
  reserveNow(used: number, bytes: number): void {
    const { from, to } = this.#missing(used, bytes, freeIn(statfsSync(this.#path)));
    const { size } = fstatSync(this.#descriptor);
    try {
      for (let at = from; at < to; at += CHUNK_BYTES)
        writeNow(this.#descriptor, FILLER.subarray(0, to - at), at);
    } catch (problem) {
      this.#truncate(size);
      throw problem;
    }
  }

  /** Removes the reserve, and closes the file, which LMDB has closed. @param used  the end of LMDB's last page */
  close(used: number): void {
    if (fstatSync(this.#descriptor).size > used) this.#truncate(used);
    closeSync(this.#descriptor);
  }

  /** @param free  the file system's free bytes */
  #missing(used: number, bytes: number, free: number): Range {
    const { size } = fstatSync(this.#descriptor);
    const needed = used + bytes;
    const to = size < needed ? needed + STEP_BYTES : size;
    // A file system that copies on write also needs free space to replace bytes. If little is free, write the reserve
    // again: then either the file system replaces bytes in place, or there was enough space.
    if (free < bytes) return { from: Math.min(used, size), to };
    return { from: size < needed ? size : to - PROBE_BYTES, to };
  }

  /** Shortens the file, so that other files can use the space of an incomplete reserve, or of one no longer needed. */
  #truncate(size: number): void {
    try {
      ftruncateSync(this.#descriptor, size);
    } catch {
      // The disk may accept no change at all. The reserve is then longer than necessary.
    }
  }
}

/** Returns the free bytes. File systems without a size, such as a tmpfs without a limit, report no blocks. */
function freeIn({ bavail, blocks, bsize }: { bavail: number; blocks: number; bsize: number }): number {
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}

/** The size of the tree of entries, and of the list of free pages, before the commit. */
interface TreeShape {
  readonly pageBytes: number;
  /** The number of levels of pages. */
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  /** Pages of values that are too long for a leaf. */
  readonly longPages: number;
  /** Pages that contain the list of free pages. */
  readonly freeListPages: number;
}

/** Bytes that LMDB adds to a key and its value in a page: the head of the node, and its position. */
const NODE_BYTES = 10;
/** Bytes at the beginning of each page. */
const PAGE_HEAD_BYTES = 24;
/** The bytes of a page's number, which replaces a long value, and which the list of free pages contains. */
const PAGE_NUMBER_BYTES = 8;
/**
 * The maximum number of pages that the bytes of one full page are split into: a page that was split is at least a
 * quarter full, apart from the last one.
 */
const SPLIT_MAX = 4;
/** Pages of one replaced or removed value that are entered in the list of free pages. */
const FREED_MAX = 256;
/** Pages of the small trees: the marks, the names of the trees, the list of free pages, and the two heads. */
const FIXED_PAGES = 32;

/** The shape of an empty tree. */
export const emptyShape = (pageBytes: number): TreeShape => ({
  pageBytes,
  depth: 0,
  branchPages: 0,
  leafPages: 0,
  longPages: 0,
  freeListPages: 0,
});

/** Returns the end of LMDB's last page in the file, and the shape of a tree. */
export function sizesIn(tree: Database<Buffer, Buffer>): {
  readonly used: number;
  readonly shape: TreeShape;
} {
  const statistics = tree.getStats() as Statistics;
  const { pageSize: pageBytes, free } = statistics;
  const shape = {
    pageBytes,
    depth: statistics.treeDepth,
    branchPages: statistics.treeBranchPageCount,
    leafPages: statistics.treeLeafPageCount,
    longPages: statistics.overflowPages,
    freeListPages: free.treeBranchPageCount + free.treeLeafPageCount + free.overflowPages,
  };
  return { used: (statistics.lastPageNumber + 1) * pageBytes, shape };
}

/** The pages of one tree. */
interface PageCounts {
  readonly treeDepth: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/** The result of `getStats`, which is missing from lmdb's types. */
interface Statistics extends PageCounts {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly free: PageCounts;
}

/** Returns the maximum bytes that a commit of the given operations writes. */
export function commitBytesMax(operations: readonly StorageOperation[], shape: TreeShape): number {
  const { pageBytes, depth } = shape;
  const { changed, marks, keyBytes, inlineBytes, longPages } = sizeOf(operations, pageBytes);

  // Removing a node can also change a neighboring page.
  const copiedLeaves = Math.min(2 * changed, shape.leafPages) + marks;
  const newLeaves = Math.min(changed + marks, copiedLeaves + pagesOf(SPLIT_MAX * inlineBytes, pageBytes));

  const copiedBranches = Math.min(copiedLeaves * depth, shape.branchPages);
  const branchBytes = newLeaves * (NODE_BYTES + PAGE_NUMBER_BYTES + keyBytes);
  const newBranches =
    Math.min(newLeaves, copiedBranches + pagesOf(SPLIT_MAX * branchBytes, pageBytes)) + depth;

  const freed = copiedLeaves + copiedBranches + Math.min(changed * FREED_MAX, shape.longPages);
  const freeListPages = 2 * shape.freeListPages + pagesOf(freed * PAGE_NUMBER_BYTES, pageBytes);

  const pages = copiedLeaves + newLeaves + copiedBranches + newBranches + longPages + freeListPages;
  return (pages + FIXED_PAGES) * pageBytes;
}

/**
 * Calculates how many bytes a commit of LMDB writes at most. LMDB copies each page that a commit changes, from the leaf
 * to the root, and writes the list of free pages.
 */
function sizeOf(operations: readonly StorageOperation[], pageBytes: number) {
  const marks = new Set<string>();
  let [changed, keyBytes, inlineBytes, longPages] = [0, 0, 0, 0];
  for (const operation of operations) {
    const key = operation.kind === "mark" ? operation.name.length : operation.orderKey.length;
    if (operation.kind === "mark") marks.add(operation.name);
    else changed++;
    keyBytes = Math.max(keyBytes, key);

    if (operation.kind === "remove") continue;

    const value = operation.value.length + (operation.kind === "mark" ? CRC_BYTES : 0);
    const isLong = NODE_BYTES + key + value > pageBytes / 2;
    inlineBytes += NODE_BYTES + key + (isLong ? PAGE_NUMBER_BYTES : value);
    if (isLong) longPages += pagesOf(PAGE_HEAD_BYTES + value, pageBytes);
  }
  return { changed, marks: marks.size, keyBytes, inlineBytes, longPages };
}

const pagesOf = (bytes: number, pageBytes: number): number => Math.ceil(bytes / pageBytes);
