/** Restores a backup, either as a complete data folder or only some of its keys. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { functionsFile, snapshotFolder } from "../../../daemon/engine/trust/data-folder.js";
import { compareGenesis } from "../../../daemon/engine/trust/genesis.js";
import { hashOf } from "../../../daemon/engine/trust/identity.js";
import type { Signers } from "../../../daemon/engine/trust/signers.js";
import { loadWith } from "../../../daemon/net/process/service.js";
import type { Database } from "../../../daemon/store/database.js";
import { missingCode } from "../../../daemon/store/family-code.js";
import { NO_EXPIRY } from "../../../daemon/store/keyspace/keyspace.js";
import { MissingCode } from "../../../daemon/store/rows/command-families.js";
import type { DiskStorage } from "../../../daemon/timeline/disk/disk-storage.js";
import type { TimelineLogger } from "../../../daemon/timeline/entries/timeline-logger.js";
import type { Fold } from "../../../daemon/timeline/fold/fold.js";
import { appliesAt, standstillOf } from "../../../daemon/timeline/fold/semantics-standstill.js";
import { Refold } from "../../../daemon/timeline/snapshots/refold.js";
import { storeReplacedData } from "../../../daemon/timeline/snapshots/replaced-data.js";
import { SnapshotFiles } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { publishOver, stage, unwritable } from "../../../keys/atomic-file.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { finish } from "../../../protocol/steps.js";
import { dateText } from "../../../protocol/version-2/envelope.js";
import { openingProblem, whyUnread } from "./backup-file.js";
import { asOf, DamagedBackup, OpenedBackup } from "./opened-backup.js";

/** Thrown if a backup cannot be restored. The message states the reason, and what to do. */
export class NotRestored extends Error {
  override readonly name = "NotRestored";
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** The suffix of a folder's name while it is being written. */
const UNFINISHED = ".unfinished";
/** Milliseconds between syncs. They need not be frequent: the complete folder is synced before it receives its name. */
const SYNC_MS = 1000;
const DAMAGES_SHOWN = 10;

/** Checks that the file exists and that this user may read it. @throws NotRestored */
export function requireReadable(file: string): void {
  const problem = openingProblem(file);
  if (problem !== null) throw new NotRestored(problem);
}

/** @throws NotRestored  which bytes are damaged, or why it cannot be read */
function openBackup(file: string): OpenedBackup {
  try {
    return new OpenedBackup(file, hashOf);
  } catch (problem) {
    if (!(problem instanceof DamagedBackup)) throw new NotRestored(`${file}: ${whyUnread(problem)}`);
    const shown = problem.damages
      .slice(0, DAMAGES_SHOWN)
      .map((each) => `  bytes ${each.from} to ${each.to}: ${each.problem}`);
    const more = problem.damages.length > DAMAGES_SHOWN ? [`  and more`] : [];
    throw new NotRestored(
      `${file} is damaged, and nothing was restored from it:\n${[...shown, ...more].join("\n")}\n` +
        "Use another copy of this file, or an earlier backup; or query a daemon that still has the history, with dbsync get --at.",
    );
  }
}

/**
 * Restores a backup as a data folder. The folder receives its name once it is complete.
 * @param at  the date after which entries are left out, in milliseconds since 1970, or null to restore all entries
 * @returns the description that the backup contains
 * @throws NotRestored
 */
export async function restoreFolder(
  target: string,
  file: string,
  at: number | null,
  log: TimelineLogger,
): Promise<OpenedBackup["end"]> {
  const data = resolve(target);
  requireEmpty(data);
  using view = closing(openBackup(file));
  requireReach(view, file, at);

  const source = at === null ? view : asOf(view, at);
  const disk = await loadWith(
    "lmdb",
    "--data",
    () => import("../../../daemon/timeline/disk/disk-storage.js"),
  );

  const made = data + UNFINISHED;
  try {
    // Remove the folder of a restore that was killed.
    rmSync(made, { recursive: true, force: true });
    mkdirSync(made, { mode: FOLDER_MODE });
    await fill(made, data, source, new disk.DiskStorage(made, { interval: SYNC_MS }, log));
    const { functions } = view.end;
    const path = functionsFile(made);
    // The functions have to be on the disk before the folder receives its final name.
    if (functions !== null) publishOver(stage(path, Buffer.from(functions, "base64"), FILE_MODE), path);
    renameSync(made, data);
  } catch (problem) {
    const sentence = unwritable(`--data ${data}`, problem);
    if (sentence === null) throw problem;
    removeQuietly(made);
    throw new NotRestored(sentence, { cause: problem });
  }
  return view.end;
}

/** @throws NotRestored  the target exists and is not an empty folder */
function requireEmpty(data: string): void {
  if (!existsSync(data)) return;
  if (!statSync(data).isDirectory())
    throw new NotRestored(`--data ${data} is a file: specify a folder that does not exist yet`);
  if (readdirSync(data).length > 0)
    throw new NotRestored(
      `--data ${data} is not empty: specify a folder that does not exist yet, or move its contents`,
    );
}

/** Removes an unfinished folder if possible. If the folder remains, its name shows that it is not a data folder. */
function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // The caller reports why the folder could not be written.
  }
}

