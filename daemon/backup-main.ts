/**
 * The program behind `dbsync backup` and `dbsync restore`: the daemon's own options say which folder and which keys. Started by
 * cli/past/backup-program.ts, whose first word is the task, as JSON; it answers on standard output, in lines of JSON.
 */
import { pino } from "pino";
import { backUp } from "../cluster/history/backup-file.js";
import { KEYS_MISSING } from "../cluster/history/keys-missing.js";
import { NotRestored, restoredKeys, restoreFolder } from "../cluster/history/restored-backup.js";
import { FUNCTIONS_NAME } from "../engine/scripts/functions-file.js";
import { loadSigners } from "../engine/trust/load-signers.js";
import { StartError } from "../net/process/start-error.js";
import { isSigned, type Settings } from "../options/settings.js";
import { DATABASES_DEFAULT } from "../store/database.js";
import { NoBackup } from "../timeline/backup/make-backup.js";
import { folderOf, settingsOf } from "./folder-option.js";
import { endFor } from "./program-ending.js";

/** Bytes are base64. */
export type BackupTask =
  | { readonly task: "backup"; readonly file: string; readonly incomplete: boolean }
  | { readonly task: "folder"; readonly file: string; readonly at: number | null }
  | {
      readonly task: "keys";
      readonly file: string;
      readonly at: number | null;
      readonly db: number;
      readonly key: string | null;
      readonly prefix: string;
    };

const PROGRESS_EVERY_MS = 200;
const CLEAR_LINE = "\r\x1b[K";
const log = pino({ level: "silent" });

const [given = "{}", ...words] = process.argv.slice(2);
try {
  await run(JSON.parse(given) as BackupTask);
} catch (problem) {
  const name = `${process.stderr.isTTY ? CLEAR_LINE : ""}dbsync`;
  endFor(problem, { name, told: [NoBackup, NotRestored], failed: 1 });
}

/** @throws StartError @throws NoBackup @throws NotRestored */
async function run(task: BackupTask): Promise<void> {
  if (task.task === "keys") {
    tellKeys(task, await settingsOf(words));
    return;
  }
  const data = await folderOf(words);
  const functionsName = FUNCTIONS_NAME;
  if (task.task === "backup") {
    const { file, incomplete } = task;
    const parts = { data, file, incomplete, functionsName, now: Date.now(), progress: showProgress() };
    const report = await backUp(parts);
    if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
    tell(report);
  } else tell(await restoreFolder({ data, file: task.file, at: task.at, functionsName, log }));
}

function tellKeys(
  { file, at, db, key, prefix }: Extract<BackupTask, { task: "keys" }>,
  settings: Settings,
): void {
  if (!isSigned(settings)) throw new StartError(KEYS_MISSING, 2);
  const exact = key === null ? null : Buffer.from(key, "base64").toString("latin1");
  const start = Buffer.from(prefix, "base64").toString("latin1");
  const wanted = exact === null ? (name: string) => name.startsWith(start) : (name: string) => name === exact;
  const signers = loadSigners(settings, log);
  for (const found of restoredKeys({
    file,
    at,
    db,
    wanted,
    signers,
    databases: DATABASES_DEFAULT,
    noticed,
  })) {
    const { key: name, expires, payload, left } = found;
    tell({ key: base64(name), expires, payload: payload === null ? null : base64(payload), left });
  }
}

const noticed = (text: string): void => void process.stderr.write(`dbsync: ${text}\n`);

/** On a terminal alone. */
function showProgress(): (entries: number) => void {
  let shownAt = 0;
  return (entries) => {
    if (!process.stderr.isTTY || performance.now() < shownAt + PROGRESS_EVERY_MS) return;
    shownAt = performance.now();
    process.stderr.write(`\r${entries.toLocaleString("en")} entries …`);
  };
}

function base64(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("base64");
}

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
