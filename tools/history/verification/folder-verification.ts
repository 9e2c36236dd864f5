/**
 * Verifies a data folder, and reports what could not be verified. No file is opened for writing. If a daemon writes to
 * the folder during the verification, the contents as of the beginning are verified.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { isIncomplete } from "../../../daemon/cluster/history/catching-up-mark.js";
import { noTimeline, snapshotFolder } from "../../../daemon/engine/trust/data-folder.js";
import { compareGenesis } from "../../../daemon/engine/trust/genesis.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import type { Signers } from "../../../daemon/engine/trust/signers.js";
import type { Settings } from "../../../daemon/options/settings.js";
import { type FolderView, openFolderView } from "../../../daemon/timeline/disk/folder-view.js";
import { DamagedFile, type PageDamage } from "../../../daemon/timeline/disk/lmdb-file.js";
import { ForeignFolder } from "../../../daemon/timeline/disk/timeline-folder.js";
import type { LogRemains } from "../../../daemon/timeline/disk/write-ahead-log.js";
import { readOrderKey } from "../../../daemon/timeline/entries/entry.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { SnapshotFiles } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { errnoOf } from "../../../keys/key-source.js";
import { dateText } from "../../../protocol/version-2/envelope.js";
import {
  FAULTS_MAX,
  type Fault,
  NotChecked,
  Verification,
  type VerificationReport,
} from "./timeline-verification.js";

/** The state of the folder that was verified. */
export interface Seen {
  /** The process that uses the folder, or null if there is none on this machine. */
  readonly process: number | null;
  /** The number of the last group in the log. */
  readonly group: number;
  /** Whether a daemon wrote to the folder during the verification. If so, the new entries are not included. */
  readonly isWritten: boolean;
  /**
   * The number of entries that the daemon added during the verification, dated before the last verified entry. If there
   * are any, `state` may include only some of them, so it cannot be compared with another daemon's state.
   */
  readonly missed: number;
}

export interface FolderReport extends VerificationReport {
  readonly seen: Seen;
  /** Sentences that report what cannot be verified. */
  readonly untold: readonly string[];
}

/** The maximum number of attempts. If the daemon prunes entries during an attempt, everything is read again. */
const RUNS_MAX = 3;

/** @throws NotChecked. @throws StartError  the keys cannot be read, or are not those of the folder */
export async function verifyFolder(
  settings: Settings,
  data: string,
  progress: (entries: number) => void,
): Promise<FolderReport> {
  requireTimeline(data);
  const signers = loadSigners(settings, pino({ level: "silent" }));
  for (let run = 1; run <= RUNS_MAX; run++) {
    const report = await runOnce(data, signers, progress);
    if (report !== null) return report;
  }
  throw new NotChecked(
    `--data ${data}: its daemon prunes old entries faster than they are read. Check it again later, or check a copy of it.`,
  );
}

/** Checks that the folder has a timeline. In another user's folder (mode 0700) the timeline is not visible. */
function requireTimeline(data: string): void {
  try {
    accessSync(join(data, "timeline"), constants.R_OK);
  } catch (problem) {
    const code = errnoOf(problem);
    if (code !== "ENOENT" && code !== "ENOTDIR") throw unreadableBy(data, problem);
    throw new NotChecked(`--data ${data}: ${noTimeline(data)}`);
  }
}

function unreadableBy(data: string, problem: unknown): NotChecked {
  const reason = problem instanceof Error ? problem.message : String(problem);
  return new NotChecked(
    `--data ${data}: it cannot be read: ${reason}. Check it as its daemon's user, or as root.`,
  );
}

