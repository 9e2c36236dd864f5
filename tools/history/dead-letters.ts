/** `dbsync dead-letters`: lists writes that a daemon had acknowledged and later had to drop, and writes them again. */
import type { Command } from "commander";
import { DbsyncError } from "../../client/shared/errors.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import type { EntryOutcome, FoundOutcomes } from "../cli/folder/found-dead-letters.js";
import { queryEach } from "../cli/keys/fetch-key-rings.js";
import { addClientOptions, type ClientFlags, openFrom, readSettings } from "../cli/shared/client-options.js";
import { EXIT, exitCodeHelp } from "../cli/shared/exit-codes.js";
import { addFolderOption, type FolderFlags } from "../cli/shared/folder-options.js";
import { JSON_FLAG, printJson, printLine } from "../cli/shared/output.js";
import {
  formatDeadLetter,
  formatDeadLetters,
  jsonDeadLetter,
  unreadablePages,
} from "./format-dead-letters.js";
import { COMMAND_MS, type DeadLetterFlags, writeAgain } from "./write-dead-letters-again.js";

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
dbsync dead-letters find does the same with entries that an evicted daemon has and no member has. Each daemon also stores acknowledged writes that have no effect,
because their keys are decided (dbsync decide) and a daemon that was restored from a backup did not know it.
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
joined: its daemon has joined another group of members (dbsync members join); void: it writes decided keys, on which the members have not decided
(dbsync decide): only these commands are shown and written again.

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
      "include dead letters that were already written again, that may be in the state, or that take what is there (LPOP)",
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
  const query = async (args: readonly string[]): Promise<EntryOutcome[]> => {
    const answers = await queryEach(settings, key, ["TIMELINE", "OUTCOME", ...args]);
    const reports = answers.flatMap(({ error, reply }) => (error === null ? [outcomesIn(reply)] : []));
    const [first] = reports;
    if (first === undefined) throw answers[0]?.error ?? new DbsyncError("all-failed", "");
    return first.map(
      (_, index) =>
        PRECEDENCE.find((outcome) => reports.some((one) => one[index] === outcome)) ?? "undecided",
    );
  };

  const { storeUnheldEntries } = await import("../cli/folder/found-dead-letters.js");
  const found = await storeUnheldEntries(flags, query);
  const { kept, unread, counts } = found;

  if (flags.json) printJson({ kept, unread, outcomes: counts });
  else for (const line of linesOf(found)) printLine(line);
  if (counts.undecided > 0 || unread > 0) process.exitCode = EXIT.failed;
}

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
