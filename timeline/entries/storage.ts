/**
 * The storage of a timeline's entries and marks: the only view that the rest of timeline/ has of disks. On disk:
 * disk-storage.ts; in memory: memory-storage.ts; the simulation has one that crashes, loses unsynced writes and
 * damages entries.
 */

/**
 * The name of a number or of a few bytes that are stored next to the entries: the low watermark, the valid snapshots,
 * the members' votes on snapshots, the last dead letters, and more.
 */
export type MarkName =
  | "watermark"
  | "snapshots"
  | "votes"
  | "pruned"
  | "genesis"
  | "format"
  | "members"
  | "letters"
  | "state";

/** Entries that are read in order: of a storage, of a folder that another process writes, or of a backup. */
export interface EntrySource {
  /**
   * Returns entries whose place is at or after `from` and before `to`, in order; null: no bound. Buffers are views
   * that are valid until the next turn of the iterator.
   */
  entries(from: Buffer | null, to: Buffer | null): Iterable<readonly [place: Buffer, value: Buffer]>;
}

/** Marks that are read: of the same three. */
export interface MarkSource {
  /** null: never set. Only what is flushed. */
  mark(name: MarkName): Buffer | null;
}

export interface Storage extends EntrySource, MarkSource {
  /** Whether what is flushed outlives the process. */
  readonly isDurable: boolean;
  /** Whether what is flushed outlives a failure of power as well. */
  readonly isSafe: boolean;
  /** Bytes that entries and marks take. */
  readonly bytes: number;
  /** Groups of writes that were safe before and were not there when it was opened. */
  readonly lostGroups: number;

  /**
   * Adds entries and sets marks, all or nothing. Reads may see them only once they are flushed; a caller that needs
   * them earlier retains them itself. Puts are flushed in the order of the calls.
   * @param entries  place (42 bytes) and value; the caller must not change either afterwards
   */
  put(entries: readonly (readonly [place: Buffer, value: Buffer])[], marks?: readonly Mark[]): void;

  /**
   * Resolves when everything put so far is as safe as --fsync says; calls that wait together share one sync. Rejects
   * when the disk has failed; from then on it always rejects, and nothing more is written.
   */
  flushed(): Promise<void>;

  /**
   * Writes what was put in this step, if no other work waits for that.
   * @returns whether everything put so far is as safe as --fsync says; if not, `flushed` waits for it, or rejects
   */
  flushNow(): boolean;

  /**
   * Resolves when everything put so far is on the disk, so that members may be sent it. With --fsync interval that is
   * later than `flushed`. Rejects as `flushed` does.
   */
  synced(): Promise<void>;

  /** Resolves when other threads and programs can read everything put so far as well. Rejects as `flushed` does. */
  settled(): Promise<void>;

  /** The value at a place; null: none. Only what is flushed. */
  get(place: Buffer): Buffer | null;

  /** Places from `from` on and before `to`, in order; null: no end. Only what is flushed. */
  places(from: Buffer | null, to: Buffer | null): Iterable<Buffer>;

  /** Returns the greatest place; null: there is no entry. Only what is flushed. */
  last(): Buffer | null;

  /** Removes entries permanently and sets marks, all or nothing; flushed as puts are. */
  remove(places: readonly Buffer[], marks?: readonly Mark[]): void;

  close(): Promise<void>;
}

export type Mark = readonly [name: MarkName, value: Buffer];