/** @returns null if entries were pruned before they were read */
async function runOnce(
  data: string,
  signers: Signers,
  progress: (entries: number) => void,
): Promise<FolderReport | null> {
  const folder = join(data, "timeline");
  const faults: Fault[] = [];
  const damaged = (damage: PageDamage) => void faults.push(pageFault(folder, damage));
  const view = await open(data, damaged);
  if (view instanceof DamagedFile) return unreadable(signers, { kind: "damaged-file", where: view.message });
  try {
    const genesis = view.mark("genesis");
    if (genesis !== null) compareGenesis(genesis, signers.genesis);
    else if (faults.length === 0 && view.log.lost === 0)
      throw new NotChecked(`--data ${data}: no daemon has been started with it yet.`);
    const report = new Verification(view, snapshotsOf(data), signers, progress).run();
    const seen = { process: view.process, group: view.group, isWritten: view.hasChanged };
    const missed = view.countMissed();
    if (view.hasForgotten) return null;
    faults.push(...logFaults(folder, view.log));
    return {
      ...withFaults(report, faults),
      seen: { ...seen, missed },
      untold: [...uncheckedOf(view.log, view.group), ...(isIncomplete(view) ? [INCOMPLETE] : [])],
    };
  } finally {
    view.close();
  }
}

async function open(
  data: string,
  onDamaged: (damage: PageDamage) => void,
): Promise<FolderView | DamagedFile> {
  try {
    return await openFolderView(join(data, "timeline"), onDamaged);
  } catch (problem) {
    if (problem instanceof DamagedFile) return problem;
    if (problem instanceof ForeignFolder) throw new NotChecked(`--data: ${problem.message}.`);
    throw unreadableBy(data, problem);
  }
}

const INCOMPLETE =
  "The daemon is catching up, or was when it stopped: entries that other daemons have may be missing.";

/** Returns the folder's snapshots, or null if it has none. */
function snapshotsOf(data: string): SnapshotFiles | null {
  const folder = snapshotFolder(data);
  return existsSync(folder) ? new SnapshotFiles(folder, { sweeps: false }) : null;
}

/** Reports a file that cannot be read at all. */
function unreadable(signers: Signers, fault: Fault): FolderReport {
  const report = new Verification(new MemoryStorage(), null, signers, () => {}).run();
  const seen = { process: null, group: 0, isWritten: false, missed: 0 };
  return {
    ...withFaults(report, [fault]),
    seen,
    untold: ["Everything else, because the head of the file is damaged."],
  };
}

/** @param faults  inserted before the faults of the report */
function withFaults(report: VerificationReport, faults: readonly Fault[]): VerificationReport {
  const all = [...faults, ...report.faults];
  return { ...report, faults: all.slice(0, FAULTS_MAX), faultCount: faults.length + report.faultCount };
}

function pageFault(folder: string, { page, problem, from, to }: PageDamage): Fault {
  const span = `${dateOr(from, "the beginning")} to ${dateOr(to, "the end")}`;
  return { kind: "damaged-page", where: `${join(folder, "data.mdb")}, page ${page} (${problem}), ${span}` };
}

function dateOr(key: Buffer | null, otherwise: string): string {
  return key === null || key.length < ORDER_KEY_BYTES_MIN ? otherwise : dateText(readOrderKey(key).at);
}

/** The minimum length of an order key in bytes: marks have shorter keys. */
const ORDER_KEY_BYTES_MIN = 42;

function logFaults(folder: string, { lost }: LogRemains): Fault[] {
  const groups = `${lost} ${lost === 1 ? "group" : "groups"} of writes`;
  return lost === 0 ? [] : [{ kind: "damaged-log", where: `${folder}, ${groups}` }];
}

function uncheckedOf({ end, unsynced }: LogRemains, group: number): string[] {
  if (end === "damaged") return ["Whether the log is complete to its end: the file log-end cannot be read."];
  const sentences: string[] = [];
  if (unsynced > 0)
    sentences.push(
      `The contents of the last ${unsynced} groups of writes: the machine was restarted before they were on the disk, as --fsync permits.`,
    );
  else if (!end.isSameBoot && group > end.written)
    sentences.push(
      "Whether the log is complete to its end: log-end is older than the log, as after a power failure.",
    );
  return sentences;
}
