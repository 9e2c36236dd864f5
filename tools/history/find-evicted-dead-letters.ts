/** `dbsync dead-letters find`: finds the entries that an evicted daemon had acknowledged but that no member has. */
import type { Command } from "commander";
import { DbsyncError } from "../../client/shared/errors.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import type { EntryOutcome, FoundOutcomes } from "../cli/folder/folder-dead-letters.js";
import { queryEach } from "../cli/keys/fetch-key-rings.js";
import { addClientOptions, type ClientFlags, openFrom, readSettings } from "../cli/shared/client-options.js";
import { EXIT, exitCodeHelp } from "../cli/shared/exit-codes.js";
import type { FolderFlags } from "../cli/shared/folder-options.js";
import { printJson, printLine } from "../cli/shared/output.js";

type FindFlags = FolderFlags & ClientFlags & { readonly json?: boolean };

const COMMAND_MS = 20_000;

/** Outcomes by precedence: the first one that at least one member reports is used. */
const OUTCOMES = ["held", "dead-letter", "forgotten", "undecided"] as const satisfies readonly EntryOutcome[];

/** Adds the options and the help of `find`. @param command  already has the options for the folder */
export function addFindOptions(command: Command): Command {
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

export async function find(flags: FindFlags): Promise<void> {
  const settings = readSettings({ ...flags, timeout: flags.timeout ?? COMMAND_MS });
  const { key } = openFrom(settings);
  const query = async (words: readonly string[]): Promise<EntryOutcome[]> => {
    const answers = await queryEach(settings, key, ["TIMELINE", "FATE", ...words]);
    const reports = answers.flatMap(({ error, reply }) => (error === null ? [outcomesIn(reply)] : []));
    const [first] = reports;
    if (first === undefined) throw answers[0]?.error ?? new DbsyncError("all-failed", "");
    return first.map(
      (_, index) => OUTCOMES.find((outcome) => reports.some((one) => one[index] === outcome)) ?? "undecided",
    );
  };
  const { findDeadLetters } = await import("../cli/folder/folder-dead-letters.js");
  const found = await findDeadLetters(flags, query);
  const { kept, unread, counts } = found;
  if (flags.json) printJson({ kept, unread, fates: counts });
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
    ...(unread > 0 ? [`${unread} pages of the folder cannot be read: run dbsync log verify`] : []),
  ];
}
