/**
 * The program behind `dbsync log verify`: the daemon's own options say which folder and which keys; then the folder is
 * checked, printed and left as it was. Started by cli/past/log-verify.ts.
 */

import { type BackupVerification, verifyBackup } from "../cluster/history/backup-verification.js";
import { type FolderReport, type Seen, verifyFolder } from "../cluster/history/folder-verification.js";
import { KEYS_MISSING } from "../cluster/history/keys-missing.js";
import { type FaultKind, NotChecked, type VerificationReport } from "../cluster/history/verification.js";
import { StartError } from "../net/process/start-error.js";
import { isSigned, type Settings } from "../options/settings.js";
import { NoWriters } from "../options/timeline-rules.js";
import { dateText } from "../protocol/version-2/envelope.js";
import { readCommandLine } from "./command-line.js";
import { endFor } from "./program-ending.js";

const JSON_FLAG = "--json";
/** Followed by a file: that is checked instead of a folder. */
const BACKUP_FLAG = "--backup";
const PROGRESS_EVERY_MS = 200;
/** Exit codes; 2 and 3 are those of options and files. */
const FAULTY = 1;
const NOT_CHECKED = 4;

const SENTENCES: Readonly<Record<FaultKind, string>> = {
  damaged: "its bytes are damaged",
  "damaged-file": "nothing in it can be read",
  "damaged-page": "the page cannot be read, and what was on it is not known",
  "damaged-log": "they were written last and had been acknowledged, and are missing",
  "wrong-id": "its bytes are whole, and another envelope's",
  "wrong-cluster": "it is meant for another cluster",
  "unknown-signer": "nothing that was recorded has named its signer's key",
  "bad-signature": "its signature does not hold",
  "damaged-snapshot": "the snapshot cannot be read",
  "wrong-snapshot": "the snapshot is not what the commands make",
  "damaged-backup": "they are not what was written, or missing",
  "no-beginning": "the beginning is missing",
};

const CURE =
  "What to do: start the daemon with its peers, which give damaged entries again; or put the folder aside and start with a " +
  "new one, which they fill; or restore a backup.";

const BACKUP_CURE =
  "What to do: take another copy of this file, or another backup; make a new one while the daemon has its data.";

const words = process.argv.slice(2);
const backupAt = words.indexOf(BACKUP_FLAG);
const [, backup = null] = backupAt < 0 ? [] : words.splice(backupAt, 2);
const isJson = words.includes(JSON_FLAG);

try {
  const task = await readCommandLine(
    words.filter((word) => word !== JSON_FLAG),
    process.env,
  );
  if (task.kind === "print") process.stdout.write(task.text);
  else {
    const report = await verify(task.settings);
    process.stdout.write(isJson ? `${JSON.stringify(report)}\n` : describe(report));
    process.exitCode = report.faultCount === 0 ? 0 : FAULTY;
  }
} catch (problem) {
  const shown = problem instanceof NoWriters ? new StartError(KEYS_MISSING, problem.exitCode) : problem;
  // What cannot be opened is not what is wrong in the folder.
  endFor(shown, { name: "dbsync log verify", told: [NotChecked], failed: NOT_CHECKED });
}

/** @throws StartError. @throws NotChecked */
async function verify(settings: Settings): Promise<FolderReport | BackupVerification> {
  const { data } = settings;
  if (data === null && backup === null)
    throw new StartError("--data is missing: name the folder that is to be checked.", 2);
  if (!isSigned(settings)) throw new StartError(KEYS_MISSING, 2);
  try {
    if (backup !== null || data === null) return verifyBackup(settings, backup ?? "", showProgress());
    return await verifyFolder(settings, data, showProgress());
  } finally {
    clearProgress();
  }
}

/** On a terminal alone. */
function showProgress(): (entries: number) => void {
  let shownAt = 0;
  return (entries) => {
    if (!process.stderr.isTTY || performance.now() < shownAt + PROGRESS_EVERY_MS) return;
    shownAt = performance.now();
    process.stderr.write(`\r${entries.toLocaleString("en")} entries …`);
  };
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}

function describe(report: FolderReport | BackupVerification): string {
  const { entries, ringEntries, first, last, units, firstMalformed, signatures, begins, snapshots } = report;
  const { state } = report;
  const { untold } = report;
  const span = first === null || last === null ? "" : `, ${dateText(first)} to ${dateText(last)}`;
  const outcomes = Object.entries(units).map(([outcome, count]) => `${count} ${outcome}`);
  const rows = [
    ["entries", `${entries}, ${ringEntries} of them on keys${span}`],
    ...(begins === null
      ? []
      : [["begins", `with the snapshot of ${dateText(begins)}: what was before is not kept`]]),
    ["units", outcomes.join(", ")],
    ...(firstMalformed === null
      ? []
      : [
          [
            "malformed",
            `whole and signed, but no command, or with a wrong number of arguments: it has changed nothing. First in ${firstMalformed}; ` +
              "dbsync log names the command, and its signer",
          ],
        ]),
    ["signatures", `${signatures} hold`],
    ["snapshots", snapshots.length === 0 ? "none" : `${snapshots.length}, as the commands make them`],
    "seen" in report
      ? ["seen", describeSeen(report.seen)]
      : ["made", report.made === null ? "not known" : dateText(report.made)],
    ...untold.map((sentence) => ["not told", sentence]),
    ["state", state],
  ];
  const facts = rows.map(([name = "", text = ""]) => `${name.padEnd(12)}${text}\n`).join("");
  return facts + (report.faultCount === 0 ? allWell(untold) : describeFaults(report));
}

function describeSeen({ process, group, isWritten, missed }: Seen): string {
  const upTo = `up to group ${group} of the log`;
  if (process === null && !isWritten) return upTo;
  const who = process === null ? "a process has it open" : `process ${process} has it open`;
  const others =
    missed === 0
      ? ""
      : `; ${missed} entries came meanwhile with earlier dates: the state is of no one moment`;
  return `${upTo}; ${who}, and what came later is not in it${others}`;
}

function allWell(untold: readonly string[]): string {
  return untold.length === 0 ? "All is well.\n" : "All that can be told is well.\n";
}

function describeFaults({ faultCount, faults }: VerificationReport): string {
  const lines = faults.map(({ kind, where }) => `  ${where}: ${SENTENCES[kind]}\n`);
  const left = faultCount - faults.length;
  const more = left > 0 ? `  and ${left} more\n` : "";
  return `\n${faultCount} ${faultCount === 1 ? "fault" : "faults"}:\n${lines.join("")}${more}${backup === null ? CURE : BACKUP_CURE}\n`;
}
