/**
 * `dbsync decide`: shows and changes the patterns of keys on whose writes the members decide. An administrator signs
 * the change, or the operator of a daemon's data folder. Source: docs/decisions/0081-decided-keys.md.
 */
import { type Command, InvalidArgumentError } from "commander";
import type { Settings } from "../../../client/settings/client-settings.js";
import type { SigningKey } from "../../../client/settings/signing-key.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import { type Answer, queryEach } from "../keys/fetch-key-rings.js";
import { ADMINISTRATOR_HINT, explainErrors, type Hint } from "../keys/key-advice.js";
import { addClientOptions, openFrom, readCount, readSettings } from "../shared/client-options.js";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { addFolderOption } from "../shared/folder-options.js";
import { printLine, printNotice } from "../shared/output.js";
import { showProgress } from "../shared/progress.js";
import { fieldsOf } from "../shared/read-figures.js";
import { findOwnDaemon, OWN_KEY_HINTS, type OwnFlags } from "./own-daemon.js";

const SECOND_MS = 1000;
/** The default of --wait, in seconds. With the usual window, a pattern begins after about 75 s. */
const WAIT_SECONDS = 180;
const EVERY_MS = 500;
/** The greatest number of a database. */
const DB_MAX = 9999;

interface DecideFlags extends OwnFlags {
  readonly db?: number;
  readonly pair?: boolean;
  readonly wait?: number;
}

const HINTS: readonly Hint[] = [
  [
    /NOPERM|unknown-key/,
    `${ADMINISTRATOR_HINT}; in a cluster without an administrator, run it on the machine of a member with --data`,
  ],
  [/unknown (sub)?command/i, "decided keys need daemons of this version: update and restart them"],
];

/** The command whose reply names the patterns. */
const QUERY = ["CLUSTER", "MEMBERS"];

/** What a daemon reports about the patterns. */
interface PatternReport {
  readonly address: string;
  readonly patterns: string | null;
  readonly waiting: string | null;
}

export function addDecide(program: Command): void {
  const decide = program
    .command("decide")
    .description("show and change the keys on all of whose writes the members decide")
    .addHelpText(
      "after",
      `
A pattern names keys as in a rule: lock:* means all keys that begin with lock:. Programs for one Redis server may lock,
count and take elements on such keys at several daemons at the same time.

Examples:
  dbsync decide add 'lock:*' -k root-private.pem
  dbsync decide list --data /var/lib/dbsyncd
${exitCodeHelp("a daemon has not answered, or a pattern has not begun")}`,
    );
  addFolderOption(
    addClientOptions(decide.command("list").description("show the patterns that each daemon knows")),
  )
    .addHelpText(
      "after",
      `
Examples:
  dbsync decide list -k root-private.pem
  dbsync decide list --data /var/lib/dbsyncd
${exitCodeHelp("a daemon has not answered")}`,
    )
    .action((flags: DecideFlags) => explainErrors(flags, () => list(flags), hintsFor(flags)));
  addChange(decide, "add", "let the members decide on all writes to the keys of a pattern")
    .option("--pair", "also in a list of two members, which decide only while both run")
    .option(
      "--wait <seconds>",
      `time to wait until the pattern has begun; afterwards the daemons continue (default: ${WAIT_SECONDS})`,
      (text) => readCount(text, "Seconds are"),
    )
    .addHelpText(
      "after",
      `
The daemons need a member list (dbsync members list). Writes to these keys then take as long as a decision, and need more
than half of the members; other keys are not concerned. Until the pattern has begun, after about 75 s, the daemons refuse
writes to its keys that clients sign, unless they request a decision.

Examples:
  dbsync decide add 'lock:*' -k root-private.pem
  dbsync decide add 'jobs:*' --db 2 --data /var/lib/dbsyncd
${exitCodeHelp("the pattern has not begun yet")}`,
    )
    .action((pattern: string, flags: DecideFlags) =>
      explainErrors(flags, () => add(pattern, flags), hintsFor(flags)),
    );
  addChange(decide, "remove", "end the decisions on a pattern")
    .addHelpText(
      "after",
      `
Examples:
  dbsync decide remove 'lock:*' -k root-private.pem
${exitCodeHelp("the pattern was not removed")}`,
    )
    .action((pattern: string, flags: DecideFlags) =>
      explainErrors(flags, () => change("UNDECIDE", pattern, flags).then(() => {}), hintsFor(flags)),
    );
}

