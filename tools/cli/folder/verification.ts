/**
 * Checks a daemon's data folder or a backup, first all bytes and then the timeline, and formats the report of
 * `dbsync log verify`.
 */

import { pino } from "pino";
import { compareGenesis } from "../../../daemon/engine/trust/genesis.js";
import { hashOf } from "../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { StartError } from "../../../daemon/net/process/service.js";
import { isSigned, type Settings } from "../../../daemon/options/settings.js";
import { NoWriters } from "../../../daemon/options/settings-rules.js";
import { installFamilies } from "../../../daemon/store/family-code.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { dateText } from "../../../protocol/version-2/envelope.js";
import { openingProblem, whyUnread } from "../../backup/file/backup-file.js";
import { DamagedBackup, OpenedBackup } from "../../backup/file/opened-backup.js";
import {
  FAULTS_MAX,
  type FaultKind,
  type FolderReport,
  NotChecked,
  type Seen,
  Verification,
  type VerificationReport,
  verifyFolder,
} from "../../history/verification/timeline-verification.js";
import { EXIT } from "../shared/exit-codes.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { countEntries } from "../shared/progress.js";
import { daemonSettings, FACES, KEYS_MISSING, withFolderErrors } from "./data-folder.js";

/** Checks a folder. @param backup  a file to check instead, or undefined @throws Failure */
export function verify(
  flags: FolderFlags,
  backup: string | undefined,
): Promise<FolderReport | BackupVerification> {
  // A file that cannot be opened does not mean that the folder is damaged.
  const check = async () => {
    const problem = backup === undefined ? null : openingProblem(backup);
    if (problem !== null) throw new NotChecked(problem);
    installFamilies(FACES);
    return await verifyWith(await settingsFor(flags), backup);
  };
  return withFolderErrors(check, {
    kinds: [NotChecked],
    failed: EXIT.unchecked,
  });
}

/** @throws StartError */
async function settingsFor(flags: FolderFlags): Promise<Settings> {
  try {
    return await daemonSettings(flags);
  } catch (problem) {
    throw problem instanceof NoWriters ? new StartError(KEYS_MISSING, problem.exitCode) : problem;
  }
}

/** @throws StartError, NotChecked */
async function verifyWith(
  settings: Settings,
  backup: string | undefined,
): Promise<FolderReport | BackupVerification> {
  const { data } = settings;
  if (data === null && backup === undefined)
    throw new StartError("--data is missing: add --data FOLDER, or --backup FILE.", 2);
  if (!isSigned(settings)) throw new StartError(KEYS_MISSING, 2);
  using progress = countEntries();
  const show = (entries: number) => progress.show(entries);
  if (backup !== undefined || data === null) return verifyBackup(settings, backup ?? "", show);
  return await verifyFolder(settings, data, show);
}

const SENTENCES: Readonly<Record<FaultKind, string>> = {
  damaged: "its bytes are damaged",
  "damaged-file": "the file cannot be read",
  "damaged-page": "the page cannot be read, and its contents are unknown",
  "damaged-log": "the last acknowledged entries are missing",
  "damaged-promises":
    "the promises for decisions are damaged, and its daemon has to obtain them from the other members",
  "wrong-id": "its bytes are intact, but belong to another envelope",
  "wrong-cluster": "it was signed for another cluster",
  "unknown-signer": "no recorded command added its signer's key",
  "bad-signature": "its signature is wrong",
  "damaged-snapshot": "the snapshot cannot be read",
  "wrong-snapshot": "the snapshot differs from the result of the commands",
  "damaged-backup": "they were altered, or are missing",
  "no-beginning": "the beginning is missing",
};

const CURE =
  "What to do: start the daemon with its peers, which send damaged entries again; or move the folder away and start with " +
  "an empty one, which the peers fill; or restore a backup.";

const BACKUP_CURE =
  "What to do: use another copy of this file, or another backup. Make a new backup while the daemon still has its data.";

