/**
 * Entries and marks in LMDB: one environment in DIR/timeline, with the databases "entries" and "marks". Each commit
 * is a transaction that records the last group of the log that it includes. The map grows with the file. This module
 * needs the package lmdb, so load it only when it is used.
 */
import { statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import type { LogMark, StorageOperation } from "../entries/storage-operation.js";
import { commitBytesMax, emptyShape, sizesIn } from "./lmdb-commit-size.js";
import { DATA_FILE, findDamage } from "./lmdb-file.js";
import { checkHeader, DamagedFile, PAGE_BYTES_MAX } from "./lmdb-header.js";
import {
  BINARY,
  entrySlices,
  logMarkIn,
  orderKeySlices,
  type Slice,
  type StoredEntry,
} from "./lmdb-reader.js";
import { LmdbReserve } from "./lmdb-reserve.js";
import { LOG_KEY, writeLogMark } from "./log-mark.js";

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
    return this.#marks.get(Buffer.from(name)) ?? null;
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
      else this.#marks.put(Buffer.from(operation.name), operation.value);
    }
    this.#marks.put(LOG_KEY, writeLogMark(log));
  }
}

/** Checks the file for damage, because LMDB would end the process when it reads a damaged page. @throws DamagedFile */
function checkFile(path: string): void {
  if (!checkHeader(path)) return;
  const damage = findDamage(path, ["entries", "marks"], CHECKED_MAX);
  if (damage !== null) throw new DamagedFile(`${path} is damaged: page ${damage.page}: ${damage.problem}`);
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
