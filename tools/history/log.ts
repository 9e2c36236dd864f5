/** `dbsync log` and `dbsync blame`: show recorded commands with their signers and outcomes. */
import { type Command, Option } from "commander";
import type { Settings } from "../../client/settings/client-settings.js";
import { realEnvironment } from "../../client/shared/client-environment.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import type { Tone } from "../../daemon/net/terminal/terminal-text.js";
import { shown } from "../../daemon/net/terminal/terminal-text.js";
import { formatTable } from "../../daemon/net/terminal/text-table.js";
import { idOf, queryEach, ringsOf } from "../cli/keys/fetch-key-rings.js";
import {
  addClientOptions,
  addDatabaseOption,
  type ClientFlags,
  openFrom,
  readCount,
  refuseSecondKey,
} from "../cli/shared/client-options.js";
import { formatExactDate, parsePastDate } from "../cli/shared/date-text.js";
import { EXIT, exitCodeHelp } from "../cli/shared/exit-codes.js";
import { addKeyOptions, type FolderFlags } from "../cli/shared/folder-options.js";
import { JSON_FLAG, printJson, printLine, printNotice } from "../cli/shared/output.js";
import { fieldsOf } from "../cli/shared/read-figures.js";
import { endOnQ } from "../cli/shared/redrawn-screen.js";
import { BinaryText, HISTORY_TIMEOUT_MS, type HistoryQuery, queryHistory } from "./history-queries.js";

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
  addDatabaseOption(addClientOptions(command, HISTORY_TIMEOUT_MS));
  refuseSecondKey(command, "To show the commands of a key of the database: --touching <key>.");
  command
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
  const { describeVerification } = await import("../cli/folder/verification.js");
  process.stdout.write(describeVerification(report));
}

/** Minimum time between two updates, in milliseconds. */
const UPDATE_EVERY_MS = 1000;
/**
 * Minimum time between two updates, as a multiple of the time that a request takes. It limits the load, because the
 * daemon folds its newest entries for each answer.
 */
const PAUSE_FACTOR = 10;
/**
 * The maximum time by which a late unit may be older than the newest shown unit, in milliseconds. Peers usually send a
 * unit within this time.
 */
const MAX_LATE_MS = 60_000;
/** Maximum number of units in one answer, which is also TIMELINE LOG's limit. */
const UNITS_MAX = 10_000;
/** Maximum number of answers that are requested in one update; older units are only counted. */
const PAGES_MAX = 50;

interface FollowParts {
  readonly query: HistoryQuery;
  /** Arguments of TIMELINE LOG, except the dates and the limit. */
  readonly filters: readonly string[];
  /** The units that were already shown. */
  readonly first: HistoryReport;
  readonly show: (history: HistoryReport, address: string) => void;
  /** Called when no daemon answers. */
  readonly trouble: (error: Error) => void;
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
  /** Whether to continue. */
  readonly isRunning: () => boolean;
}

/**
 * `dbsync log --follow`: shows commands as they are recorded. It queries the log only when a daemon has new entries.
 * Shows new units until `isRunning` returns false. If no daemon answers, the function tries again.
 */
export async function followLog(parts: FollowParts): Promise<void> {
  const { query, first, show, trouble, now, wait, isRunning } = parts;
  const seen = new SeenUnits();
  seen.take(first);
  let previousSums = "";
  while (isRunning()) {
    const startedAt = now();
    try {
      const status = await query(["TIMELINE", "STATUS"]);
      const sums = `${status.address} ${sumsOf(status.reply)}`;
      if (sums !== previousSums) {
        const pages = await newPages(parts, seen);
        previousSums = sums;
        for (const { page, address } of pages) {
          const history = seen.take(page);
          if (history.units.length > 0) show(history, address);
        }
      }
    } catch (error) {
      trouble(error as Error);
    }
    await wait(Math.max(UPDATE_EVERY_MS, PAUSE_FACTOR * (now() - startedAt)));
  }
}

/** An answer to TIMELINE LOG, and the daemon that sent it. */
interface PageOfLog {
  readonly page: HistoryReport;
  readonly address: string;
}

/**
 * Fetches the units that have not been shown yet, and returns them oldest first. An answer has only the newest units,
 * so the function requests earlier ones until an answer reaches the units that were already shown.
 */
async function newPages({ query, filters }: FollowParts, seen: SeenUnits): Promise<readonly PageOfLog[]> {
  const pages: PageOfLog[] = [];
  for (let to: readonly string[] = []; ; ) {
    const dates = ["FROM", String(seen.from), ...to, "LIMIT", String(UNITS_MAX)];
    const { address, reply } = await query(["TIMELINE", "LOG", ...dates, ...filters]);
    const page = readHistory(reply);
    const oldest = page.units[0]?.at ?? 0;
    const isMissing = page.omitted > 0 && oldest > seen.newest;
    const goesBack = to.length === 0 || oldest < Number(to[1]);
    const readsEarlierPage = isMissing && goesBack && pages.length < PAGES_MAX - 1;
    pages.unshift({ page: readsEarlierPage || !isMissing ? { ...page, omitted: 0 } : page, address });
    if (!readsEarlierPage) return pages;
    to = ["TO", String(oldest)];
  }
}