const hintsFor = ({ data, config }: DecideFlags): readonly Hint[] =>
  data === undefined && config === undefined ? HINTS : OWN_KEY_HINTS;

function addChange(decide: Command, name: string, description: string): Command {
  return addFolderOption(
    addClientOptions(decide.command(`${name} <pattern>`).description(description)),
  ).option("--db <number>", "only the keys of this database (default: all databases)", readDatabase);
}

function readDatabase(text: string): number {
  if (/^(0|[1-9]\d{0,3})$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`Databases are numbers from 0 to ${DB_MAX}.`);
}

/** The daemons to ask, and the key that signs. */
interface Session {
  readonly settings: Settings;
  readonly key: SigningKey;
}

/** Returns the daemon of the data folder that the options name, or all servers. */
async function sessionOf(flags: DecideFlags): Promise<Session> {
  if (flags.data !== undefined || flags.config !== undefined) return await findOwnDaemon(flags);
  const settings = readSettings(flags);
  return { settings, key: openFrom(settings).key };
}

async function change(name: "DECIDE" | "UNDECIDE", pattern: string, flags: DecideFlags): Promise<Session> {
  const session = await sessionOf(flags);
  const db = flags.db === undefined ? [] : ["DB", String(flags.db)];
  const pair = flags.pair === true ? ["PAIR"] : [];
  const answers = await queryEach(session.settings, session.key, ["CLUSTER", name, pattern, ...db, ...pair]);
  const [failure] = answers.flatMap(({ error }) => (error === null ? [] : [error]));
  // The members have decided if one daemon reports it.
  if (failure !== undefined && answers.every(({ error }) => error !== null)) throw failure;
  return session;
}

async function add(pattern: string, flags: DecideFlags): Promise<void> {
  const session = await change("DECIDE", pattern, flags);
  const deadline = performance.now() + (flags.wait ?? WAIT_SECONDS) * SECOND_MS;
  const isWaiting = (report: PatternReport) => (report.waiting ?? "").includes(nameIn(pattern, flags));

  let reports = await reportsOf(session);
  using _ = showProgress(
    () => `waiting until each member knows it: ${reports.find(isWaiting)?.waiting ?? ""}`,
  );

  while (reports.some(isWaiting) || !reports.some(({ patterns }) => patterns !== null)) {
    if (performance.now() > deadline) {
      printNotice("the pattern has not begun yet: dbsync doctor names the member for which it waits");
      process.exitCode = EXIT.failed;
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    reports = await reportsOf(session);
  }

  printLine(`The members decide on all writes to ${nameIn(pattern, flags)}.`);
}

/** Returns the name of a pattern in a daemon's report. */
const nameIn = (pattern: string, { db }: DecideFlags): string =>
  db === undefined ? `'${pattern}'` : `'${pattern}' (database ${db})`;

async function list(flags: DecideFlags): Promise<void> {
  const { settings, key } = await sessionOf(flags);
  const answers = await queryEach(settings, key, QUERY);
  for (const answer of answers) printLine(lineOf(answer));
  if (answers.some(({ error }) => error !== null)) process.exitCode = EXIT.failed;
}

function lineOf(answer: Answer): string {
  if (answer.error !== null) return `${answer.address}  ${answer.error.message}`;
  const { patterns, waiting } = reportOf(answer);
  const begins = waiting === null ? "" : `; has not begun: ${waiting}`;
  return `${answer.address}  ${patterns ?? "no patterns"}${begins}`;
}

async function reportsOf({ settings, key }: Session): Promise<readonly PatternReport[]> {
  const answers = await queryEach(settings, key, QUERY);
  const reports = answers.filter(({ error }) => error === null).map(reportOf);
  if (reports.length > 0) return reports;
  throw answers[0]?.error ?? new DbsyncError("all-failed", "no daemon has answered");
}

function reportOf({ address, reply }: Answer): PatternReport {
  const fields = fieldsOf(reply ?? []);
  const textIn = (name: string) => (fields[name] == null ? null : String(fields[name]));
  return { address, patterns: textIn("decided-patterns"), waiting: textIn("patterns-waiting") };
}
