/**
 * The program behind `dbsync log verify`: the daemon's own options say which folder and which keys; then the folder is
 * checked, printed and left as it was. Started by client/cli/log-verify.ts.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { dateText } from "../../protocol/envelope.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import type { Snapshots } from "../../timeline/snapshot-files.js";
import { readCommandLine } from "../command-line.js";
import { hashOf } from "../identity.js";
import { loadSigners } from "../load-signers.js";
import { openStorage } from "../open-storage.js";
import { isSigned } from "../options.js";
import { keepGenesis } from "../recorded-genesis.js";
import type { Settings } from "../settings.js";
import { snapshotFolder } from "../snapshots.js";
import { StartError } from "../start-error.js";
import { type Fault, type FaultKind, Verification, type VerificationReport } from "./verification.js";

const JSON_FLAG = "--json";
const PROGRESS_EVERY_MS = 200;

const SENTENCES: Readonly<Record<FaultKind, string>> = {
  damaged: "its bytes are damaged",
  "damaged-log": "what was written last before the daemon was killed is not all there",
  "wrong-id": "its bytes are whole, and another envelope's",
  "wrong-cluster": "it is meant for another cluster",
  "unknown-signer": "nothing that was recorded has named its signer's key",
  "bad-signature": "its signature does not hold",
  "damaged-snapshot": "the snapshot cannot be read",
  "wrong-snapshot": "the snapshot is not what the commands make",
  "no-beginning": "the beginning is missing",
};

const CURE =
  "What to do: start the daemon with its peers, which give damaged entries again; or put the folder aside and start with a " +
  "new one, which they fill; or restore a copy.";

const words = process.argv.slice(2);
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
    process.exitCode = report.faultCount === 0 ? 0 : 1;
  }
} catch (problem) {
  if (!(problem instanceof StartError)) throw problem;
  process.stderr.write(`dbsync log verify: ${problem.message}\n`);
  process.exitCode = problem.exitCode;
}

/** @throws StartError */
async function verify(settings: Settings): Promise<VerificationReport> {
  const { data } = settings;
  if (data === null) throw new StartError("--data is missing: name the folder that is to be checked.", 2);
  if (!isSigned(settings))
    throw new StartError("--sign-key is missing: name the public key that the daemon is started with.", 2);
  if (!existsSync(join(data, "timeline")))
    throw new StartError(`--data ${data}: there is no timeline in it. Name the folder of a daemon.`, 1);
  const signers = loadSigners(settings, pino({ level: "silent" }));
  const logFaults: Fault[] = [];
  const told = { error: () => logFaults.push({ kind: "damaged-log", where: join(data, "timeline") }) };
  const storage = await openStorage({ data, fsync: "always" }, told);
  try {
    if (storage.mark("genesis") === null)
      throw new StartError(`--data ${data}: no daemon has been started with it yet.`, 1);
    await keepGenesis(storage, signers.genesis);
    const snapshots = await openSnapshots(data);
    const parts = { storage, snapshots, signers, hash: hashOf, databases: DATABASES_DEFAULT };
    const report = new Verification({ ...parts, progress: showProgress() }).run();
    const { faults, faultCount } = report;
    return { ...report, faults: [...logFaults, ...faults], faultCount: logFaults.length + faultCount };
  } finally {
    clearProgress();
    await storage.close();
  }
}

/** null: it has none. */
async function openSnapshots(data: string): Promise<Snapshots | null> {
  const folder = snapshotFolder(data);
  if (!existsSync(folder)) return null;
  const { SnapshotFiles } = await import("../../timeline/snapshot-files.js");
  return new SnapshotFiles(folder, { sweeps: false });
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

function describe(report: VerificationReport): string {
  const { entries, ringEntries, first, last, units, signatures, begins, snapshots, state } = report;
  const span = first === null || last === null ? "" : `, ${dateText(first)} to ${dateText(last)}`;
  const outcomes = Object.entries(units).map(([outcome, count]) => `${count} ${outcome}`);
  const rows = [
    ["entries", `${entries}, ${ringEntries} of them on keys${span}`],
    ...(begins === null
      ? []
      : [["begins", `with the snapshot of ${dateText(begins)}: what was before is not kept`]]),
    ["units", outcomes.join(", ")],
    ["signatures", `${signatures} hold`],
    ["snapshots", snapshots.length === 0 ? "none" : `${snapshots.length}, as the commands make them`],
    ["state", state],
  ];
  const facts = rows.map(([name = "", text = ""]) => `${name.padEnd(12)}${text}\n`).join("");
  return facts + (report.faultCount === 0 ? "All is well.\n" : describeFaults(report));
}

function describeFaults({ faultCount, faults }: VerificationReport): string {
  const lines = faults.map(({ kind, where }) => `  ${where}: ${SENTENCES[kind]}\n`);
  const left = faultCount - faults.length;
  const more = left > 0 ? `  and ${left} more\n` : "";
  return `\n${faultCount} ${faultCount === 1 ? "fault" : "faults"}:\n${lines.join("")}${more}${CURE}\n`;
}
