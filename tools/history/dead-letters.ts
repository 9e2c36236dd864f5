/** `dbsync dead-letters`: lists writes that a daemon had acknowledged and later had to drop, and writes them again. */
import type { Command } from "commander";
import type { OutboxClient } from "../../client/outbox-client.js";
import type { Settings } from "../../client/settings/client-settings.js";
import { realEnvironment } from "../../client/shared/client-environment.js";
import { DbsyncError } from "../../client/shared/errors.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { readHello } from "../../client/version-2/single-hello.js";
import { shown, shownLines } from "../../daemon/net/terminal/terminal-text.js";
import { formatHeadedTable } from "../../daemon/net/terminal/text-table.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type {
  DeadLetterEnvelope,
  DeadLetterList,
  DeadLetterOutcome,
  EntryOutcome,
  FoundOutcomes,
  ListedDeadLetter,
  Stranded,
  WaitingDeadLetters,
} from "../cli/folder/folder-dead-letters.js";
import { queryEach } from "../cli/keys/fetch-key-rings.js";
import { addClientOptions, type ClientFlags, openFrom, readSettings } from "../cli/shared/client-options.js";
import { formatDate, formatExactDate } from "../cli/shared/date-text.js";
import { EXIT, exitCodeHelp } from "../cli/shared/exit-codes.js";
import { addFolderOption, type FolderFlags } from "../cli/shared/folder-options.js";
import { JSON_FLAG, printJson, printLine } from "../cli/shared/output.js";

/** Returns a dead letter for `--json`, with arguments in base64, and an empty `writer` if the key had to be absent. */
function jsonDeadLetter({ envelope, ...facts }: ListedDeadLetter): object {
  if (envelope === null) return { ...facts, envelope };
  const { as, conditions, commands, choices } = envelope;
  return {
    ...facts,
    envelope: {
      ...envelope,
      as: as === null ? null : base64(as),
      conditions: conditions.map(({ unit, db, key, writer }) => ({
        unit,
        db,
        key: base64(key),
        writer: writer ?? "",
      })),
      commands: commands.map((argv) => argv.map(base64)),
      choices: choices.map(({ index, took }) => ({ index, took: took.map(base64) })),
    },
  };
}

export function formatDeadLetters({ deadLetters, unread }: DeadLetterList): string {
  const rows = deadLetters.map(({ id, at, state, reason, envelope }) => [
    id.slice(0, SHORT_DIGITS),
    formatDate(at),
    state,
    reason,
    envelope === null ? "(damaged)" : inBrief(envelope),
  ]);
  const table =
    rows.length === 0
      ? "no dead letters\n"
      : formatHeadedTable([["ID", "DATE", "STATE", "WHY", "COMMAND"], ...rows]);
  const remarks = unread.map(({ file, reason }) => `${shown(file)}: ${reason}\n`);
  return table + remarks.join("");
}

function formatDeadLetter({ id, at, state, since, reason, bytes, envelope }: ListedDeadLetter): string {
  const when = since === null ? "" : `, ${formatDate(since)}`;
  const facts: [string, string][] = [
    ["id", id],
    ["date", formatExactDate(at)],
    ["state", `${state}${when}`],
    ["why", reason],
    ["bytes", String(bytes)],
  ];
  if (envelope === null) facts.push(["commands", "damaged"]);
  else {
    const { signer, as, db, multi, units, conditions, commands, choices } = envelope;
    const tookAt = new Map(choices.map(({ index, took }) => [index, took]));
    facts.push(["signer", signer]);
    if (as !== null) facts.push(["for user", shownWord(as)]);
    if (db !== 0) facts.push(["database", String(db)]);
    if (multi) facts.push(["unit", "all commands in one step"]);
    if (units !== null) facts.push(["units", `of ${units.join(", ")} commands, each in one step`]);
    for (const { unit, db, key, writer } of conditions)
      facts.push([
        "if",
        `${unit === null ? "" : `command ${unit + 1}: `}${shownWord(key)} of database ${db}: ${writer === null ? "absent" : `last changed by ${writer}`}`,
      ]);
    for (const [index, argv] of commands.entries()) {
      facts.push(["command", argv.map(shownWord).join(" ")]);
      const took = tookAt.get(index);
      if (took !== undefined) facts.push(["took", took.map(shownWord).join(" ") || "nothing"]);
    }
  }
  return `${facts.map(([name, text]) => `${name.padEnd(10)}${text}\n`).join("")}\n`;
}