/** Returns sums that change whenever the daemon's entries change. */
function sumsOf(reply: ReplyValue): string {
  const fields = fieldsOf(reply);
  return `${String(fields["data-sum"])} ${String(fields["ring-sum"])}`;
}

/** The units that were already shown and are recent enough that they may be reported again. */
class SeenUnits {
  /** Dates of units, by id and index. */
  readonly #units = new Map<string, number>();
  /** The date of the newest unit shown. */
  newest = 0;
  #begin = 0;

  /** The date from which units are requested, in milliseconds since 1970. */
  get from(): number {
    return Math.max(this.#begin, this.newest - MAX_LATE_MS);
  }

  /** Adds units. @returns the units that were not shown before */
  take(history: HistoryReport): HistoryReport {
    const units = history.units.filter((unit) => !this.#units.has(nameOf(unit)));
    // Units that --limit omitted are older than the shown ones.
    if (this.#begin === 0) this.#begin = history.omitted > 0 ? (units[0]?.at ?? history.from) : history.from;
    for (const unit of units) {
      this.#units.set(nameOf(unit), unit.at);
      this.newest = Math.max(this.newest, unit.at);
    }
    for (const [name, at] of this.#units) if (at < this.from) this.#units.delete(name);
    return { ...history, units };
  }
}

const nameOf = ({ id, index }: RecordedUnit): string => `${id} ${index}`;

/** Number of hexadecimal digits of an id that are shown. */
const SHORT_DIGITS = 12;

/** An argument of a command, or a reply to a command. */
type RecordedArgument = string | BinaryText;

/** A recorded command, or several commands that formed one unit. Times are in milliseconds since 1970. */
export interface RecordedUnit {
  readonly at: number;
  readonly seq: number;
  /** The envelope's id, hexadecimal. */
  readonly id: string;
  /** The position in the envelope. */
  readonly index: number;
  /** Id of the signer's key. */
  readonly signer: string;
  readonly label: string;
  /** The user of a listener without signatures, or null if the signer signed for itself. */
  readonly as: string | null;
  readonly db: number;
  /** The commands; long commands are truncated and end with an ellipsis. */
  readonly commands: readonly (readonly RecordedArgument[])[];
  /** The outcome; `error`: the unit was permitted but failed. */
  readonly outcome: "applied" | "error" | "denied" | "unmet" | "malformed" | "too-much";
  /** The beginning of the reply. */
  readonly reply: RecordedArgument;
  /** The change of the key, for `blame`, or null if it was not requested. */
  readonly change: string | null;
}

/** Colours of outcomes; all other outcomes are plain. */
const TONES: ReadonlyMap<string, Tone> = new Map([
  ["error", "warn"],
  ["unmet", "warn"],
  ["too-much", "warn"],
  ["denied", "bad"],
  ["malformed", "bad"],
]);

export interface HistoryReport {
  /** The first date that was requested. */
  readonly from: number;
  /** Date of the snapshot with which the log begins, or null if it begins with the first command. */
  readonly snapshot: number | null;
  /** Number of entries that the daemon could not read; the units after them may differ from the original ones. */
  readonly damaged: number;
  /** Number of older units that were omitted. */
  readonly omitted: number;
  readonly units: readonly RecordedUnit[];
}

export function readHistory(reply: ReplyValue): HistoryReport {
  const { from, snapshot, damaged, left, units } = fieldsOf(reply);
  return {
    from: Number(from),
    snapshot: snapshot == null ? null : Number(snapshot),
    damaged: Number(damaged),
    omitted: Number(left),
    units: Array.isArray(units) ? units.map(readUnit) : [],
  };
}

/** Returns the report with the field names of `--json`. */
export function historyJson({ from, snapshot, damaged, omitted, units }: HistoryReport): object {
  return { from, snapshot, damaged, left: omitted, units };
}

function readUnit(reply: ReplyValue): RecordedUnit {
  const fields = fieldsOf(reply);
  const text = (name: string) => String(fields[name] ?? "");
  const { commands, as, change } = fields;
  return {
    at: Number(fields["at"]),
    seq: Number(fields["seq"]),
    id: text("id"),
    index: Number(fields["index"]),
    signer: text("signer"),
    label: text("label"),
    as: as == null ? null : String(as),
    db: Number(fields["db"]),
    commands: Array.isArray(commands)
      ? commands.map((argv) => (Array.isArray(argv) ? argv.map(wordOf) : []))
      : [],
    outcome: text("outcome") as RecordedUnit["outcome"],
    reply: wordOf(fields["reply"] ?? ""),
    change: change == null ? null : String(change),
  };
}

function wordOf(value: ReplyValue): RecordedArgument {
  return Buffer.isBuffer(value) ? new BinaryText(value) : String(value);
}

/** Formats one line per unit, oldest first, followed by remarks. */
export function formatHistory({ snapshot, damaged, omitted, units }: HistoryReport): string {
  const rows = units.map((unit) => [
    formatExactDate(unit.at),
    unit.change ?? unit.outcome,
    signerOf(unit),
    `${shownCommands(unit)}${shownOutcome(unit)}`,
  ]);

  const remarks = [
    ...(omitted > 0 ? [`${omitted} older commands are left out; --limit shows more.`] : []),
    ...(damaged > 0
      ? [
          `The daemon could not read ${damaged} entries, so the commands after them may be shown with wrong outcomes.`,
        ]
      : []),
    ...(snapshot !== null && units[0]?.change != null
      ? [
          `Commands before ${formatExactDate(snapshot)} are unknown: the log begins with a snapshot of that date.`,
        ]
      : []),
  ];

  return `${formatTable(rows, (row) => TONES.get(units[row]?.outcome ?? "") ?? "plain")}${remarks.map((remark) => `${remark}\n`).join("")}`;
}

function signerOf({ label, signer, as }: RecordedUnit): string {
  const short = signer.slice(0, SHORT_DIGITS);
  const name = label === "" ? short : `${shown(label)} (${short})`;
  if (as === null) return name;
  // For a client of version 1, `as` is the id of the client's key, because the daemon signed the envelope.
  return `${/^[\da-f]{64}$/.test(as) ? as.slice(0, SHORT_DIGITS) : shown(as)} by ${name}`;
}

function shownCommands({ commands, db }: RecordedUnit): string {
  const text = commands.map((argv) => argv.map(shownWord).join(" ")).join("; ");
  return db === 0 ? text : `[db ${db}] ${text}`;
}

function shownOutcome({ outcome, reply, change }: RecordedUnit): string {
  if (outcome === "unmet") return "  → its conditions were not met";
  // A unit that changed the key was applied, so its outcome needs no mention.
  if (change !== null) return "";
  return `  → ${outcome === "applied" ? shownWord(reply) : shown(String(reply))}`;
}

/** Returns an argument as a user would type it, with quotes if needed. */
function shownWord(text: RecordedArgument): string {
  if (text instanceof BinaryText) return String(text);
  return /^[^\s"'\p{C}]+$/u.test(text) ? text : shown(JSON.stringify(text));
}

interface BlameFlags extends ClientFlags {
  readonly from?: string;
}

/** `dbsync blame KEY`: shows the commands that produced the current value of a key, with their signers. */
export function addBlame(program: Command): void {
  const command = program
    .command("blame")
    .description("show the commands that led to the value of a key, with their signers");
  addDatabaseOption(addClientOptions(command, HISTORY_TIMEOUT_MS));
  refuseSecondKey(command, "A key of the database comes without an option: dbsync blame <key>.");
  command
    .argument("<key>")
    .option("--from <date>", "only since this date: -2h, 2027-01-31 (default: the earliest recorded date)")
    .option(
      JSON_FLAG,
      'print JSON: {"units": […], "writer": …}, ids in full, dates in milliseconds since 1970, strings that are not UTF-8 as {"base64": …}',
    )
    .addHelpText(
      "after",
      `
For administrators (-k) of daemons with a timeline (--data, --peer). Each line is a command that created, changed or
removed the key; there is no line for its expiry. If several commands of an envelope may have changed it, all are shown.

Examples:
  dbsync blame visits -k root-private.pem
  dbsync blame cart:17 --from -1d -k root-private.pem
${exitCodeHelp("no daemon could answer")}`,
    )
    .action(blame);
}

function blame(key: string, flags: BlameFlags): Promise<void> {
  return queryHistory(flags, async (query) => {
    const now = realEnvironment.wallClock();
    const since =
      flags.from === undefined
        ? []
        : ["FROM", String(parsePastDate(flags.from, { option: "--from", now, end: false }))];
    const { address, reply } = await query(["TIMELINE", "BLAME", key, ...since]);
    const { before, writer } = fieldsOf(reply);
    const history = readHistory(reply);

    const shown = JSON.stringify(key);
    if (flags.json)
      printJson({ daemon: address, ...historyJson(history), before: before ?? null, writer: writer ?? null });
    else if (history.units.length > 0) {
      if (before != null) printLine(`${shown} already existed, written by ${String(before)}`);
      process.stdout.write(formatHistory(history));
      if (writer == null) printLine(`${shown} does not exist now.`);
    } else printLine(writer == null ? `${shown} was never written.` : `${shown} has not changed since then.`);
  });
}
