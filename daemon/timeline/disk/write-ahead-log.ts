/**
 * The log of operations that LMDB may not have yet: two files, DIR/timeline/log-1 and log-2, are written in turn, with
 * one write for each group. When a file has become long, the log continues in the other file as soon as LMDB has
 * everything in that file, so both files stay small. Source: docs/decisions/0013-a-log-in-front-of-lmdb.md.
 */
import {
  closeSync,
  constants,
  existsSync,
  fdatasync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
} from "node:fs";
import { join } from "node:path";
import type { LogMark, OperationGroup, StorageOperation } from "../entries/storage.js";
import { syncFolder } from "../entries/sync-folder.js";
import { type InlineWrites, writeInThread, writeNow } from "./file-writes.js";
import {
  type FoundLogEnd,
  LogEndWriter,
  type LogRecord,
  readLogEnd,
  readRecords,
  recordBytes,
  writeRecord,
} from "./log-record.js";

const FILE_NAMES = ["log-1", "log-2"] as const;
const FILE_MODE = 0o600;
/** The length of a file after which the other file is used. Reading both files at startup takes about 50 ms. */
const FILE_BYTES = 16 * 1024 * 1024;
/** A file that a long group has made longer than this is truncated before it is written again. */
const FILE_BYTES_MAX = 2 * FILE_BYTES;
/**
 * Bytes of zeros that are written beyond the end of a file, before groups are written there: a synced write takes
 * half the time if it changes neither the file's size nor its blocks.
 */
const ZEROS_BYTES = 256 * 1024;
/** Bytes of the buffer in which the next group is assembled; longer groups have a separate buffer. */
const BUFFER_BYTES = 1024 * 1024;

/** The flag of writes that are on the disk when they return, at half the cost of a write and a sync. Linux only. */
const ON_DISK = process.platform === "linux" ? constants.O_DSYNC : 0;

/**
 * The maximum bytes of a group that the event loop writes. Passing it to the system takes less time than waking a
 * thread.
 */
const INLINE_BYTES_MAX = 256 * 1024;
/** The maximum bytes of a group that the event loop writes if the write waits for the disk. */
const INLINE_SYNCED_BYTES_MAX = 32 * 1024;

const ZEROS = Buffer.alloc(ZEROS_BYTES);

export interface WriteAheadLogOptions {
  /** The folder. It and the files are accessible only to their owner. */
  readonly folder: string;
  /** 16 random bytes, new for each process. */
  readonly marker: Buffer;
  /** The number of the last group that earlier processes wrote. */
  readonly last: number;
  /**
   * The moment at which a group is as safe as promised: when it is on the disk, when `sync` has completed, or when the
   * system has it.
   */
  readonly safety: "written-to-disk" | "synced" | "written";
  /** Decides whether the event loop itself performs writes that wait for the disk. */
  readonly inline: InlineWrites;
}

interface LogFile {
  readonly descriptor: number;
  /** The offset of the next group. */
  end: number;
  /** The size of the file in bytes, including bytes that are no longer needed. */
  size: number;
  /** The number of the last group in it. */
  last: number;
  /** Whether a part of the file may not be on the disk yet. */
  isUnsynced: boolean;
  /** Settles when the zeros beyond `size` are written; null if none are being written. */
  growing: Promise<void> | null;
}

export class WriteAheadLog {
  readonly #options: WriteAheadLogOptions;
  readonly #files: readonly [LogFile, LogFile];
  readonly #end: LogEndWriter;
  #current: LogFile;
  /** The number of the last written group. */
  #last: number;
  /** The number of the group up to which all groups are safe. */
  #safe: number;
  /** The number of the group up to which LMDB has all groups. */
  #moved: number;
  #isSyncing = false;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  /** The last write, whose failure its caller handles, or null if there is none yet. */
  #writing: Promise<OperationGroup> | null = null;

