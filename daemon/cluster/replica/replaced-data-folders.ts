/**
 * Stores the data that a member's snapshot replaces, in folders on the same disk as the live timeline. A copy that
 * could fill the disk is not begun, and unfinished copies are removed.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { snapshotFolder } from "../../engine/trust/data-folder.js";
import { syncPath } from "../../net/process/disk.js";
import { loadWith } from "../../net/process/service.js";
import type { Settings } from "../../options/settings.js";
import type { OpenDeadLetters } from "../../timeline/dead-letters.js";
import type { OrderKey } from "../../timeline/entries/entry.js";
import type { Storage } from "../../timeline/entries/storage.js";
import type { TimelineLogger } from "../../timeline/entries/timeline-logger.js";
import type { OpenReplacedData } from "../../timeline/snapshots/replaced-data.js";
import { freeBytesOf, SHARE_OF_FREE, SnapshotFiles } from "../../timeline/snapshots/snapshot-stores.js";
import type { OpenDamagedEntries } from "../../timeline/timeline-environment.js";
import type { DeadLetterFolder } from "../dead-letters/dead-letter-folder.js";
import { DeadLetterStore } from "../dead-letters/dead-letter-store.js";

/** The name of the folder in the data folder. */
const ASIDE_FOLDER = "replaced";
/** The name of its subfolder for damaged entries. */
const DAMAGED_FOLDER = "damaged";
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** The suffix of an unfinished folder. */
const PARTIAL = ".partial";
/** Milliseconds between syncs of a copy. They need not be frequent: the complete copy is synced before it is used. */
const ASIDE_SYNC_MS = 1000;
/** Bytes that a copy may need in addition to the copied bytes, for its own log and for pages that are less full. */
const MARGIN_BYTES = 16_777_216;
const MEBIBYTE = 1_048_576;
/** The maximum bytes of damaged entries to store. They are limited because their contents cannot be trusted. */
export const DAMAGED_BYTES_MAX = 64 * MEBIBYTE;

/**
 * Returns a function that opens folders for the entries that snapshots replace, or null if there is no data folder.
 * Removes the unfinished folder of an earlier process.
 * @param freeBytes  free bytes on the disk that contains a folder
 */
export function asideOf(
  data: string | null,
  log: TimelineLogger,
  freeBytes: (folder: string) => number = freeBytesOf,
): OpenReplacedData | null {
  if (data === null) return null;
  const folder = join(data, ASIDE_FOLDER);

  try {
    removePartial(folder);
  } catch (problem) {
    // The removal is tried again before the next folder is begun.
    log.warn(
      { folder, reason: (problem as Error).message },
      "the unfinished copy of a replaced timeline cannot be removed",
    );
  }

  return async (cutAt) => {
    const { DiskStorage } = await loadWith(
      "lmdb",
      "--data",
      () => import("../../timeline/disk/disk-storage.js"),
    );
    const { timelineFolder } = await import("../../timeline/disk/lmdb-reader.js");

    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    removePartial(folder);
    checkRoom(data, bytesIn(timelineFolder(data)) + bytesIn(snapshotFolder(data)), freeBytes(folder));

    const name = freeName(folder, nameOf(cutAt));
    const partial = name + PARTIAL;
    mkdirSync(partial, { mode: FOLDER_MODE });
    const storage = new DiskStorage(partial, { interval: ASIDE_SYNC_MS }, log);

    return {
      name,
      storage,
      snapshots: new SnapshotFiles(snapshotFolder(partial)),
      commit: async () => {
        await storage.close();
        renameSync(partial, name);
      },
      discard: async () => {
        await storage.close();
        rmSync(partial, { recursive: true, force: true });
      },
    };
  };
}

/**
 * The stores for entries that are removed from the timeline. All stores are in the data folder; without a data folder
 * nothing is stored.
 */