/** Formats the report of `dbsync log verify`. */
export function describeVerification(report: FolderReport | BackupVerification): string {
  const { entries, ringEntries, first, last, units, firstMalformed, signatures, begins, snapshots } = report;
  const { state, untold } = report;
  const span = first === null || last === null ? "" : `, ${dateText(first)} to ${dateText(last)}`;
  const outcomes = Object.entries(units).map(([outcome, count]) => `${count} ${outcome}`);

  const rows = [
    ["entries", `${entries}, ${ringEntries} of them for the key ring${span}`],
    ...(begins === null
      ? []
      : [["begins", `with the snapshot of ${dateText(begins)}: earlier entries were deleted`]]),
    ["units", outcomes.join(", ")],
    ...(firstMalformed === null
      ? []
      : [
          [
            "malformed",
            `correctly signed, but with an unknown command or a wrong number of arguments, and therefore without effect. The first is in ${firstMalformed}; ` +
              "dbsync log shows the command and its signer",
          ],
        ]),
    ["signatures", `${signatures} correct`],
    [
      "snapshots",
      snapshots.length === 0 ? "none" : `${snapshots.length}, all match the results of the commands`,
    ],
    "seen" in report
      ? ["read", describeSeen(report.seen)]
      : ["made", report.made === null ? "not known" : dateText(report.made)],
    ...untold.map((sentence) => ["unchecked", sentence]),
    ["state", state],
  ];

  const facts = rows.map(([name = "", text = ""]) => `${name.padEnd(12)}${text}\n`).join("");
  return (
    facts +
    (report.faultCount === 0
      ? noFaultsText(untold)
      : describeFaults(report, "seen" in report ? CURE : BACKUP_CURE))
  );
}

function describeSeen({ process, group, isWritten, missed }: Seen): string {
  const upTo = `up to group ${group} of the log`;
  if (process === null && !isWritten) return upTo;
  const opener = process === null ? "a process has it open" : `process ${process} has it open`;
  const late =
    missed === 0
      ? ""
      : `; ${missed} entries with earlier dates arrived during the check, so the state below does not represent a single moment`;
  return `${upTo}; ${opener}, and later entries were not checked${late}`;
}

function noFaultsText(unchecked: readonly string[]): string {
  return unchecked.length === 0 ? "No faults.\n" : "No faults in the parts that can be checked.\n";
}

function describeFaults({ faultCount, faults }: VerificationReport, cure: string): string {
  const lines = faults.map(({ kind, where }) => `  ${where}: ${SENTENCES[kind]}\n`);
  const unlisted = faultCount - faults.length;
  const more = unlisted > 0 ? `  and ${unlisted} more\n` : "";
  return `\n${faultCount} ${faultCount === 1 ? "fault" : "faults"}:\n${lines.join("")}${more}${cure}\n`;
}

/** The report on the file of a backup. */
interface BackupVerification extends VerificationReport {
  /** When the backup was made, in milliseconds since 1970, or null if that part is damaged. */
  readonly made: number | null;
  /** Sentences that report what cannot be verified. */
  readonly untold: readonly string[];
}

/**
 * Verifies the file of a backup: first all its bytes, and then its timeline, like the timeline of a data folder.
 * @throws NotChecked
 * @throws StartError  the keys cannot be read, or are not those of the backup
 */
function verifyBackup(
  settings: Settings,
  file: string,
  progress: (entries: number) => void,
): BackupVerification {
  const signers = loadSigners(settings, pino({ level: "silent" }));
  const view = open(file);
  if (view instanceof DamagedBackup) {
    const faults = view.damages.map(
      ({ from, to }) => ({ kind: "damaged-backup", where: `${file}, bytes ${from} to ${to}` }) as const,
    );
    const report = new Verification(new MemoryStorage(), null, signers, progress).run();
    return {
      ...report,
      made: null,
      untold: [],
      faults: faults.slice(0, FAULTS_MAX),
      faultCount: faults.length,
    };
  }

  try {
    const genesis = view.mark("genesis");
    if (genesis !== null) compareGenesis(genesis, signers.genesis);
    const report = new Verification(view, view, signers, progress).run();
    return { ...report, made: view.end.made, untold: view.end.incomplete ? [INCOMPLETE] : [] };
  } finally {
    view.close();
  }
}

const INCOMPLETE = "The daemon was catching up when the backup was made: entries may be missing.";

function open(file: string): OpenedBackup | DamagedBackup {
  try {
    return new OpenedBackup(file, hashOf);
  } catch (problem) {
    if (problem instanceof DamagedBackup) return problem;
    throw new NotChecked(`${file}: ${whyUnread(problem)}`);
  }
}
