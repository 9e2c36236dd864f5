/**
 * Copies the data that a member's snapshot replaces to a separate timeline, which an operator can examine and remove.
 * Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

import { copiedMarks, type EntrySource, type MarkSource, type Storage } from "../entries/storage.js";
import type { SnapshotSource, Snapshots } from "./snapshot-stores.js";

/** Entries that are copied between two turns. */
const ENTRIES_PER_TURN = 256;

/** The folder that receives the copy. */
export interface ReplacedDataFolder {
  /** The folder's name in the log. */
  readonly name: string;
  readonly storage: Storage;
  readonly snapshots: Snapshots;
  /** Closes the storage; from then on the copy counts as complete. */
  commit(): Promise<void>;
  /** Removes the copy. Does nothing after `commit`. */
  discard(): Promise<void>;
}

/**
 * Begins a copy.
 * @param cutAt  the date of the new snapshot; milliseconds since 1970
 * @throws Error  there is not enough space
 */
export type OpenReplacedData = (cutAt: number) => Promise<ReplacedDataFolder>;

export interface ReplacedDataSource {
  readonly storage: EntrySource & MarkSource;
  readonly snapshots: SnapshotSource | null;
}

/**
 * Copies all data. Nothing may be put in the meantime.
 * @param turn  resolves in a later turn, so that clients are served
 * @returns the folder's name
 */
export async function storeReplacedData(
  { storage, snapshots }: ReplacedDataSource,
  folder: ReplacedDataFolder,
  turn: () => Promise<void>,
): Promise<string> {
  try {
    for (const date of snapshots?.list() ?? []) {
      const chunks = snapshots?.read(date) ?? null;
      if (chunks !== null) folder.snapshots.write(date, chunks);
      await turn();
    }

    folder.storage.put([], copiedMarks(storage));

    for (let next: Buffer | null = null, isFirst = true; isFirst || next !== null; isFirst = false) {
      next = copySome(storage, folder.storage, next);
      await folder.storage.flushed();
      await turn();
    }

    await folder.storage.synced();
    await folder.commit();
  } catch (problem) {
    await folder.discard();
    throw problem;
  }
  return folder.name;
}

/** @returns the order key to continue from, or null if everything is copied */
function copySome(from: EntrySource, to: Storage, start: Buffer | null): Buffer | null {
  const entries: (readonly [Buffer, Buffer])[] = [];
  let next: Buffer | null = null;
  for (const [orderKey, value] of from.entries(start, null)) {
    if (entries.length === ENTRIES_PER_TURN) {
      next = Buffer.from(orderKey);
      break;
    }
    entries.push([Buffer.from(orderKey), Buffer.from(value)]);
  }

  to.put(entries);
  return next;
}
