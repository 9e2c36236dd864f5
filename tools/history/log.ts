/** `dbsync log` and `dbsync blame`: show recorded commands with their signers and outcomes. */
import { type Command, Option } from "commander";
import { followWith } from "../../client/dbsync-send.js";
import type { FeedUnit } from "../../client/live/follow.js";
import type { ClientSettings } from "../../client/settings/client-settings.js";
import { realClientEnvironment } from "../../client/shared/client-environment.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import type { Tone } from "../../daemon/net/terminal/terminal-text.js";
import { escapedText } from "../../daemon/net/terminal/terminal-text.js";
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
import { asAdministrator, BinaryText, HISTORY_TIMEOUT_MS, queryHistory } from "./history-queries.js";

interface LogFlags extends ClientFlags {
  readonly from?: string;
  readonly to?: string;
  readonly touching?: string;
  readonly signer?: string;
  readonly limit?: number;
  readonly follow?: "final" | "early";
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
      "show commands since this date: -2h, -7d, 2027-01-31, 2027-01-31T12:00Z (default: an hour before --to); with --follow also after a position (default: now)",
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
        "-f, --follow [form]",
        "show commands until q or Ctrl-C, in a form. final: in their final order, about 35 s after they were recorded; early: as they arrive at the daemon",
      )
        .choices(["final", "early"])
        .preset("final")
        .conflicts(["to", "limit"]),
    )
    .option(
      JSON_FLAG,
      'print JSON: {"units": […], "left": …}, ids in full, dates in milliseconds since 1970, strings that are not UTF-8 as {"base64": …}',
    )
    .addHelpText(
      "after",
      `
For administrators (-k) of daemons with a timeline (--data, --peer). The first daemon of the list that answers is
queried. To answer, it computes its states again from its entries, which takes time and memory.

With --follow and --json, each unit is a line whose "position" continues the feed after it: --from POSITION. A position of the final form
is valid at all daemons: each unit is shown once, in the order of all daemons. While a member is down, no command becomes final; the
notice names it. A position of the early form is valid at its daemon until that restarts; "late" marks commands that were inserted before
others. Keys that may not read all keys need a rule for timeline|log, and see commands on keys that they may read.

Examples:
  dbsync log -k root-private.pem
  dbsync log --from -2h --touching visits -k root-private.pem
  dbsync log --from 2027-01-31 --signer web --json -k root-private.pem
  dbsync log --follow -k root-private.pem
  dbsync log --follow early --touching visits -k root-private.pem
  dbsync log verify --data /var/lib/dbsyncd --sign-key public.pem
${exitCodeHelp("no daemon could answer")}`,
    )
    .action(log);
  addLogVerify(command);
}

async function log(flags: LogFlags): Promise<void> {
  const { from, to, limit, follow } = flags;
  if (follow !== undefined) {
    await followFeed(flags, follow);
    return;
  }

  await queryHistory(flags, async (query, settings) => {
    const now = realClientEnvironment.wallClock();
    const dates: string[] = [];
    if (from !== undefined)
      dates.push("FROM", String(parsePastDate(from, { option: "--from", now, end: false })));
    if (to !== undefined) dates.push("TO", String(parsePastDate(to, { option: "--to", now, end: true })));
    if (limit !== undefined) dates.push("LIMIT", String(limit));

    const filters = await filtersOf(flags, settings);
    const { address, reply } = await query(["TIMELINE", "LOG", ...dates, ...filters]);
    const history = readHistory(reply);

    if (flags.json) printJson({ daemon: address, ...historyJson(history) });
    else if (history.units.length > 0) process.stdout.write(formatHistory(history));
    else printLine("Nothing was recorded in that time.");
  });
}

/** Shows the feed until the user ends it. A slow reader of standard output delays the next request. */
async function followFeed(flags: LogFlags, form: "final" | "early"): Promise<void> {
  process.once("SIGINT", () => process.exit(EXIT.ok));
  endOnQ(() => process.exit(EXIT.ok));
  const { from, touching, json } = flags;
  await asAdministrator(flags, async (settings, key) => {
    const options = {
      form,
      from: from === undefined ? undefined : feedStartOf(from, form),
      key: touching,
      signer: await selectedSigner(flags, settings),
    };
    for await (const event of followWith(options, settings, key, new AbortController().signal)) {
      if (event.type === "lost") printNotice(`${event.detail}; trying again until q or Ctrl-C`);
      else if (event.type === "waiting")
        printNotice(
          `${event.server}: since ${formatExactDate(event.since)} nothing becomes final: ${event.detail}`,
        );
      else if (json) printJson(feedJson(event));
      else process.stdout.write(formatHistory({ ...NO_HISTORY, units: [recordedUnitOf(event)] }));
    }
  });
}

