/**
 * A timeline on disk, in DIR/timeline: puts are written to the log, which acknowledges them, and later to LMDB. Puts
 * that arrive while the log writes share the next write, so one sync serves all waiting callers. This module needs the
 * package lmdb, so load it only when it is used. Source: docs/decisions/0013-a-log-in-front-of-lmdb.md.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type {
  LogMark,
  Mark,
  MarkName,
  OperationGroup,
  Storage,
  StorageOperation,
} from "../entries/storage.js";
import type { TimelineLogger } from "../entries/timeline-logger.js";
import { InlineWrites } from "./file-writes.js";
import { DATA_FILE } from "./lmdb-file.js";
import { timelineFolder } from "./lmdb-reader.js";
import { LmdbTree } from "./lmdb-tree.js";
import { LOG_END_FILE, MARKER_BYTES } from "./log-record.js";
import { LogToLmdb, operationsOf, takeBatch } from "./log-to-lmdb.js";
import {
  checkFolderFormat,
  FolderInUse,
  type FolderLock,
  hasOpen,
  lockFolder,
  refuseForeignProcesses,
  writeFolderFormat,
} from "./timeline-folder.js";
import { type LogRemains, readLog, renameDamagedLog, WriteAheadLog } from "./write-ahead-log.js";

/**
 * The moment at which puts count as flushed. With "always" it is when they are on the disk. With "never" it is when
 * they were passed to the system. With an interval it is also when they were passed to the system, and at most that
 * many milliseconds later they are on the disk. A killed process loses nothing that was passed to the system; a power
 * failure may lose it. With "never" a power failure may also make the folder unusable, because LMDB's pages reach the
 * disk in any order.
 */
export type Fsync = "always" | "never" | { readonly interval: number };

/** The error after a failed write: from then on nothing is written, and nothing is acknowledged. */
export class StorageFailure extends Error {
  override readonly name = "StorageFailure";
}

/** The promise of a future write or sync, for the callers that wait for it. */
interface Waiting {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (failure: Error) => void;
}

const FOLDER_MODE = 0o700;
/**
 * If the event loop was idle for at least this many milliseconds since the last call of `flushNow`, the call belongs to
 * a new turn. The first envelope of a turn is written immediately; later envelopes of the turn share the next write.
 */
const REST_MS = 0.05;

export class DiskStorage implements Storage {
  readonly isDurable = true;
  readonly lostGroups: number;
  readonly mayHaveForgotten: boolean;
  readonly isSafe: boolean;
  readonly #folder: string;
  readonly #fsync: Fsync;
  readonly #lock: FolderLock;
  readonly #tree: LmdbTree;
  readonly #log: WriteAheadLog;
  readonly #toLmdb: LogToLmdb;
  #operations: StorageOperation[] = [];
  /** The promise of the write of `#operations`, or null if no caller waits for it. */
  #next: Waiting | null = null;
  #isWriting = false;
  /** The promise of the write in progress, or null if no caller waits for it. */
  #current: Waiting | null = null;
  #immediate: NodeJS.Immediate | null = null;
  #failure: StorageFailure | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Whether something was written since the last sync began. */
  #isUnsynced = false;
  #syncing: Promise<void> | null = null;
  /** The promise of the sync after the current one. */
  #nextSync: Waiting | null = null;
  #closing: Promise<void> | null = null;
  /** The idle milliseconds of the event loop when `flushNow` was last called. */
  #idleBefore = 0;

