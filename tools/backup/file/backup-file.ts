/** `dbsync backup`: writes the timeline of a data folder, whose daemon may be running, to one file. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isIncomplete } from "../../../daemon/cluster/history/catching-up-mark.js";
import { noTimeline, snapshotFolder } from "../../../daemon/engine/trust/data-folder.js";
import { hashOf } from "../../../daemon/engine/trust/identity.js";
import { syncPathNow } from "../../../daemon/net/process/disk.js";
import { openFolderView } from "../../../daemon/timeline/disk/folder-view.js";
import { ForeignFolder } from "../../../daemon/timeline/disk/timeline-folder.js";
import { SnapshotFiles } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { FUNCTIONS_NAME } from "../../../faces/redis/scripts/functions-file.js";
import { discard, publishNew, stage } from "../../../keys/atomic-file.js";
import { errnoOf } from "../../../keys/key-source.js";
import { unwritable } from "../../../keys/write-failures.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { FrameWriter } from "./backup-frames.js";
import { NoBackup, writeBackup } from "./make-backup.js";
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
    const functions = readIfThere(join(data, FUNCTIONS_NAME));
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