function inBrief({ commands: [first = []], count }: DeadLetterEnvelope): string {
  const more = count > 1 ? ` and ${count - 1} more` : "";
  return `${first.map(shownWord).join(" ")}${more}`;
}

/** Returns an argument as a user would type it, with quotes if needed; bytes that are not text are in base64. */
function shownWord(word: Buffer): string {
  const text = word.toString();
  if (!Buffer.from(text).equals(word)) return `base64:${word.toString("base64")}`;
  return shown(/^[^\s"'\p{C}]+$/u.test(text) ? text : JSON.stringify(text));
}

const base64 = (bytes: Buffer): string => bytes.toString("base64");

type DeadLetterFlags = FolderFlags & { readonly json?: boolean };
type WriteFlags = DeadLetterFlags &
  ClientFlags & { readonly all?: boolean; readonly stranded?: boolean; readonly anyway?: boolean };

const COMMAND_MS = 20_000;

export function addDeadLetters(program: Command): void {
  const command = program
    .command("dead-letters")
    .description("show writes that a daemon had to drop, and write them again")
    .enablePositionalOptions()
    .addHelpText(
      "after",
      `
A daemon that was disconnected for longer than its peers retain commands replaces its state with a snapshot from a peer. Writes that it had acknowledged and
that are missing from the snapshot, or may be missing, become dead letters: they are stored in dead-letters/ in its data folder, with their signatures.
dbsync dead-letters find does the same with entries that an evicted daemon has and no member has. Each member also stores writes without an effect: their keys are
decided (dbsync decide), and a daemon that was restored from an old copy of its folder accepted them before it knew that.
Run this on the daemon's machine, as its user or as root; the daemon may be running.

Examples:
  dbsync dead-letters list --data /var/lib/dbsyncd
  dbsync dead-letters show 3f2ab9c1 --data /var/lib/dbsyncd
  dbsync dead-letters write-again 3f2ab9c1 --data /var/lib/dbsyncd -k private.pem
  dbsync dead-letters remove 3f2ab9c1 --data /var/lib/dbsyncd
${exitCodeHelp("there is no such dead letter, one was not written, or the folder cannot be read")}`,
    );
  addList(command);
  addFind(command);
  addShow(command);
  addWriteAgain(command);
  addRemove(command);
}

function subcommand(parent: Command, usage: string, description: string): Command {
  return addFolderOption(parent.command(usage).description(description)).option(
    JSON_FLAG,
    "print a line of JSON for each dead letter, with complete ids and arguments in base64",
  );
}

function addList(command: Command): void {
  subcommand(command, "list", "list all dead letters, oldest first")
    .addHelpText(
      "after",
      `
States: waiting: not written again yet; written: written again by this program; begun: sent, with an unknown outcome; undecided: the daemon decides at its
next start.
Reasons: missing: it is not in the snapshot; possible: it may be in the snapshot, which does not list ids that old; unknown-key: the command
that added its key is missing too; evicted: its daemon was evicted before a member received it (find); stranded: no peer has admitted its daemon;
joined: its daemon has joined another group of members (dbsync members join); void: it writes decided keys (dbsync decide), and the members have not decided on
it: only commands without an effect are shown, each member has them, and write-again needs their ids and --anyway.

Examples:
  dbsync dead-letters list --data /var/lib/dbsyncd
  dbsync dead-letters list --config /etc/dbsync/dbsyncd.toml --json
${exitCodeHelp("the folder, or a part of a file of dead letters, cannot be read")}`,
    )
    .action(list);
}

function addFind(command: Command): void {
  addFindOptions(subcommand(command, "find", "find entries of an evicted daemon that no member has")).action(
    find,
  );
}

function addShow(command: Command): void {
  subcommand(command, "show <id...>", "show dead letters in full")
    .usage("[options] <id...>\n\n<id>: its first digits, as list shows them")
    .addHelpText(
      "after",
      `\nExamples:\n  dbsync dead-letters show 3f2ab9c1 --data /var/lib/dbsyncd\n${exitCodeHelp("there is no such dead letter, or the folder cannot be read")}`,
    )
    .action(show);
}

function addRemove(command: Command): void {
  subcommand(
    command,
    "remove <id...>",
    "remove dead letters permanently, whether they were written again or not",
  )
    .addHelpText(
      "after",
      `\nExamples:\n  dbsync dead-letters remove 3f2ab9c1 90b4 --data /var/lib/dbsyncd\n${exitCodeHelp("there is no such dead letter (then none is removed), or the folder cannot be read")}`,
    )
    .action(remove);
}

function addWriteAgain(command: Command): void {
  addClientOptions(
    subcommand(command, "write-again [id...]", "sign dead letters again and send them"),
    COMMAND_MS,
  )
    .option("--all", "write all waiting dead letters that are certain to be missing, instead of naming ids")
    .option(
      "--stranded",
      "first make dead letters of all writes of this folder, because no peer has ever admitted its daemon; then as --all",
    )
    .option(
      "--anyway",
      "include dead letters that were already written again, that may be in the state, that each member has (void), or that take what is there (LPOP)",
    )
    .addHelpText(
      "after",
      `
Dead letters are signed with your key (-k) and dated now, because daemons no longer accept the date of the old signature. They are sent one after the
other, in the order of their old dates. An envelope of several commands is written as one unit, or each command by itself if members had to decide on them; conditions (if) still apply, and times to live start now.
Each dead letter is marked on the disk before it is sent, so none is sent twice unless you add --anyway. Daemons that were disconnected together have the
same dead letters, with the same ids: write them again from one folder, and remove them from the other folders.

--stranded is for the folder of a daemon that was started with wrong keys or options, so that it accepted writes that reached no other daemon. Commands
that change keys or members are left out. Run it again if it was interrupted: it writes only what is still waiting.

Examples:
  dbsync dead-letters write-again 3f2ab9c1 --data /var/lib/dbsyncd -k private.pem
  dbsync dead-letters write-again --all --config /etc/dbsync/dbsyncd.toml -s 10.0.0.1,10.0.0.2 -k private.pem
  dbsync dead-letters write-again --stranded --data /var/lib/dbsyncd-wrong -s 10.0.0.1,10.0.0.2 -k private.pem
${exitCodeHelp("a dead letter was not written, or may not have been, or still waits after --all, or the folder cannot be read")}`,
    )
    .action(writeAgain);
}

async function list(flags: DeadLetterFlags): Promise<void> {
  const { listDeadLetters } = await import("../cli/folder/folder-dead-letters.js");
  const found = await listDeadLetters(flags);
  if (flags.json) {
    for (const deadLetter of found.deadLetters) printJson(jsonDeadLetter(deadLetter));
    for (const { file, bytes, reason } of found.unread) printJson({ unread: file, bytes, reason });
  } else process.stdout.write(formatDeadLetters(found));
  if (found.unread.length > 0) process.exitCode = EXIT.failed;
}

async function show(ids: readonly string[], flags: DeadLetterFlags): Promise<void> {
  const { showDeadLetters } = await import("../cli/folder/folder-dead-letters.js");
  for (const deadLetter of await showDeadLetters(ids, flags))
    if (flags.json) printJson(jsonDeadLetter(deadLetter));
    else process.stdout.write(formatDeadLetter(deadLetter));
}

async function remove(ids: readonly string[], flags: DeadLetterFlags): Promise<void> {
  const { removeDeadLetters } = await import("../cli/folder/folder-dead-letters.js");
  for (const deadLetter of await removeDeadLetters(ids, flags))
    if (flags.json) printJson(jsonDeadLetter(deadLetter));
    else printLine(`removed ${deadLetter.id}`);
}

async function writeAgain(ids: readonly string[], flags: WriteFlags): Promise<void> {
  const isAll = flags.all === true || flags.stranded === true;
  if ((ids.length === 0) !== isAll)
    throw new DbsyncError("bad-option", "name dead letters by their ids, or add --all or --stranded");
  const settings = readSettings({ ...flags, timeout: flags.timeout ?? COMMAND_MS });
  const { client, key } = openFrom(settings);
  if (key.signer === null)
    throw new DbsyncError("bad-key", "dead letters must be signed again: specify a private key (-k)");
  const { strandedDeadLetters, writeDeadLettersAgain } = await import("../cli/folder/folder-dead-letters.js");
  if (flags.stranded === true)
    reportStranded(flags, await strandedDeadLetters(flags, await clustersOf(settings)));
  const isAnyway = flags.anyway ?? false;
  const wanted = { ids: isAll ? null : ids, isAnyway };
  let count = 0;
  const waiting = await writeDeadLettersAgain(wanted, flags, async (deadLetter, id) => {
    count++;
    const sent = deadLetter === null ? UNREADABLE : await writeOne(client, deadLetter, isAnyway);
    report(flags, deadLetter?.id ?? id, sent);
    return sent.outcome;
  });
  if (count === 0 && !flags.json) printLine("there is no waiting dead letter that is certain to be missing");
  if (isAll && waiting.count > 0) reportWaiting(flags, waiting);
}

/** Returns the clusters of the servers that answer. @throws DbsyncError  none answers */
async function clustersOf({ servers, timeout }: Settings): Promise<ReadonlySet<ByteString>> {
  const greetings = await Promise.all(servers.map((server) => readHello(server, realEnvironment, timeout)));
  const clusters = greetings.flatMap((greeting) => (greeting.kind === "hello" ? greeting.hello.cluster : []));
  const [first] = greetings;
  if (clusters.length === 0)
    throw new DbsyncError("all-failed", first?.kind === "failed" ? first.detail : "no server sent a hello");
  return new Set(clusters);
}

function reportStranded(flags: DeadLetterFlags, { kept, unread, ofRing, hasPruned }: Stranded): void {
  if (unread > 0 || hasPruned) process.exitCode = EXIT.failed;
  if (flags.json) {
    printJson({ kept, unread, ofRing, hasPruned });
    return;
  }
  printLine(`${kept} new dead ${kept === 1 ? "letter" : "letters"} of this folder`);
  if (ofRing > 0)
    printLine(
      `${ofRing} commands that change keys or members were left out: run them again if you need them`,
    );
  if (hasPruned)
    printLine(
      "the folder no longer contains its first writes (--retain): start its daemon alone to export its keys (dbsync export)",
    );
  if (unread > 0) printLine(unreadablePages(unread));
}

function reportWaiting(flags: DeadLetterFlags, waiting: WaitingDeadLetters): void {
  process.exitCode = EXIT.failed;
  if (flags.json) {
    printJson({ waiting: waiting.count, possible: waiting.possible, void: waiting.void });
    return;
  }

  const letters = waiting.count === 1 ? "letter" : "letters";
  const groups = [
    [
      waiting.possible,
      "may be in the state: check their keys (dbsync dead-letters list), then write by id with --anyway, or remove",
    ],
    [
      waiting.void,
      "are on each member (void): write by id with --anyway from one folder, and remove from the other ones",
    ],
  ] as const;
  const advice = groups.flatMap(([count, text]) => (count === 0 ? [] : [`, of which ${count} ${text}`]));
  const other =
    ": run this command again; name those that are undecided, or that take what is there, with --anyway";
  printLine(`${waiting.count} dead ${letters} still waiting${advice.join("") || other}`);
}

interface Sent {
  readonly outcome: DeadLetterOutcome;
  /** The answer, or the error. */
  readonly text: string;
}

async function writeOne(
  client: OutboxClient,
  { envelope }: ListedDeadLetter,
  isAnyway: boolean,
): Promise<Sent> {
  if (envelope === null) return UNREADABLE;
  if (envelope.choices.length > 0 && !isAnyway) return TAKES;
  const { commands, conditions, multi, decide, units } = envelope;
  if (!decide || multi || commands.length === 1) return await writeUnit(client, commands, multi, envelope);

  // The members decide on each unit by itself.
  const texts: string[] = [];
  let first = 0;
  for (const length of units ?? commands.map(() => 1)) {
    const unit = commands.slice(first, first + length);
    const own = conditions.filter((condition) => condition.unit === null || condition.unit === first);
    const { outcome, text } = await writeUnit(client, unit, length > 1, { ...envelope, conditions: own });
    if (outcome !== "written") return { outcome: first === 0 ? outcome : "unknown", text };
    texts.push(text);
    first += length;
  }
  return { outcome: "written", text: texts.join(", ") };
}

async function writeUnit(
  client: OutboxClient,
  commands: DeadLetterEnvelope["commands"],
  multi: boolean,
  { db, conditions }: Pick<DeadLetterEnvelope, "db" | "conditions">,
): Promise<Sent> {
  try {
    const condition = conditions.length === 0 ? {} : { if: conditions };
    const isOne = commands.length === 1 && !multi;
    const reply: ReplyValue = isOne
      ? await client.call(commands[0] ?? [], { db, ...condition })
      : await client.multi(commands, { db, ...condition });
    return { outcome: "written", text: reply === null && conditions.length > 0 ? UNMET : replyText(reply) };
  } catch (problem) {
    if (!(problem instanceof DbsyncError)) throw problem;
    return { outcome: problem.effect === "not-applied" ? "unwritten" : "unknown", text: problem.message };
  }
}

function report(flags: DeadLetterFlags, id: string, { outcome, text }: Sent): void {
  if (outcome !== "written") process.exitCode = EXIT.failed;
  if (flags.json) printJson({ id, outcome, text });
  else printLine(shownLines(`${id.slice(0, SHORT_DIGITS)} ${OUTCOMES[outcome]}: ${text}`));
}

function replyText(reply: ReplyValue): string {
  if (reply === null) return "(nil)";
  if (reply instanceof Error) return reply.message;
  return Array.isArray(reply) ? reply.map(replyText).join(", ") : String(reply);
}

const SHORT_DIGITS = 12;
const OUTCOMES = {
  written: "written again",
  unwritten: "not written",
  unknown: "may have been written; to send it again add --anyway",
} as const;
const UNMET = "(nil): nothing has changed if its condition was not met";
const TAKES = {
  outcome: "unwritten",
  text: "it takes what is there, and would now take something else than its client received: remove what it took (show) by name, such as with LREM, ZREM or XACK, or add --anyway",
} as const;
const UNREADABLE = {
  outcome: "unwritten",
  text: "its bytes are damaged; another copy may be in replaced/ in the data folder",
} as const;

type FindFlags = FolderFlags & ClientFlags & { readonly json?: boolean };

/** Outcomes by precedence: the first one that at least one member reports is used. */
const PRECEDENCE = [
  "held",
  "dead-letter",
  "forgotten",
  "undecided",
] as const satisfies readonly EntryOutcome[];

/** Adds the options and the help of `find`. @param command  already has the options for the folder */
function addFindOptions(command: Command): Command {
  return addClientOptions(command, COMMAND_MS).addHelpText(
    "after",
    `
For a daemon that dbsync members evict (or replace) has removed and whose folder still exists. Members do not have the writes that it acknowledged but did not
send to them. This command asks the members (-s), with an administrator's key (-k), which entries of the folder they have. It stores the remaining entries as
dead letters in that folder (see list). The outcome of entries that are not final is unknown: run the command again a few seconds later. You may repeat it.

Examples:
  dbsync dead-letters find --data /var/lib/dbsyncd -s db1:1111,db2:1111 -k root-private.pem
${exitCodeHelp("some outcomes are not known yet, pages cannot be read, or no member answers")}`,
  );
}

async function find(flags: FindFlags): Promise<void> {
  const settings = readSettings({ ...flags, timeout: flags.timeout ?? COMMAND_MS });
  const { key } = openFrom(settings);
  const query = async (words: readonly string[]): Promise<EntryOutcome[]> => {
    const answers = await queryEach(settings, key, ["TIMELINE", "OUTCOME", ...words]);
    const reports = answers.flatMap(({ error, reply }) => (error === null ? [outcomesIn(reply)] : []));
    const [first] = reports;
    if (first === undefined) throw answers[0]?.error ?? new DbsyncError("all-failed", "");
    return first.map(
      (_, index) =>
        PRECEDENCE.find((outcome) => reports.some((one) => one[index] === outcome)) ?? "undecided",
    );
  };
  const { findDeadLetters } = await import("../cli/folder/folder-dead-letters.js");
  const found = await findDeadLetters(flags, query);
  const { kept, unread, counts } = found;

  if (flags.json) printJson({ kept, unread, outcomes: counts });
  else for (const line of linesOf(found)) printLine(line);
  if (counts.undecided > 0 || unread > 0) process.exitCode = EXIT.failed;
}

const unreadablePages = (count: number): string =>
  `${count} pages of the folder cannot be read: run dbsync log verify`;

const outcomesIn = (reply: ReplyValue): readonly string[] => (Array.isArray(reply) ? reply.map(String) : []);

function linesOf({ kept, unread, counts }: FoundOutcomes): string[] {
  const { held, forgotten, undecided } = counts;
  return [
    `${kept} new dead ${kept === 1 ? "letter" : "letters"}; the members have ${held} of the remaining entries of the folder`,
    ...(forgotten > 0
      ? [`${forgotten} entries are older than all that the members keep: their outcome cannot be found`]
      : []),
    ...(undecided > 0
      ? [`the outcome of ${undecided} entries is not known yet: run the command again in a few seconds`]
      : []),
    ...(unread > 0 ? [unreadablePages(unread)] : []),
  ];
}