  /**
   * @param data  the data folder; "timeline" below it is created if necessary
   * @param log  receives a warning about a damaged log
   * @param inlineMicros  the event loop itself writes as long as a write takes fewer microseconds on average; 0 if only
   * threads write
   * @throws ForeignFolder  it has another format, and was not changed
   * @throws FolderInUse  another process uses it
   * @throws DamagedFile  LMDB's file is damaged, and LMDB would end the process
   */
  constructor(data: string, fsync: Fsync, log: TimelineLogger, inlineMicros = 0) {
    this.#folder = timelineFolder(data);
    this.#fsync = fsync;
    this.isSafe = fsync === "always";

    checkFolderFormat(this.#folder);
    mkdirSync(this.#folder, { recursive: true, mode: FOLDER_MODE });
    this.#lock = lockFolder(this.#folder);

    try {
      // Check again: another process may have written the folder before this process locked it.
      if (!checkFolderFormat(this.#folder)) writeFolderFormat(this.#folder);

      const hadOpen = hasOpen(this.#folder, DATA_FILE);
      this.#tree = new LmdbTree(this.#folder, fsync !== "never");

      // Check before reading: if two processes have the same process id, LMDB makes the second wait for seconds, and
      // then fails.
      const hasSamePid = this.#tree.hasSamePid && !hadOpen;
      const processes = hasSamePid ? [] : this.#tree.otherProcesses;
      refuseForeignProcesses(this.#folder, DATA_FILE, { processes, hasSamePid });
      this.#tree.checkMarks();

      const marker = randomBytes(MARKER_BYTES);
      const { last, lost, mayHaveRestarted } = recoverLog(this.#folder, this.#tree, marker, log);
      this.lostGroups = lost;
      this.mayHaveForgotten = lost > 0 || (fsync === "never" && mayHaveRestarted);

      const inline = new InlineWrites(inlineMicros);
      this.#log = new WriteAheadLog({ folder: this.#folder, marker, last, safety: safetyOf(fsync), inline });
      this.#toLmdb = new LogToLmdb(this.#tree, marker, {
        onMoved: (sequence) => {
          this.#log.moved(sequence);
          this.#write();
        },
        onFailed: (problem) => void this.#fail(problem),
      });
    } catch (problem) {
      if (problem instanceof FolderInUse) this.#lock.restoreOther();
      else this.#lock.unlock();
      throw problem;
    }

    if (typeof fsync === "object") this.#timer = setInterval(this.#syncOnTime, fsync.interval).unref();
  }

  get bytes(): number {
    try {
      return this.#tree.bytes + this.#log.bytes;
    } catch (problem) {
      // The folder was removed: bytes written to its open files can never be read again.
      this.#fail(problem);
      return this.#log.bytes;
    }
  }

  put(entries: readonly (readonly [orderKey: Buffer, value: Buffer])[], marks: readonly Mark[] = []): void {
    const operations: StorageOperation[] = [];
    for (const [orderKey, value] of entries) operations.push({ kind: "put", orderKey, value });
    for (const [name, value] of marks) operations.push({ kind: "mark", name, value });
    this.#enqueue(operations);
  }

  remove(orderKeys: readonly Buffer[], marks: readonly Mark[] = []): void {
    const operations: StorageOperation[] = [];
    for (const orderKey of orderKeys) operations.push({ kind: "remove", orderKey });
    for (const [name, value] of marks) operations.push({ kind: "mark", name, value });
    this.#enqueue(operations);
  }

  flushNow(): boolean {
    const idle = performance.nodeTiming.idleTime;
    const hasRested = idle - this.#idleBefore >= REST_MS;
    this.#idleBefore = idle;
    if (hasRested && this.#closing === null) this.#write();
    return this.#failure === null && this.#operations.length === 0 && !this.#isWriting;
  }

  flushed(): Promise<void> {
    // Puts after closing are ignored.
    if (this.#closing !== null) return Promise.reject(new StorageFailure(`${this.#folder} is closed`));
    return this.#written();
  }

  synced(): Promise<void> {
    return typeof this.#fsync === "object" ? this.#syncedOnTime() : this.flushed();
  }

  async #syncedOnTime(): Promise<void> {
    await this.flushed();
    if (this.#isUnsynced) {
      this.#nextSync ??= newWaiting();
      this.#timer?.ref();
      await this.#nextSync.promise;
    } else await this.#syncing;
  }

  async settled(): Promise<void> {
    await this.#written();
    await this.#toLmdb.settled();
    if (this.#failure !== null) throw this.#failure;
  }

  get(orderKey: Buffer): Buffer | null {
    return this.#toLmdb.get(orderKey);
  }

  orderKeys(from: Buffer | null, to: Buffer | null): Iterable<Buffer> {
    return this.#toLmdb.orderKeys(from, to);
  }

  entries(from: Buffer | null, to: Buffer | null): Iterable<readonly [orderKey: Buffer, value: Buffer]> {
    return this.#toLmdb.entries(from, to);
  }

  last(): Buffer | null {
    return this.#toLmdb.last();
  }

  mark(name: MarkName): Buffer | null {
    return this.#toLmdb.mark(name);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Syncs the complete log to disk. */
  protected sync(): Promise<void> {
    return this.#log.sync();
  }

  async #close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#written().catch(() => {});
    await this.#syncing?.catch(() => {});
    if (this.#isUnsynced && typeof this.#fsync === "object") this.#syncOnTime();
    await this.#syncing?.catch(() => {});

    const isMoved = await this.#moveAll();
    await this.#toLmdb.stop();
    await this.#log.close(!isMoved);
    await this.#tree.close();
    this.#lock.unlock();
  }

  /** Resolves when everything put so far is written. */
  #written(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#operations.length > 0) return (this.#next ??= newWaiting()).promise;
    return this.#isWriting ? (this.#current ??= newWaiting()).promise : Promise.resolve();
  }

  #enqueue(operations: readonly StorageOperation[]): void {
    if (this.#failure !== null || this.#closing !== null || operations.length === 0) return;
    for (const operation of operations) this.#operations.push(operation);
    if (!this.#isWriting) this.#immediate ??= setImmediate(this.#write);
  }

  /** Writes all pending operations in one write. */
  readonly #write = (): void => {
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#immediate = null;
    const operations = this.#operations;
    if (operations.length === 0 || this.#isWriting || this.#failure !== null || this.#toLmdb.hasBacklog)
      return;

    this.#operations = [];
    this.#current = this.#next;
    this.#next = null;
    this.#isWriting = true;

    try {
      const group = this.#log.write(operations);
      if (group instanceof Promise)
        group.then(
          (one) => this.#wrote(one),
          (problem: unknown) => void this.#fail(problem),
        );
      else this.#wrote(group);
    } catch (problem) {
      this.#fail(problem);
    }
  };

  #wrote(group: OperationGroup): void {
    // A sync has failed in the meantime, and that failure was reported where it occurred.
    if (this.#failure !== null) return;
    const waiting = this.#current;
    this.#current = null;
    this.#isWriting = false;
    this.#isUnsynced = true;
    this.#toLmdb.add(group);
    waiting?.resolve();
    this.#write();
  }

  readonly #syncOnTime = (): void => {
    // After a failed sync, the next sync may succeed although bytes are lost.
    if (this.#failure !== null || !this.#isUnsynced || this.#syncing !== null) return;

    const waiting = this.#nextSync;
    this.#nextSync = null;
    this.#timer?.unref();
    this.#isUnsynced = false;

    this.#syncing = this.sync().then(
      () => {
        this.#syncing = null;
        waiting?.resolve();
      },
      (problem: unknown) => {
        this.#syncing = null;
        throw this.#fail(problem);
      },
    );
    this.#syncing.catch((failure: Error) => waiting?.reject(failure));
  };

  /**
   * Empties the log into LMDB, so that a stopped daemon's folder needs no log.
   * @returns whether LMDB has everything on the disk
   */
  async #moveAll(): Promise<boolean> {
    if (this.#failure !== null) return false;
    try {
      await this.settled();
      if (this.#fsync === "never") await this.#tree.sync();
      return true;
    } catch {
      return false;
    }
  }

  #fail(problem: unknown): StorageFailure {
    const cause = problem instanceof Error ? problem.message : String(problem);
    const text = `the timeline in ${this.#folder} can no longer be written (${cause}): ${UNTIL}`;
    const failure = this.#failure ?? new StorageFailure(text, { cause: problem });

    this.#failure = failure;
    this.#operations = [];

    this.#current?.reject(failure);
    this.#next?.reject(failure);
    this.#nextSync?.reject(failure);
    this.#next = null;
    this.#nextSync = null;
    this.#current = null;
    this.#isWriting = false;

    void this.#toLmdb.stop();
    return failure;
  }
}

function safetyOf(fsync: Fsync) {
  if (fsync === "always") return "written-to-disk";
  return fsync === "never" ? "written" : "synced";
}

function newWaiting(): Waiting {
  let resolve = () => {};
  let reject: (failure: Error) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // A rejection without a waiting caller is not an error.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

const UNTIL = "nothing is acknowledged until a restart";

/**
 * Moves the log of a killed process into LMDB, together with the marker of the next process's records.
 * @returns the number of the last group, how many groups are lost, and whether the machine may have restarted since
 */
function recoverLog(
  folder: string,
  tree: LmdbTree,
  marker: Buffer,
  log: TimelineLogger,
): { readonly last: number; readonly lost: number; readonly mayHaveRestarted: boolean } {
  const { logMark } = tree;
  const { groups, lost, unsynced, end } = logMark === null ? NOTHING : readLog(folder, logMark);
  const sequence = groups.at(-1)?.sequence ?? logMark?.sequence ?? 0;
  const pending = [...groups];

  // After a loss, one transaction takes all groups, so that a crash after some of them cannot prevent the report.
  let batch = lost > 0 ? pending.splice(0) : takeBatch(pending);
  for (; pending.length > 0; batch = takeBatch(pending)) {
    const mark = { sequence: (batch.at(-1) as OperationGroup).sequence, marker: (logMark as LogMark).marker };
    tree.commitNow(operationsOf(batch), mark);
  }
  // Commit even if there is no group: the commit syncs the bytes that the previous process only passed to the system.
  tree.commitNow(operationsOf(batch), { sequence, marker });

  if (lost > 0) log.error({ lost, kept: renameDamagedLog(folder) }, DAMAGED);
  if (unsynced > 0) log.warn({ unsynced }, UNSYNCED);
  if (end === "damaged") log.warn({ file: join(folder, LOG_END_FILE) }, NO_END);
  return { last: sequence, lost, mayHaveRestarted: end === "damaged" || !end.isSameBoot };
}

const NOTHING: LogRemains = {
  groups: [],
  lost: 0,
  unsynced: 0,
  end: { written: 0, synced: 0, isSameBoot: true },
};

const DAMAGED =
  "the timeline's log is damaged: the last writes are incomplete, although they had been synced; other members, if there are any, will " +
  "send them again";
const UNSYNCED =
  "the machine restarted before the last groups of writes were on the disk, as --fsync permits: other members, if there are any, " +
  "will send them again";
const NO_END = "this file cannot be read, so the daemon does not know whether the timeline's log is complete";
