/** `dbsync backup`: writes the timeline of a data folder, to which a daemon may continue to write, to one file. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isIncomplete } from "../../../daemon/cluster/history/catching-up-mark.js";
import { functionsFile, noTimeline, snapshotFolder } from "../../../daemon/engine/trust/data-folder.js";
import { hashOf } from "../../../daemon/engine/trust/identity.js";
import { syncPathNow } from "../../../daemon/net/process/disk.js";
import { type FolderView, openFolderView } from "../../../daemon/timeline/disk/folder-view.js";
import { ForeignFolder } from "../../../daemon/timeline/disk/timeline-folder.js";
import { dateOf, readOrderKey } from "../../../daemon/timeline/entries/entry.js";
import { copiedMarks } from "../../../daemon/timeline/entries/storage.js";
import { viewParts } from "../../../daemon/timeline/entries/stored-value.js";
import { storedSnapshots } from "../../../daemon/timeline/snapshots/snapshot-schedule.js";
import type { SnapshotSource } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { SnapshotFiles } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { discard, publishNew, stage, unwritable } from "../../../keys/atomic-file.js";
import { errnoOf } from "../../../keys/key-source.js";
import { dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import {
  type BackupEnd,
  EntryItems,
  entriesOf,
  FrameReader,
  FrameWriter,
  type Hash,
  isDamage,
  writeEnd,
  writeSnapshotPiece,
} from "./backup-frames.js";
import { OpenedBackup } from "./opened-backup.js";

/** A completed backup. */
export interface BackupReport {
  readonly file: string;
  readonly bytes: number;
  readonly entries: number;
  /** The date of the last entry, or null if there is none. */
  readonly last: number | null;
  readonly snapshots: readonly number[];
  /** A hash over the complete file; hexadecimal. */
  readonly seal: string;
  /** Whether the daemon was catching up. If so, entries may be missing from the backup. */
  readonly incomplete: boolean;
}

/** Readable by its owner only, because the file contains all data. */
const MODE = 0o600;
/** The maximum number of attempts. If the daemon prunes entries during an attempt, the backup starts again. */
const RUNS_MAX = 3;

/**
 * Makes a backup. The file receives its name when it is complete and has been read back.
 * @param data  the data folder
 * @param incomplete  whether to make it even while the daemon is catching up
 * @param onProgress  receives the number of entries written so far
 * @throws NoBackup  the folder cannot be read or is damaged, the file already exists, or the disk fails
 */
export async function backUp(
  data: string,
  target: string,
  incomplete: boolean,
  onProgress: (entries: number) => void,
): Promise<BackupReport> {
  const file = resolve(target);
  if (existsSync(file)) throw alreadyThere(file);
  if (!existsSync(join(data, "timeline"))) throw new NoBackup(`--data ${data}: ${noTimeline(data)}`);
  const staged = begun(file);
  try {
    for (let run = 1; run <= RUNS_MAX; run++) {
      const seal = await runOnce(data, staged, incomplete, onProgress);
      if (seal === null) continue;
      const { end, bytes } = readBack(staged);
      publishNew(staged, file);
      // The file's name is on the disk only once its folder has been synced.
      syncPathNow(dirname(file));
      const { entries, last, snapshots } = end;
      return { file, bytes, entries, last, snapshots, seal, incomplete: end.incomplete };
    }
  } catch (problem) {
    if (errnoOf(problem) === "EEXIST") throw alreadyThere(file);
    throw failed(file, problem);
  } finally {
    discard(staged);
  }
  throw new NoBackup("its daemon prunes old entries faster than they are read: try again later");
}

/**
 * Converts an error from writing the backup into an error with a sentence for the operator. Such an error contains no
 * path, or a path in the backup's folder. An error with another path comes from reading the data folder, and is
 * returned unchanged.
 */
function failed(file: string, problem: unknown): unknown {
  const { path } = problem as NodeJS.ErrnoException;
  const isOther = path !== undefined && dirname(path) !== dirname(file);
  const sentence = isOther ? null : unwritable(file, problem);
  return sentence === null ? problem : new NoBackup(sentence, { cause: problem });
}

