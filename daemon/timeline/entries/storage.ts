/**
 * The storage of a timeline's entries and marks, through which all of daemon/timeline/ uses disks. disk-storage.ts
 * implements it on disk, and memory-storage.ts in memory. The simulation has an implementation that crashes, loses
 * unsynced writes and damages entries.
 */

/**
 * The names of marks. A mark is a number or a few bytes stored next to the entries, such as the low watermark, the
 * valid snapshots, the members' votes on snapshots, or the last dead letters.
 */
export type MarkName =
  | "watermark"
  | "snapshots"
  | "votes"
  | "pruned"
  | "genesis"
  | "format"
  | "members"
  | "lists"
  | "signed-list"
  | "decisions"
  | "letters"
  | "void"
  | "state"
  | "closed";

/** Entries that are read in order: from a storage, from a folder that another process writes, or from a backup. */
export interface EntrySource {
  /**
   * Yields entries whose order key is at or after `from` and before `to`, in order; null means no bound. Buffers are
   * views that are valid until the next turn of the iterator.
   */
  entries(from: Buffer | null, to: Buffer | null): Iterable<readonly [orderKey: Buffer, value: Buffer]>;
}

/** Marks that are read from a storage, a folder or a backup, like the entries of an `EntrySource`. */
export interface MarkSource {
  /** Returns a flushed mark, or null if it was never set. */
  mark(name: MarkName): Buffer | null;
}

/** The marks that belong to the entries, and not to one daemon. */
const COPIED_MARKS: readonly MarkName[] = ["watermark", "snapshots", "pruned", "genesis", "lists"];

/** Returns the marks that a copy of the entries needs, as far as they are set. */
export const copiedMarks = (source: MarkSource): Mark[] =>
  COPIED_MARKS.flatMap((name): Mark[] => {
    const value = source.mark(name);
    return value === null ? [] : [[name, value]];
  });

export interface Storage extends EntrySource, MarkSource {
  /** Whether flushed writes survive the process. */
  readonly isDurable: boolean;
  /** Whether flushed writes also survive a power failure. */
  readonly isSafe: boolean;
  /** The bytes of entries and marks. */
  readonly bytes: number;
  /** The number of groups of writes that were safe before, but were missing when the storage was opened. */
  readonly lostGroups: number;
  /** Whether writes that `synced` reported may be missing since the storage was opened. */
  readonly mayHaveForgotten: boolean;

  /**
   * Adds entries and sets marks, all or nothing. Reads may see them only once they are flushed; a caller that needs
   * them earlier retains them itself. Puts are flushed in the order of the calls.
   * @param entries  order key (42 bytes) and value; the caller must not change either afterwards
   */
  put(entries: readonly (readonly [orderKey: Buffer, value: Buffer])[], marks?: readonly Mark[]): void;

  /**
   * Resolves when everything put so far is as safe as --fsync requires; calls that wait together share one sync.
   * Rejects when the disk has failed; from then on it always rejects, and nothing more is written.
   */
  flushed(): Promise<void>;

  /**
   * Writes everything that was put in this step, unless other work would have to wait.
   * @returns whether everything put so far is as safe as --fsync requires; if not, `flushed` waits for it, or rejects
   */
  flushNow(): boolean;

  /**
   * Resolves when everything put so far is on the disk, and may therefore be sent to members. With --fsync interval
   * that is later than `flushed`. Rejects as `flushed` does.
   */
  synced(): Promise<void>;

  /** Resolves when other threads and programs can also read everything put so far. Rejects as `flushed` does. */
  settled(): Promise<void>;

  /** Returns the flushed value at an order key, or null if there is none. */
  get(orderKey: Buffer): Buffer | null;

  /** Yields flushed order keys at or after `from` and before `to`, in order; null means no bound. */
  orderKeys(from: Buffer | null, to: Buffer | null): Iterable<Buffer>;

  /** Returns the greatest flushed order key, or null if there is no entry. */
  last(): Buffer | null;

  /** Removes entries permanently and sets marks, all or nothing; flushed like puts. */
  remove(orderKeys: readonly Buffer[], marks?: readonly Mark[]): void;

  close(): Promise<void>;
}

export type Mark = readonly [name: MarkName, value: Buffer];

const DATE_BYTES = 8;

/** Returns a mark that contains a date. @param date  milliseconds since 1970, an integer */
export function dateMark(name: MarkName, date: number): Mark {
  const bytes = Buffer.alloc(DATE_BYTES);
  bytes.writeBigUInt64BE(BigInt(date));
  return [name, bytes];
}

/** Returns the date that `dateMark` has written, in milliseconds since 1970, or null if the mark was never set. */
export function markedDate(source: MarkSource, name: MarkName): number | null {
  const mark = source.mark(name);
  return mark === null ? null : Number(mark.readBigUInt64BE());
}

/** One change of the storage. Each put and each remove is a list of such operations, in the log and in LMDB. */
export type StorageOperation =
  | { readonly kind: "put"; readonly orderKey: Buffer; readonly value: Buffer }
  | { readonly kind: "remove"; readonly orderKey: Buffer }
  | { readonly kind: "mark"; readonly name: string; readonly value: Buffer };

/** Operations that were written to the log together: all of them exist, or none. */
export interface OperationGroup {
  /** Groups are numbered consecutively from 1 on, over all restarts. */
  readonly sequence: number;
  readonly operations: readonly StorageOperation[];
  /** Bytes that the operations take in the log. */
  readonly bytes: number;
}

/** The position in the log up to which LMDB has everything. */
export interface LogMark {
  /** The number of the last group that LMDB has. */
  readonly sequence: number;
  /** The marker of the log's records: 16 bytes. */
  readonly marker: Buffer;
}