export interface RemovedDataStores {
  readonly openReplacedData: OpenReplacedData | null;
  readonly openDamagedEntries: OpenDamagedEntries | null;
  readonly openDeadLetters: OpenDeadLetters | null;
  /** Returns the number of dead letters that wait for an operator. @param now  milliseconds since 1970 */
  readonly waitingDeadLetters: (now: number) => number;
  /** The folder of dead letters, or null if there is no data folder. */
  readonly deadLetters: DeadLetterFolder | null;
}

/** Opens the folders, and completes the decisions about dead letters that an earlier process left open. */
export function removedDataStoresIn(
  { data, limits }: Settings,
  storage: Storage,
  log: TimelineLogger,
): RemovedDataStores {
  const deadLetters = data === null ? null : new DeadLetterStore(data, limits.maxDeadLetterBytes);
  deadLetters?.decide(storage, log);
  return {
    openReplacedData: asideOf(data, log),
    openDamagedEntries: openDamagedEntriesIn(data),
    openDeadLetters: deadLetters?.open ?? null,
    waitingDeadLetters: (now) => deadLetters?.waiting(now) ?? 0,
    deadLetters: deadLetters?.folder ?? null,
  };
}

/**
 * Returns a function that writes each damaged entry, with its bytes as they were on disk, to a file named by the
 * entry's date and id. Returns null if there is no data folder.
 */
export function openDamagedEntriesIn(data: string | null): OpenDamagedEntries | null {
  if (data === null) return null;
  const replaced = join(data, ASIDE_FOLDER);
  const folder = join(replaced, DAMAGED_FOLDER);

  return () => {
    /** Bytes stored so far, or null if not counted yet. */
    let bytesKept: number | null = null;
    const copies: string[] = [];
    const store = ({ at, id }: OrderKey, value: Buffer): string | null => {
      const copy = join(folder, `${nameOf(at)}-${hexOf(id)}`);
      try {
        bytesKept ??= bytesIn(folder);
        // Do not count an existing file again: an earlier attempt may have stored the entry without dropping it from
        // the timeline.
        const more = value.length - (statSync(copy, { throwIfNoEntry: false })?.size ?? 0);
        if (bytesKept + more > DAMAGED_BYTES_MAX) return null;
        mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
        writeFileSync(copy, value, { mode: FILE_MODE });
        bytesKept += more;
        copies.push(copy);
        return copy;
      } catch {
        // Do not report a disk error here, because the writer of the timeline reports it. The damaged entry stays in
        // the timeline.
        return null;
      }
    };

    const synced = async (): Promise<void> => {
      if (copies.length === 0) return;
      // Sync the files before the folders that contain them.
      for (const path of [...copies, folder, replaced, data]) await syncPath(path);
    };
    return { store, synced };
  };
}

/** Removes all unfinished folders. None of them is in use, because only one folder is written at a time. */
function removePartial(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder))
    if (name.endsWith(PARTIAL)) rmSync(join(folder, name), { recursive: true, force: true });
}

/**
 * @param copied  the number of bytes to copy
 * @throws Error  the copy could leave too little space for the live timeline
 */
function checkRoom(data: string, copied: number, free: number): void {
  const needed = copied + MARGIN_BYTES;
  if (needed <= SHARE_OF_FREE * free) return;
  throw new Error(
    `what the snapshot replaces cannot be kept aside: that needs ${mebibytes(needed)} MiB, which is more than half ` +
      `of the ${mebibytes(free)} MiB free in ${data}: free some, or remove what you no longer need in ${ASIDE_FOLDER}/`,
  );
}

const mebibytes = (bytes: number): number => Math.ceil(bytes / MEBIBYTE);

/** Returns the total length of the folder's files. */
function bytesIn(folder: string): number {
  if (!existsSync(folder)) return 0;
  let bytes = 0;
  for (const name of readdirSync(folder))
    bytes += statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  return bytes;
}

/** Formats a date as a part of a file's name. */
const nameOf = (date: number): string => new Date(date).toISOString().replaceAll(":", "-");

/** Returns a name that is not in use yet, because several folders may have the same date. */
function freeName(folder: string, date: string): string {
  let name = join(folder, date);
  for (let number = 2; existsSync(name); number++) name = join(folder, `${date}-${number}`);
  return name;
}