  constructor(options: WriteAheadLogOptions) {
    this.#options = options;
    const flags = options.safety === "written-to-disk" ? ON_DISK : 0;
    const [first, second] = FILE_NAMES.map((name) => openFile(join(options.folder, name), flags));
    this.#files = [first as LogFile, second as LogFile];

    this.#current = this.#files[0];
    this.#last = options.last;
    this.#safe = options.last;
    this.#moved = options.last;

    this.#end = new LogEndWriter(options.folder, FILE_MODE);
    this.#writeEnd();
    syncFolder(options.folder);
  }

  get bytes(): number {
    return this.#files[0].size + this.#files[1].size;
  }

  /**
   * Writes a group. Must not be called before the last write has ended, nor after a write has failed.
   * @returns the group, or its promise if a thread writes it
   * @throws Error  the system's error, perhaps as a rejection
   */
  write(operations: readonly StorageOperation[]): OperationGroup | Promise<OperationGroup> {
    const file = this.#fileForNext();
    const bytes = recordBytes(operations);
    const group = { sequence: this.#last + 1, operations, bytes };

    const target = bytes <= BUFFER_BYTES ? this.#buffer.subarray(0, bytes) : Buffer.allocUnsafeSlow(bytes);
    writeRecord(target, this.#options.marker, { sequence: group.sequence, safe: this.#safe, operations });
    file.last = group.sequence;

    const { safety, inline } = this.#options;
    if (!this.#isInline(file, bytes)) {
      this.#writing = this.#writeInThread(file, target, group);
      return this.#writing;
    }

    if (safety === "written-to-disk") inline.run(() => writeNow(file.descriptor, target, file.end));
    else writeNow(file.descriptor, target, file.end);
    this.#wrote(file, group);
    return group;
  }

  /** Resolves when everything written so far is on the disk. */
  async sync(): Promise<void> {
    const last = this.#last;
    this.#isSyncing = true;
    try {
      for (const file of this.#files) if (file.isUnsynced) await syncFile(file);
    } finally {
      this.#isSyncing = false;
    }
    this.#safe = Math.max(this.#safe, last);
    this.#writeEnd();
  }

  /** Records that all groups up to the given number are in LMDB, where they are as safe as in the log. */
  moved(sequence: number): void {
    this.#moved = sequence;
  }

  /**
   * Closes the files; must not be called during a sync.
   * @param isNeeded  whether the log is still needed, because LMDB does not have everything in it
   */
  async close(isNeeded: boolean): Promise<void> {
    await this.#writing?.catch(() => {});
    for (const { descriptor, growing } of this.#files) {
      await growing;
      if (!isNeeded) ftruncateSync(descriptor);
      closeSync(descriptor);
    }
    this.#end.close();
  }

  async #writeInThread(file: LogFile, target: Buffer, group: OperationGroup): Promise<OperationGroup> {
    if (file.end + group.bytes > file.size) await file.growing;
    await writeInThread(file.descriptor, target, file.end);
    if (this.#options.safety === "written-to-disk" && ON_DISK === 0) await syncFile(file);
    this.#wrote(file, group);
    return group;
  }

  #wrote(file: LogFile, { sequence, bytes }: OperationGroup): void {
    this.#last = sequence;
    file.isUnsynced = true;
    file.end += bytes;
    file.size = Math.max(file.size, file.end);
    if (this.#options.safety !== "synced") this.#safe = sequence;
    this.#writeEnd();
    this.#growAhead(file);
  }

  /**
   * Writes zeros beyond the end while groups keep arriving. If the disk is full, the write of the next group reports
   * it.
   */
  #growAhead(file: LogFile): void {
    const { descriptor, end, size, growing } = file;
    const isNear = size - end < ZEROS_BYTES / 2 && size < FILE_BYTES;
    if (this.#options.safety !== "written-to-disk" || !isNear || growing !== null) return;

    const grown = () => {
      file.growing = null;
    };
    file.growing = writeInThread(descriptor, ZEROS, size).then(() => {
      file.size = Math.max(file.size, size + ZEROS.length);
      grown();
    }, grown);
  }

  /**
   * Writes the log's end. Called only after the last group is written, because the end must never name a group that
   * does not exist.
   */
  #writeEnd(): void {
    this.#end.write(this.#last, this.#options.safety === "written" ? 0 : this.#safe);
  }

  /**
   * Whether the event loop itself writes a group. A thread writes it if it is long or a sync is running. A group that
   * is synced as it is written must also replace zeros that are already in the file, because such a write takes less
   * time.
   */
  #isInline(file: LogFile, bytes: number): boolean {
    if (this.#isSyncing || bytes > INLINE_BYTES_MAX) return false;
    const { safety, inline } = this.#options;
    if (safety !== "written-to-disk") return true;
    const isAhead = file.growing === null && file.end + bytes <= file.size;
    return ON_DISK !== 0 && isAhead && bytes <= INLINE_SYNCED_BYTES_MAX && inline.allowsNext();
  }

  #fileForNext(): LogFile {
    const current = this.#current;
    const other = this.#files[current === this.#files[0] ? 1 : 0];
    if (current.end < FILE_BYTES || other.last > this.#moved) return current;

    this.#current = other;
    other.end = 0;
    if (other.size > FILE_BYTES_MAX) {
      ftruncateSync(other.descriptor);
      other.size = 0;
    }
    return other;
  }
}

/** The groups in a process's files that LMDB does not have. */
export interface LogRemains {
  /** The groups in the order of their numbers. */
  readonly groups: readonly OperationGroup[];
  /** The number of groups that were safe and could not be read. */
  readonly lost: number;
  /** The number of groups that were not yet on the disk, and that a power failure has lost. */
  readonly unsynced: number;
  /** The file that records where the log ends. */
  readonly end: FoundLogEnd;
}

/** Reads the groups that the log has and LMDB does not have. @param mark  LMDB's position in the log */
export function readLog(folder: string, { marker, sequence: moved }: LogMark): LogRemains {
  // Read the log's end before the log. A running daemon writes a group first and the end afterwards, so the log then
  // has every group that the end names.
  const end = readLogEnd(folder);
  const records: LogRecord[] = [];
  for (const name of FILE_NAMES) {
    for (const record of readRecords(readIfThere(join(folder, name)), marker))
      if (record.sequence > moved) records.push(record);
  }

  records.sort((a, b) => a.sequence - b.sequence);
  const safe = safeIn(records, end, moved);

  const groups: OperationGroup[] = [];
  let lost = 0;
  let last = moved;

  for (const { sequence, operations } of records) {
    // Groups after the last safe one can be missing after a power failure. In that case all groups after the gap are
    // ignored.
    if (sequence > last + 1 && last + 1 > safe) break;
    lost += sequence - last - 1;
    groups.push({ sequence, operations, bytes: recordBytes(operations) });
    last = sequence;
  }

  lost += Math.max(0, safe - last);
  const written = typeof end === "object" ? end.written : 0;
  return { groups, lost, unsynced: Math.max(0, written - Math.max(last, safe)), end };
}

/** Returns the number of the last group that has to exist. */
function safeIn(records: readonly LogRecord[], end: FoundLogEnd, moved: number): number {
  const safe = records.reduce((max, record) => Math.max(max, record.safe), moved);
  if (typeof end === "string") return safe;
  if (end.isSameBoot) return Math.max(safe, end.written);
  // With --fsync never, no group is promised to survive a power failure, although the records call groups safe.
  return end.synced === 0 ? moved : Math.max(safe, end.synced);
}

/** Moves the files aside, so that an operator can examine them. @returns their new paths */
export function renameDamagedLog(folder: string): string[] {
  const names = FILE_NAMES.filter((name) => existsSync(join(folder, name)));
  return names.map((name) => {
    const target = join(folder, `${name}.damaged`);
    renameSync(join(folder, name), target);
    return target;
  });
}

function openFile(path: string, flags: number): LogFile {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | flags, FILE_MODE);
  return { descriptor, end: 0, size: fstatSync(descriptor).size, last: 0, isUnsynced: false, growing: null };
}

function syncFile(file: LogFile): Promise<void> {
  file.isUnsynced = false;
  return new Promise((resolve, reject) => {
    fdatasync(file.descriptor, (problem) => (problem === null ? resolve() : reject(problem)));
  });
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw problem;
  }
}
