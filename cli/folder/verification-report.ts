/** The report of `dbsync log verify`, for users. */
import type { BackupVerification } from "../../cluster/history/backup-verification.js";
import type { FolderReport, Seen } from "../../cluster/history/folder-verification.js";
import type { FaultKind, VerificationReport } from "../../cluster/history/verification.js";
import { dateText } from "../../protocol/version-2/envelope.js";

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

export function describeVerification(report: FolderReport | BackupVerification): string {
  const { entries, ringEntries, first, last, units, firstMalformed, signatures, begins, snapshots } = report;
  const { state, untold } = report;
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
    ...untold.map((sentence) => ["not known", sentence]),
    ["state", state],
  ];
  const facts = rows.map(([name = "", text = ""]) => `${name.padEnd(12)}${text}\n`).join("");
  return (
    facts +
    (report.faultCount === 0
      ? allWell(untold)
      : describeFaults(report, "seen" in report ? CURE : BACKUP_CURE))
  );
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
  return untold.length === 0 ? "All is well.\n" : "All that can be checked is well.\n";
}

function describeFaults({ faultCount, faults }: VerificationReport, cure: string): string {
  const lines = faults.map(({ kind, where }) => `  ${where}: ${SENTENCES[kind]}\n`);
  const left = faultCount - faults.length;
  const more = left > 0 ? `  and ${left} more\n` : "";
  return `\n${faultCount} ${faultCount === 1 ? "fault" : "faults"}:\n${lines.join("")}${more}${cure}\n`;
}