/** @returns the seal, or null if entries were pruned before they were read */
async function runOnce(
  data: string,
  staged: string,
  incomplete: boolean,
  progress: (entries: number) => void,
): Promise<string | null> {
  const folder = join(data, "timeline");
  const damaged = ({ page, problem }: { page: number; problem: string }) => {
    throw new NoBackup(
      `${folder}: page ${page} of data.mdb is damaged (${problem}): dbsync log verify lists all damage`,
    );
  };
  const view = await openFolderView(folder, damaged).catch((problem: unknown) => {
    throw problem instanceof ForeignFolder ? new NoBackup(`--data: ${problem.message}`) : problem;
  });

  const descriptor = openSync(staged, "w", MODE);
  try {
    if (view.mark("genesis") === null)
      throw new NoBackup(`--data ${data}: no daemon has been started with it yet`);
    const isPartial = isIncomplete(view);
    if (isPartial && !incomplete) throw new NoBackup(INCOMPLETE);

    const writer = new FrameWriter(hashOf, (bytes) => writeAll(descriptor, bytes));
    const snapshots = existsSync(snapshotFolder(data))
      ? new SnapshotFiles(snapshotFolder(data), { sweeps: false })
      : null;
    const functions = readIfThere(functionsFile(data));
    const made = {
      view,
      snapshots,
      functions,
      now: Date.now(),
      isIncomplete: isPartial,
      hash: hashOf,
      writer,
      path: staged,
      progress,
    };
    if (writeBackup(made) === null) return null;
    fsyncSync(descriptor);
    return hexOf(writer.seal.toString("latin1"));
  } finally {
    closeSync(descriptor);
    view.close();
  }
}

const INCOMPLETE =
  "its daemon is catching up, or was when it stopped, so entries that other daemons have may be missing: wait until dbsync status shows it " +
  "as live, or back up another daemon; --incomplete makes the backup anyway";

/** Reads the file from the disk, and checks that it is complete. @throws Error  it is not */
function readBack(staged: string): OpenedBackup {
  const view = new OpenedBackup(staged, hashOf);
  view.close();
  return view;
}

/** Returns why a backup could not be opened, and what to do. */
export function whyUnread(problem: unknown): string {
  const code = errnoOf(problem);
  if (code === "ENOENT" || code === "ENOTDIR")
    return "there is no such file: specify a file that dbsync backup wrote";
  if (code === "EACCES" || code === "EPERM")
    return "this user may not read it: run this as the user that made it, or as root";
  return problem instanceof Error ? problem.message : String(problem);
}

/** Returns a sentence that says why this user cannot open the file, or null if it can be opened. */
export function openingProblem(file: string): string | null {
  try {
    accessSync(file, constants.R_OK);
    return null;
  } catch (problem) {
    return `${file}: ${whyUnread(problem)}`;
  }
}

/** Creates an empty temporary file in the folder of the backup. @returns its name @throws NoBackup */
function begun(file: string): string {
  try {
    return stage(file, "", MODE);
  } catch (problem) {
    throw new NoBackup(unwritable(file, problem) ?? `${dirname(file)}: ${(problem as Error).message}`);
  }
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}

function readIfThere(path: string): Buffer | null {
  return existsSync(path) ? readFileSync(path) : null;
}

const alreadyThere = (file: string) => new NoBackup(`${file} already exists: choose another name`);

/** The folder to copy, and the file that receives the copy. */
interface BackupParts {
  readonly view: FolderView;
  /** The snapshots of the folder, or null if there are none. */
  readonly snapshots: SnapshotSource | null;
  readonly functions: Buffer | null;
  readonly now: number;
  /** Whether the daemon is catching up, or was catching up when it stopped. */
  readonly isIncomplete: boolean;
  readonly hash: Hash;
  readonly writer: FrameWriter;
  /** The file to which `writer` writes. */
  readonly path: string;
  /** Receives the number of copied entries, every 1,000 entries. */
  readonly progress: (entries: number) => void;
}

/** Thrown if the folder cannot be backed up in its current state. The message is a sentence. */
export class NoBackup extends Error {
  override readonly name = "NoBackup";
}

/** The size at which a frame of entries is closed. */
const FRAME_BYTES = 256 * 1024;
/** Maximum searches for entries that arrived in the meantime. A search takes as long as reading all order keys. */
const SEARCHES_MAX = 20;
/**
 * The maximum number of entries that may arrive in the meantime. A reader of the backup has these entries in memory.
 */
const LATE_MAX = 1_000_000;
const PROGRESS_EVERY = 1000;

/**
 * Writes a backup of a timeline's folder, to which a daemon may continue to write. The backup contains all entries that
 * existed at one moment, and the data that belong to them. An entry that arrives while the backup is being made may be
 * dated before the last copied entry. The search for such entries is therefore repeated until it finds none.
 * @returns null if the daemon has removed entries in the meantime, so the copy does not show the state of a single
 * moment; the caller then starts again
 * @throws NoBackup
 */