/** Whether a text is a position of a feed, and not a date. */
const POSITION = /^(?:[\da-f]{92}|[\da-f]{16}-[\da-f]{32})$/i;

function feedStartOf(from: string, form: "final" | "early"): string | Date {
  if (POSITION.test(from) || form === "early") return from;
  const now = realClientEnvironment.wallClock();
  return new Date(parsePastDate(from, { option: "--from", now, end: false }));
}

const NO_HISTORY = { from: 0, snapshot: null, damaged: 0, omitted: 0 };

/** Maximum number of characters of an argument, and of arguments of a command, in a line for terminals. */
const LINE_CHARACTERS = 128;
const LINE_ARGUMENTS = 16;

function recordedUnitOf({
  type: _type,
  server: _server,
  position: _position,
  ...unit
}: FeedUnit): RecordedUnit {
  const short = (word: string | Buffer) => {
    const text = feedWordOf(word);
    return typeof text === "string" && text.length > LINE_CHARACTERS
      ? `${text.slice(0, LINE_CHARACTERS)}…`
      : text;
  };
  return {
    ...unit,
    commands: unit.commands.map((argv) => argv.slice(0, LINE_ARGUMENTS).map(short)),
    outcome: unit.outcome ?? "applied",
    reply: unit.reply === null ? "(not known here)" : feedWordOf(unit.reply),
    change: unit.late ? "late" : null,
  };
}

function feedJson({ type: _type, server, late, ...unit }: FeedUnit): object {
  const { commands, reply, position } = unit;
  return {
    daemon: server,
    ...unit,
    commands: commands.map((argv) => argv.map(feedWordOf)),
    reply: reply === null ? null : feedWordOf(reply),
    ...(position.includes("-") ? { late } : {}),
  };
}

const feedWordOf = (word: string | Buffer): RecordedArgument =>
  Buffer.isBuffer(word) ? new BinaryText(word) : word;

/** Returns the id of the signer that the flag names, or undefined. */
async function selectedSigner({ signer }: LogFlags, settings: ClientSettings): Promise<string | undefined> {
  if (signer === undefined) return undefined;
  const { key } = openFrom(settings);
  return await idOf(signer, async () => ringsOf(await queryEach(settings, key, ["KEY", "LIST"]))[0].keys);
}

/** Returns the arguments that select units by a key or a signer. */
async function filtersOf(flags: LogFlags, settings: ClientSettings): Promise<string[]> {
  const signer = await selectedSigner(flags, settings);
  return [
    ...(flags.touching === undefined ? [] : ["KEY", flags.touching]),
    ...(signer === undefined ? [] : ["SIGNER", signer]),
  ];
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
  readonly outcome: "applied" | "error" | "denied" | "unmet" | "malformed";
  /** The beginning of the reply. */
  readonly reply: RecordedArgument;
  /** The change of the key, for `blame`, or null if it was not requested. */
  readonly change: string | null;
}

/** Colours of outcomes; all other outcomes are plain. */
const TONES: ReadonlyMap<string, Tone> = new Map([
  ["error", "warn"],
  ["unmet", "warn"],
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
function historyJson({ from, snapshot, damaged, omitted, units }: HistoryReport): object {
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
  const name = label === "" ? short : `${escapedText(label)} (${short})`;
  if (as === null) return name;
  // For a client of version 1, `as` is the id of the client's key, because the daemon signed the envelope.
  return `${/^[\da-f]{64}$/.test(as) ? as.slice(0, SHORT_DIGITS) : escapedText(as)} by ${name}`;
}

function shownCommands({ commands, db }: RecordedUnit): string {
  const text = commands.map((argv) => argv.map(shownWord).join(" ")).join("; ");
  return db === 0 ? text : `[db ${db}] ${text}`;
}

function shownOutcome({ outcome, reply, change }: RecordedUnit): string {
  if (outcome === "unmet") return "  → its conditions were not met";
  // A unit that changed the key was applied, so its outcome needs no mention.
  if (change !== null) return "";
  return `  → ${outcome === "applied" ? shownWord(reply) : escapedText(String(reply))}`;
}

/** Returns an argument as a user would type it, with quotes if needed. */
function shownWord(text: RecordedArgument): string {
  if (text instanceof BinaryText) return String(text);
  return /^[^\s"'\p{C}]+$/u.test(text) ? text : escapedText(JSON.stringify(text));
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
    const now = realClientEnvironment.wallClock();
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
