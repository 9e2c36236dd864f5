/**
 * `dbsync members join`: prepares the folder of a stopped daemon for another group of members, or for a new start after
 * the daemon has left its list. Source: docs/decisions/0080-members-found-their-list.md.
 */
import type { Command } from "commander";
import { dateText } from "../../../protocol/version-2/envelope.js";
import type { Joined, JoinPlan } from "../folder/joining-folder.js";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { addFolderOption } from "../shared/folder-options.js";
import { JSON_FLAG, printJson, printLine, printNotice } from "../shared/output.js";
import { shown } from "./next-member-list.js";
import type { OwnFlags } from "./own-daemon.js";

interface JoinFlags extends Pick<OwnFlags, "data" | "config"> {
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function addJoin(members: Command): void {
  addFolderOption(
    members
      .command("join")
      .description("prepare the folder of a stopped daemon for another group of members"),
  )
    .option("--yes", "do it; without this option, the command only shows what it would do")
    .option(JSON_FLAG, "print JSON; ids in full")
    .addHelpText(
      "after",
      `
Two lists of members that share no member are two groups, and refuse each other. Choose the group whose writes are kept. On the
machine of each daemon of the other group, stop the daemon, and run this as its user or as root. The command makes dead letters
of all writes in the folder, and moves its timeline and its key to replaced/joined-DATE. Then start the daemon with --peer for
the members of the group that is kept, and name it in their --peer: they add it under a new id.
The command also prepares the folder of a daemon that has left its list (remove). It then makes no dead letters, because the
members have all its writes. You may repeat the command.

Examples:
  dbsync members join --data /var/lib/dbsyncd
  dbsync members join --data /var/lib/dbsyncd --yes
${exitCodeHelp("nothing was done, because --yes is missing, the daemon runs, or the folder has no list")}`,
    )
    .action(join);
}

async function join(flags: JoinFlags): Promise<void> {
  const { joinOther, joinPlan } = await import("../folder/joining-folder.js");
  const plan = await joinPlan(flags);
  if (flags.yes !== true) {
    process.exitCode = EXIT.failed;
    if (flags.json === true) printJson({ ...plan, isDone: false });
    else for (const line of joinLines(plan)) printLine(line);
    printNotice("nothing was done: to do this, run the same command with --yes");
    return;
  }

  const joined = await joinOther(flags);
  if (joined.unread > 0) process.exitCode = EXIT.failed;
  if (flags.json === true) printJson({ ...plan, isDone: true, ...joined });
  else for (const line of joinedLines(plan, joined)) printLine(line);
}

function joinLines({ numbers, members, hasLeft, entries, lastAt, hasPruned }: JoinPlan): readonly string[] {
  if (numbers.length === 0) return ["An earlier run of this command has begun: it is completed."];
  const dated = lastAt === null ? "" : `, the last one of ${dateText(lastAt)}`;
  const list = `list ${numbers.join(" and ")}`;
  if (hasLeft) return [`The daemon has left ${list}, and the members have its ${entries} envelopes${dated}.`];
  return [
    `The daemon leaves ${list}, with these members:`,
    ...members.map((id) => `  ${shown(id)}`),
    `Its ${entries} envelopes${dated}, are lost for the other group. Their writes become dead letters.`,
    ...(hasPruned ? [`Envelopes before these were deleted (--retain): ${EXPORT_THEM}.`] : []),
    ...WRITE_ONCE,
  ];
}

function joinedLines({ hasLeft }: JoinPlan, { kept, unread, ofRing, moved }: Joined): readonly string[] {
  return [
    ...(hasLeft ? [] : [`${kept} new dead ${kept === 1 ? "letter" : "letters"} (dbsync dead-letters list)`]),
    ...(ofRing > 0 ? [`${ofRing} commands that change keys or members were left out`] : []),
    ...(unread > 0 ? [`${unread} damaged pages could not be read: their writes are missing`] : []),
    ...(kept > 0 ? WRITE_ONCE : []),
    `The data is now in ${moved}. Remove it when you no longer need it.`,
    "Start the daemon with --peer for the members that it joins, and name it in their --peer.",
  ];
}

const EXPORT_THEM = "start this daemon alone before, to export its keys (dbsync export)";
const WRITE_ONCE: readonly string[] = [
  "The members of this list have the same writes: write them again from one folder, and remove them from the other ones.",
  "If clients have sent writes to both groups, the other group may have them already: check their keys before.",
];
