/**
 * Makes a backup of a timeline's folder, to which a daemon may continue to write. The backup contains all entries that
 * existed at one moment, and the data that belong to them. An entry that arrives while the backup is being made may be
 * dated before the last copied entry. The search for such entries is therefore repeated until it finds none.
 */
import type { FolderView } from "../../../daemon/timeline/disk/folder-view.js";
import { dateOf, readOrderKey } from "../../../daemon/timeline/entries/entry.js";
import { copiedMarks } from "../../../daemon/timeline/entries/storage.js";
import { viewParts } from "../../../daemon/timeline/entries/stored-value.js";
import { storedSnapshots } from "../../../daemon/timeline/snapshots/snapshot-schedule.js";
import type { SnapshotSource } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { dateText } from "../../../protocol/version-2/envelope.js";
import { FrameReader, type FrameWriter, type Hash, isDamage } from "./backup-frames.js";
import { type BackupEnd, EntryItems, entriesOf, writeEnd, writeSnapshotPiece } from "./backup-items.js";

export interface BackupParts {
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
 * Writes a backup.
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