export function writeBackup(parts: BackupParts): BackupEnd | null {
  const { view, writer } = parts;
  if (view.log.lost > 0) throw new NoBackup(`${view.log.lost} groups of writes are missing from its log`);

  const copied = copyEntries(parts);
  const copies = copySnapshots(parts);
  const late = new Map<string, number>();
  for (let search = 1; search <= SEARCHES_MAX; search++) {
    // Read the marks before the search. If the search finds no entry, the marks and the copied entries belong to the
    // same moment.
    const marks = marksOf(view);
    const stored = storedSnapshots(view);

    const found = addMissing(parts, late);
    if (view.hasForgotten || found === "removed") return null;
    if (found > 0) continue;

    const dates = [...late.values()];
    const snapshots = copies.filter((date) => stored.includes(date) && dates.every((at) => at > date));
    const { last } = copied;
    const end: BackupEnd = {
      made: parts.now,
      entries: copied.count + late.size,
      last,
      snapshots,
      marks,
      functions: parts.functions?.toString("base64") ?? null,
      incomplete: parts.isIncomplete,
    };
    const base = view.mark("pruned");
    if (base !== null && !snapshots.includes(Number(base.toString()))) return null;
    writer.frame("end", writeEnd(end));
    return end;
  }
  throw new NoBackup(
    "its daemon is catching up and receives old entries faster than they can be read: try again when it is live",
  );
}

function copyEntries({ view, hash, writer, progress }: BackupParts): { count: number; last: number | null } {
  const items = new EntryItems();
  let count = 0;
  let last: number | null = null;
  for (const [orderKey, value] of view.entries(null)) {
    requireIntact(orderKey, value, hash);
    items.add(orderKey, value);
    last = dateOf(orderKey);
    if (++count % PROGRESS_EVERY === 0) progress(count);
    if (items.bytes >= FRAME_BYTES) writer.frame("entries", items.take());
  }

  if (items.bytes > 0) writer.frame("entries", items.take());
  return { count, last };
}

/**
 * Copies the snapshot that replaces the removed entries, and the newest snapshot, so that a start need not fold all
 * entries.
 * @returns their dates
 */
function copySnapshots({ view, snapshots, writer }: BackupParts): number[] {
  const stored = storedSnapshots(view);
  const base = view.mark("pruned");
  const wanted = new Set([...stored.slice(-1), ...(base === null ? [] : [Number(base.toString())])]);
  const copied: number[] = [];
  for (const date of wanted) {
    const chunks = snapshots?.read(date) ?? null;
    if (chunks === null) continue;
    for (const chunk of chunks) writer.frame("snapshot", writeSnapshotPiece(date, chunk));
    copied.push(date);
  }
  return copied;
}

/**
 * Compares the order keys in the folder with the order keys in the file, and adds the missing entries.
 * @param late  order keys added so far, with their dates
 */
function addMissing(
  { view, hash, writer, path }: BackupParts,
  late: Map<string, number>,
): number | "removed" {
  const written = writtenOrderKeys(path, hash);
  let next = written.next();
  const missing: Buffer[] = [];
  for (const orderKey of view.orderKeys()) {
    if (next.done !== true && next.value.compare(orderKey) < 0) return "removed";
    if (next.done !== true && next.value.equals(orderKey)) next = written.next();
    else if (!late.has(orderKey.toString("latin1"))) missing.push(Buffer.from(orderKey));
  }
  if (next.done !== true) return "removed";
  if (late.size + missing.length > LATE_MAX)
    throw new NoBackup(
      `more than ${LATE_MAX} entries arrived in the meantime: try again when its daemon is live`,
    );

  const items = new EntryItems();
  for (const orderKey of missing) {
    const [found] = view.entries(orderKey);
    if (found === undefined || !found[0].equals(orderKey)) return "removed";
    requireIntact(orderKey, found[1], hash);
    items.add(orderKey, found[1]);
    late.set(orderKey.toString("latin1"), dateOf(orderKey));
    if (items.bytes >= FRAME_BYTES) writer.frame("late", items.take());
  }

  if (items.bytes > 0) writer.frame("late", items.take());
  return missing.length;
}

function* writtenOrderKeys(path: string, hash: Hash): Generator<Buffer> {
  const reader = new FrameReader(path, hash);
  try {
    for (const found of reader.frames()) {
      if (isDamage(found))
        throw new NoBackup(
          `the bytes that the disk returns for ${path} differ from those written: ${found.problem}`,
        );
      if (found.kind === "entries") for (const [orderKey] of entriesOf(found.items)) yield orderKey;
    }
  } finally {
    reader.close();
  }
}

function requireIntact(orderKey: Buffer, value: Buffer, hash: Hash): void {
  const found = readOrderKey(orderKey);
  if (viewParts(found, value, hash) === null)
    throw new NoBackup(`an entry of ${dateText(found.at)} is damaged: dbsync log verify shows all of them`);
}

const marksOf = (view: FolderView): BackupEnd["marks"] =>
  Object.fromEntries(copiedMarks(view).map(([name, value]) => [name, value.toString("base64")]));
