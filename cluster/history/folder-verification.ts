/**
 * Verifies a data folder: reads it, and reports what could not be checked. Nothing is opened for writing. If a daemon
 * writes the folder meanwhile, its contents at the beginning are verified.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { noTimeline, snapshotFolder } from "../../engine/trust/data-folder.js";
import { loadSigners } from "../../engine/trust/load-signers.js";
import { compareGenesis } from "../../engine/trust/recorded-genesis.js";
import type { Signers } from "../../engine/trust/signers.js";
import { errnoOf } from "../../keys/key-source.js";
import type { Settings } from "../../options/settings.js";
import { dateText } from "../../protocol/version-2/envelope.js";
import { type FolderView, openFolderView } from "../../timeline/disk/folder-view.js";
import type { PageDamage } from "../../timeline/disk/lmdb-file.js";
import { DamagedFile } from "../../timeline/disk/lmdb-header.js";
import type { LogRemains } from "../../timeline/disk/write-ahead-log.js";
import { readPlace } from "../../timeline/entries/entry.js";
import { MemoryStorage } from "../../timeline/memory-storage.js";
import { SnapshotFiles } from "../../timeline/snapshots/snapshot-files.js";
import { isIncomplete } from "./state-mark.js";
import { FAULTS_MAX, type Fault, NotChecked, Verification, type VerificationReport } from "./verification.js";

/** The state of the folder that was verified. */
export interface Seen {
  /** The process that has the folder; null: none on this machine. */
  readonly process: number | null;
  /** Number of the last group of the log. */
  readonly group: number;
  /** Whether the folder was written meanwhile; then later entries are not included. */
  readonly isWritten: boolean;
  /**
   * Entries that were added meanwhile, dated before the last that was verified: some may be in `state`, so it says
   * nothing.
   */
  readonly missed: number;
}

export interface FolderReport extends VerificationReport {
  readonly seen: Seen;
  /** Sentences that say what cannot be known. */
  readonly untold: readonly string[];
}

/** A daemon may forget old entries while they are read: then all is read again. */
const RUNS_MAX = 3;

/** @throws NotChecked. @throws StartError  the keys cannot be read, or are not the folder's */
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
    `--data ${data}: its daemon forgets old entries faster than they are read. Check it again later, or a copy of it.`,
  );
}

/** A folder of another user (mode 0700) may hold one that cannot be seen. */
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

/** @returns null  what was read was pruned meanwhile */
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
      untold: [...untoldOf(view.log, view.group), ...(isIncomplete(view) ? [INCOMPLETE] : [])],
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
    throw unreadableBy(data, problem);
  }
}

const INCOMPLETE =
  "Its daemon is catching up, or was when it stopped: entries that other daemons have may be missing.";

/** null: it has none. */
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
    untold: ["Of a file whose head is damaged nothing else is known."],
  };
}

/** @param faults  placed before the report's own */
function withFaults(report: VerificationReport, faults: readonly Fault[]): VerificationReport {
  const all = [...faults, ...report.faults];
  return { ...report, faults: all.slice(0, FAULTS_MAX), faultCount: faults.length + report.faultCount };
}

function pageFault(folder: string, { page, problem, from, to }: PageDamage): Fault {
  const span = `${dateOr(from, "the beginning")} to ${dateOr(to, "the end")}`;
  return { kind: "damaged-page", where: `${join(folder, "data.mdb")}, page ${page} (${problem}), ${span}` };
}

function dateOr(key: Buffer | null, otherwise: string): string {
  return key === null || key.length < PLACE_MIN ? otherwise : dateText(readPlace(key).at);
}

/** Bytes: marks have shorter keys. */
const PLACE_MIN = 42;

function logFaults(folder: string, { lost }: LogRemains): Fault[] {
  const groups = `${lost} ${lost === 1 ? "group" : "groups"} of writes`;
  return lost === 0 ? [] : [{ kind: "damaged-log", where: `${folder}, ${groups}` }];
}

function untoldOf({ end, unsynced }: LogRemains, group: number): string[] {
  if (end === "none")
    return ["Whether the log is whole to its end: there is no file log-end, as an older release left none."];
  if (end === "damaged") return ["Whether the log is whole to its end: the file log-end cannot be read."];
  const sentences: string[] = [];
  if (unsynced > 0)
    sentences.push(
      `What the last ${unsynced} groups of writes held: the machine was restarted before they were on the disk, as --fsync permits.`,
    );
  else if (!end.isSameBoot && group > end.written)
    sentences.push(
      "Whether the log is whole to its end: log-end is older than the log, as a power failure leaves it.",
    );
  return sentences;
}