/**
 * Copies entries, marks and snapshots into the storage of a new folder, and closes it.
 * @param data  the folder's later name
 */
async function fill(
  made: string,
  data: string,
  source: OpenedBackup | ReturnType<typeof asOf>,
  storage: DiskStorage,
): Promise<void> {
  await storeReplacedData(
    { storage: source, snapshots: source },
    {
      name: data,
      storage,
      snapshots: new SnapshotFiles(snapshotFolder(made)),
      commit: () => storage.close(),
      discard: async () => {
        // After a failed write, closing fails too. Only the error of the write is reported.
        await storage.close().catch(() => {});
        rmSync(made, { recursive: true, force: true });
      },
    },
    () => new Promise((turn) => setImmediate(turn)),
  );
}

function requireReach(view: OpenedBackup, file: string, at: number | null): void {
  const pruned = view.mark("pruned");
  if (pruned === null || at === null || at >= Number(pruned.toString())) return;
  throw new NotRestored(
    `${file} reaches back to ${dateText(Number(pruned.toString()))}: earlier entries are not in it (--retain). Specify a later --at, or use an earlier backup`,
  );
}

export interface KeysRestoring {
  readonly file: string;
  readonly at: number | null;
  readonly db: number;
  readonly isWanted: (key: ByteString) => boolean;
  readonly signers: Signers;
  readonly databases: number;
  /** Receives notes about the backup. */
  readonly onNotice: (text: string) => void;
}

/** A key and its value in the form that RESTORE accepts, or the reason (`problem`) why the key cannot be restored. */
export interface RestoredKey {
  readonly key: ByteString;
  /** Milliseconds since 1970, or 0 if it does not expire. */
  readonly expires: number;
  readonly payload: ByteString | null;
  readonly problem: string | null;
}

/**
 * Folds all entries of the backup, as a daemon would, and yields the requested keys of one database.
 * @throws NotRestored, StartError
 */
export function* restoredKeys(parts: KeysRestoring): Generator<RestoredKey> {
  const { file, at, db, isWanted, signers, databases, onNotice } = parts;
  const missing = missingCode([["DUMP"]]);
  if (missing !== null)
    throw new NotRestored(
      `${file}: nothing was restored from it: ${missing}. Restore it as a folder (--data)`,
    );

  using view = closing(openBackup(file));
  requireReach(view, file, at);
  if (view.end.incomplete)
    onNotice(`${file} was made while its daemon was catching up: entries may be missing`);
  const genesis = view.mark("genesis");
  if (genesis !== null) compareGenesis(genesis, signers.genesis);

  const source = at === null ? view : asOf(view, at);
  const until = at ?? view.end.last ?? 0;
  const { steps } = new Refold({
    storage: source,
    snapshots: source,
    from: source.list().at(-1) ?? null,
    hash: hashOf,
    databases,
    tailEnd: until,
    until,
    tailBytes: Number.POSITIVE_INFINITY,
    index: null,
    genesis: signers.makeRing,
    skips: () => false,
    damaged: () => {},
    found: () => {},
  });

  const fold = finishFold(steps, file);
  const standstill = appliesAt(fold, until) ? null : standstillOf(fold);
  if (standstill !== null) throw notFolded(file, standstill);

  for (const { key, expire } of fold.database.keyspaces[db]?.entries ?? []) {
    if (!isWanted(key) || (expire !== NO_EXPIRY && expire < (at ?? view.end.made))) continue;
    yield { key, expires: expire === NO_EXPIRY ? 0 : expire, ...dump(fold.database, db, key) };
  }
}

/** Serializes a value as RESTORE accepts it. The build contains the code of DUMP. */
function dump(database: Database, db: number, key: ByteString): Pick<RestoredKey, "payload" | "problem"> {
  // No key has expired at this date.
  const reply = database.execute(["DUMP", key], { at: 0, db, id: "" });
  if (reply.kind === "error") return { payload: null, problem: reply.text };
  return { payload: reply.kind === "bulk" ? reply.bytes : null, problem: null };
}

/** @throws NotRestored  the code of some commands or values is missing */
function finishFold(steps: Refold["steps"], file: string): Fold {
  try {
    return finish(steps);
  } catch (problem) {
    if (!(problem instanceof MissingCode)) throw problem;
    throw notFolded(file, problem.message);
  }
}

function notFolded(file: string, reason: string): NotRestored {
  return new NotRestored(
    `${file}: nothing was restored from it: ${reason}. dbsync restore --data makes a folder for a release that can apply it`,
  );
}

/** Returns a backup whose file is closed at the end of a block. */
const closing = (view: OpenedBackup): OpenedBackup & Disposable =>
  Object.assign(view, { [Symbol.dispose]: () => view.close() });
