/** The subcommands and options of `dbsync`. */
import { createRequire } from "node:module";
import { Command, Help, type Option } from "commander";
import { breakHelp } from "../../daemon/net/terminal/terminal-text.js";
import * as faces from "./faces.js";
import type { CliFace, LoadSubcommand } from "./shared/cli-face.js";
import { addClientOptions, isCommonOption } from "./shared/client-options.js";
import { exitCodeHelp } from "./shared/exit-codes.js";

/** The package's version, read by the package's name so that it works wherever the package was built or installed. */
const { version } = createRequire(import.meta.url)("dbsyncd/package.json") as { version: string };

type Subcommands = Readonly<Record<string, LoadSubcommand>>;

/** The subcommands of modules that import a face. */
const OF_FACES: Subcommands = Object.fromEntries(
  Object.values<CliFace>(faces).flatMap(({ subcommands }) => Object.entries(subcommands)),
);

/** The subcommands by their names, grouped by subject, in the order of the help. Each is loaded when it is needed. */
const SUBCOMMANDS: readonly (readonly [group: string, loads: Subcommands])[] = [
  [
    "Data",
    {
      send: async () => (await import("./send.js")).addSend,
      get: async () => (await import("./get.js")).addGet,
      subscribe: async () => (await import("./listen.js")).addSubscribe,
      watch: async () => (await import("./listen.js")).addWatch,
      repl: async () => (await import("./repl/repl.js")).addRepl,
      ...OF_FACES,
      import: async () => (await import("./import.js")).addImport,
      export: async () => (await import("./export.js")).addExport,
    },
  ],
  [
    "Cluster",
    {
      status: async () => (await import("./status/status.js")).addStatus,
      doctor: async () => (await import("./status/doctor.js")).addDoctor,
      top: async () => (await import("./top/top.js")).addTop,
      ping: async () => (await import("./ping.js")).addPing,
      members: async () => (await import("./members/members.js")).addMembers,
      decide: async () => (await import("./members/decide.js")).addDecide,
    },
  ],
  [
    "Keys",
    {
      keys: async () => (await import("./keys/keys.js")).addKeys,
    },
  ],
  [
    "History",
    {
      log: async () => (await import("../history/log.js")).addLog,
      blame: async () => (await import("../history/log.js")).addBlame,
    },
  ],
  [
    "Backup",
    {
      backup: async () => (await import("../backup/backup.js")).addBackup,
      restore: async () => (await import("../backup/restore.js")).addRestore,
      "repair-mirror": async () => (await import("../history/repair-mirror.js")).addRepairMirror,
      "dead-letters": async () => (await import("../history/dead-letters.js")).addDeadLetters,
    },
  ],
  [
    "Tools",
    {
      profile: async () => (await import("./profile.js")).addProfile,
      test: async () => (await import("./json/test-command.js")).addTest,
      completion: async () => (await import("./completion/completion.js")).addCompletion,
    },
  ],
];
const NAMES: ReadonlySet<string> = new Set(SUBCOMMANDS.flatMap(([, loads]) => Object.keys(loads)));

/** Removes passwords from URLs: an error that quotes a wrong argument may be logged. */
function withoutPasswords(text: string): string {
  return text.replace(/(value '\w+:\/\/[^:@\s]*:)\S*@/g, "$1…@");
}

/**
 * Creates the program; nothing is parsed yet.
 * @param word  the first word of the command line: if it is a subcommand, the program has only this one; default: all
 */
export async function makeProgram(word = ""): Promise<Command> {
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
  for (const [group, loads] of SUBCOMMANDS) {
    program.commandsGroup(`${group}:`);
    for (const [name, load] of Object.entries(loads))
      if (name === word || !NAMES.has(word)) (await load())(program);
  }
  program.helpCommand("help [command]", "display help for command");
  return program;
}

/**
 * Formats the help of `dbsync`. `dbsync --help` explains the common options; the help of a subcommand only names
 * them. Commander calls it (`configureHelp`).
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
