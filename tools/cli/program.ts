/** The subcommands and options of `dbsync`. */
import { createRequire } from "node:module";
import { Command, Help, type Option } from "commander";
import { breakHelp } from "../../daemon/net/terminal/help-text.js";
import { addBackup } from "../backup/backup.js";
import { addRestore } from "../backup/restore.js";
import { addBlame } from "../history/blame.js";
import { addDeadLetters } from "../history/dead-letters.js";
import { addLog } from "../history/log.js";
import { addRepairMirror } from "../history/repair-mirror.js";
import { addBench } from "./bench/bench.js";
import { addCompletion } from "./completion/completion.js";
import { addExport } from "./export.js";
import { addGet } from "./get.js";
import { addImport } from "./import.js";
import { addTest } from "./json/test-command.js";
import { addKeys } from "./keys/keys.js";
import { addSubscribe, addWatch } from "./listen.js";
import { addMembers } from "./members/members.js";
import { addPing } from "./ping.js";
import { addProfile } from "./profile.js";
import { addRepl } from "./repl/repl.js";
import { addSend } from "./send.js";
import { addClientOptions, isCommonOption } from "./shared/client-options.js";
import { exitCodeHelp } from "./shared/exit-codes.js";
import { addSql } from "./sql/sql.js";
import { addDoctor } from "./status/doctor.js";
import { addStatus } from "./status/status.js";
import { addTop } from "./top/top.js";

/** The package's version, read by the package's name so that it works wherever the package was built or installed. */
const { version } = createRequire(import.meta.url)("dbsyncd/package.json") as { version: string };

type Add = (program: Command) => void;

/** The subcommands, grouped by subject, in the order of the help. */
const SUBCOMMANDS: readonly (readonly [group: string, adds: readonly Add[]])[] = [
  ["Data", [addSend, addGet, addSubscribe, addWatch, addRepl, addSql, addImport, addExport]],
  ["Cluster", [addStatus, addDoctor, addTop, addPing, addMembers]],
  ["Keys", [addKeys]],
  ["History", [addLog, addBlame]],
  ["Backup", [addBackup, addRestore, addRepairMirror, addDeadLetters]],
  ["Tools", [addProfile, addBench, addTest, addCompletion]],
];

/** Removes passwords from URLs: an error that quotes a wrong argument may be logged. */
function withoutPasswords(text: string): string {
  return text.replace(/(value '\w+:\/\/[^:@\s]*:)\S*@/g, "$1…@");
}

/** Creates the program; nothing is parsed yet. */
export function makeProgram(): Command {
  const program = new Command("dbsync")
    .description("Signs a command once, sends it to every daemon, uses the first successful result.")
    .version(version, "-V, --version", "print the version")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => process.stdout.write(breakHelp(text)),
      outputError: (text, write) => write(withoutPasswords(text.replace(/^error: /, "dbsync: "))),
    })
    .configureHelp({ formatHelp })
    .showHelpAfterError("(--help lists the options)")
    .addHelpText(
      "after",
      `
Servers and key come from the first of these that names them: the options -s and -k; --profile; DBSYNC_SERVERS and
DBSYNC_SIGNKEY; DBSYNC_PROFILE; dbsync.ini in the current folder; the profile of dbsync profile use; dbsync.ini in
~/.config/dbsync or /etc. The default is 127.0.0.1:1111, unsigned. DBSYNC_DEBUG=1 prints every frame on stderr.

Examples:
  dbsync send SET greeting hello
  dbsync get greeting
  dbsync ping -s 10.0.0.1,10.0.0.2
  dbsync doctor
${exitCodeHelp("all daemons failed, or a check failed; each subcommand's help lists its own")}`,
    );
  for (const [group, adds] of SUBCOMMANDS) {
    program.commandsGroup(`${group}:`);
    for (const add of adds) add(program);
  }
  program.helpCommand("help [command]", "display help for command");
  return program;
}

/**
 * Formats the help of `dbsync`. `dbsync --help` explains the common options; the help of a subcommand only names
 * them. Formats help for commander's `configureHelp`.
 */
function formatHelp(command: Command, helper: Help): string {
  const visibleOptions = (one: Command) =>
    helper.visibleOptions(one).filter((option) => !isCommonOption(option));
  const ownHelp = Object.assign(new Help(), helper, { visibleOptions });
  const text = Help.prototype.formatHelp.call(ownHelp, command, ownHelp);
  if (command.parent === null)
    return `${text}\n${commonOptions(ownHelp, ownHelp.padWidth(command, ownHelp))}`;
  const common = helper.visibleOptions(command).filter(isCommonOption);
  if (common.length === 0) return text;
  return `${text}\nCommon options, which dbsync --help explains: ${common.map(nameOf).join(", ")}\n`;
}

/** Returns the common options with their descriptions. */
function commonOptions(helper: Help, width: number): string {
  const { options } = addClientOptions(new Command());
  const items = options.map((option) =>
    helper.formatItem(helper.optionTerm(option), width, helper.optionDescription(option), helper),
  );
  return helper.formatItemList(options[0]?.helpGroupHeading ?? "", items, helper).join("\n");
}

/** Returns an option's name, with its default if subcommands have different ones. */
function nameOf({ short, long, description }: Option): string {
  const [, preset] = long === "--timeout" ? (/\((default: .*)\)$/.exec(description) ?? []) : [];
  return `${short ?? long}${preset === undefined ? "" : ` (${preset})`}`;
}
