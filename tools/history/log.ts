/** `dbsync log`: shows recorded commands with their signers and outcomes. */
import { type Command, Option } from "commander";
import type { Settings } from "../../client/settings/client-settings.js";
import { realEnvironment } from "../../client/shared/client-environment.js";
import { idOf, queryEach, ringsOf } from "../cli/keys/fetch-key-rings.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readCount,
} from "../cli/shared/client-options.js";
import { parsePastDate } from "../cli/shared/date-text.js";
import { EXIT, exitCodeHelp } from "../cli/shared/exit-codes.js";
import { addKeyOptions, type FolderFlags } from "../cli/shared/folder-options.js";
import { JSON_FLAG, printJson, printLine, printNotice } from "../cli/shared/output.js";
import { endOnQ } from "../cli/shared/quit-key.js";
import { HISTORY_TIMEOUT_MS, type HistoryQuery, queryHistory } from "./history-queries.js";
import { followLog } from "./log-following.js";
import { formatHistory, type HistoryReport, historyJson, readHistory } from "./recorded-units.js";

interface LogFlags extends ClientFlags {
  readonly from?: string;
  readonly to?: string;
  readonly touching?: string;
  readonly signer?: string;
  readonly limit?: number;
  readonly follow?: boolean;
}

export function addLog(program: Command): void {
  const command = program
    .command("log")
    .description("show recorded commands with their dates, signers and outcomes")
    .enablePositionalOptions();
  addDatabaseOption(addClientOptions(command, HISTORY_TIMEOUT_MS))
    .option(
      "--from <date>",
      "show commands since this date: -2h, -7d, 2027-01-31, 2027-01-31T12:00Z (default: an hour before --to)",
    )
    .option("--to <date>", "show commands until this date, in the same form (default: now)")
    .option("--touching <key>", "show only commands that concern this key")
    .option(
      "--signer <key>",
      "show only commands of this signer: its id, the first digits of its id, its label, or its file, such as public.pem",
    )
    .option("--limit <number>", "show at most this number, the newest (default: 100)", (text) =>
      readCount(text, "A limit is"),
    )
    .addOption(
      new Option(
        "-f, --follow",
        "then continue to show commands as they are recorded, until q or Ctrl-C",
      ).conflicts("to"),
    )
    .option(
      JSON_FLAG,
      'print JSON: {"units": […], "left": …}, ids in full, dates in milliseconds since 1970, strings that are not UTF-8 as {"base64": …}',
    )
    .addHelpText(
      "after",
      `
For administrators (-k) of daemons with a timeline (--data, --peer). The first daemon of the list that answers is
queried. To answer, it computes its states again from its entries, which takes time and memory. With --follow it is queried again when
it has new entries, at most once a second, and with --json each unit is then a line. Entries from a daemon that was
disconnected for more than a minute appear only when you run dbsync log again.

Examples:
  dbsync log -k root-private.pem
  dbsync log --from -2h --touching visits -k root-private.pem
  dbsync log --from 2027-01-31 --signer web --json -k root-private.pem
  dbsync log --follow -k root-private.pem
  dbsync log verify --data /var/lib/dbsyncd --sign-key public.pem
${exitCodeHelp("no daemon could answer")}`,
    )
    .action(log);
  addLogVerify(command);
}

async function log(flags: LogFlags): Promise<void> {
  if (flags.follow) {
    process.once("SIGINT", () => process.exit(EXIT.ok));
    endOnQ(() => process.exit(EXIT.ok));
  }
  await queryHistory(flags, async (query, settings) => {
    const now = realEnvironment.wallClock();
    const { from, to, limit } = flags;
    const dates: string[] = [];
    if (from !== undefined)
      dates.push("FROM", String(parsePastDate(from, { option: "--from", now, end: false })));
    if (to !== undefined) dates.push("TO", String(parsePastDate(to, { option: "--to", now, end: true })));
    if (limit !== undefined) dates.push("LIMIT", String(limit));
    const filters = await filtersOf(flags, settings);
    const { address, reply } = await query(["TIMELINE", "LOG", ...dates, ...filters]);
    const first = readHistory(reply);
    show(first, address, flags);
    if (flags.follow) await follow(query, filters, first, flags);
  });
}

/** Returns the arguments that select units by a key or a signer. */
async function filtersOf({ touching, signer }: LogFlags, settings: Settings): Promise<string[]> {
  const words = touching === undefined ? [] : ["KEY", touching];
  if (signer === undefined) return words;
  const { key } = openFrom(settings);
  const ring = async () => ringsOf(await queryEach(settings, key, ["KEY", "LIST"]))[0].keys;
  return [...words, "SIGNER", await idOf(signer, ring)];
}

function show(history: HistoryReport, daemon: string, { json, follow }: LogFlags): void {
  if (json && follow) for (const unit of history.units) printJson({ daemon, ...unit });
  else if (json) printJson({ daemon, ...historyJson(history) });
  else if (history.units.length > 0) process.stdout.write(formatHistory(history));
  else if (!follow) printLine("Nothing was recorded in that time.");
}

function follow(
  query: HistoryQuery,
  filters: readonly string[],
  first: HistoryReport,
  flags: LogFlags,
): Promise<void> {
  let troubles = 0;
  return followLog({
    query,
    filters,
    first,
    now: realEnvironment.now,
    isRunning: () => true,
    show(history, address) {
      troubles = 0;
      show(history, address, flags);
    },
    trouble({ message }) {
      // Print it once, not with every update.
      if (troubles++ === 0) printNotice(`${message}; trying again until q or Ctrl-C`);
    },
    wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  });
}

interface VerifyFlags extends FolderFlags {
  readonly backup?: string;
  readonly json?: boolean;
}

/** `dbsync log verify`: checks a backup, or the data folder of a daemon that may be running. */
function addLogVerify(log: Command): void {
  const command = log
    .command("verify")
    .description(
      "check a data folder or a backup without changing it: every byte, id and signature, and the resulting states",
    )
    .option("--data <folder>", "the folder (default: DBSYNCD_DATA, or the folder in the configuration file)")
    .option("--backup <file>", "a file made by dbsync backup, instead of a folder");
  addKeyOptions(command, "-s, --sign-key <file>")
    .option(JSON_FLAG, "print the counts and the faults as JSON")
    .addHelpText(
      "after",
      `
The check opens no file for writing. The daemon may be running; the check then covers the entries that existed when it began. The line
"read" shows how far the log was read, "unchecked" lists what could not be checked, and "state" is the SHA-256 of the state, which is the
same on all daemons with the same commands. The check cannot detect that a complete folder was replaced by an older copy: for that,
compare "read" and "state".

Examples:
  dbsync log verify --data /var/lib/dbsyncd --sign-key public.pem --root-key root-public.pem
  dbsync log verify --backup monday.dbsync --sign-key public.pem --root-key root-public.pem
  dbsync log verify --config /etc/dbsync/dbsyncd.toml --json
${exitCodeHelp("the folder or backup has faults")}
  4  the folder could not be checked: it does not exist or cannot be read`,
    )
    .action(verify);
}

async function verify(_: unknown, command: Command): Promise<void> {
  // An option that both log and verify have, such as --json, may come before or after the word verify.
  const { backup, json, ...flags } = command.optsWithGlobals<VerifyFlags>();
  const { verify: check } = await import("../cli/folder/verification.js");
  const report = await check(flags, backup);
  if (report.faultCount > 0) process.exitCode = EXIT.failed;
  if (json) return printJson(report);
  const { describeVerification } = await import("../cli/folder/verification-report.js");
  process.stdout.write(describeVerification(report));
}
