#!/usr/bin/env node
/** The program `dbsync`: subcommands, and the one place where errors become text and exit codes. */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { addBench } from "./bench/bench.js";
import { addCompletion } from "./completion/completion.js";
import { addExport } from "./export.js";
import { addImport } from "./import.js";
import { addTest } from "./json/test-server.js";
import { addKeys } from "./keys/keys.js";
import { addSubscribe, addWatch } from "./listen.js";
import { addBackup } from "./past/backup.js";
import { addBlame } from "./past/blame.js";
import { addGetPast } from "./past/get-past.js";
import { addLog } from "./past/log.js";
import { addRestore } from "./past/restore.js";
import { addPing } from "./ping.js";
import { addRepl } from "./repl/repl.js";
import { addSend } from "./send.js";
import { isCommandName } from "./shared/command-names.js";
import { EXIT, exitCodeHelp, exitCodeOf } from "./shared/exit-codes.js";
import { addSql } from "./sql/sql.js";
import { addDoctor } from "./status/doctor.js";
import { addStatus } from "./status/status.js";
import { addTop } from "./top/top.js";

/** The package refers to itself, wherever it was built or installed. */
const { version } = createRequire(import.meta.url)("dbsyncd/package.json") as { version: string };

const program = new Command("dbsync")
  .description("Signs a command once, sends it to every daemon, uses the first good answer.")
  .version(version)
  .enablePositionalOptions()
  .exitOverride()
  .showHelpAfterError("(--help shows what is possible)")
  .addHelpText(
    "after",
    `
Servers and key come from the flags, else DBSYNC_SERVERS and DBSYNC_SIGNKEY, else dbsync.ini (here, in
~/.config/dbsync or in /etc), else 127.0.0.1:1111 unsigned. DBSYNC_DEBUG=1 shows every frame on stderr.

Examples:
  dbsync send SET greeting hello
  dbsync ping -s 10.0.0.1,10.0.0.2
  dbsync doctor
${exitCodeHelp("all daemons failed, or a check failed; each subcommand's help says more")}`,
  );
const subcommands = [addSend, addSubscribe, addWatch, addRepl, addPing, addStatus, addTop, addDoctor];
for (const add of [
  ...subcommands,
  addKeys,
  addLog,
  addBlame,
  addGetPast,
  addImport,
  addExport,
  addBackup,
  addRestore,
  addTest,
  addSql,
  addBench,
  addCompletion,
])
  add(program);

// A reader that has seen enough (`dbsync send … | head -1`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(process.exitCode);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong; help and version end with 0.
    const [word = ""] = program.args;
    if (error.code === "commander.unknownCommand" && isCommandName(word)) {
      process.stderr.write(`(A command for the daemons: dbsync send ${program.args.join(" ")})\n`);
    }
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    process.stderr.write(`dbsync: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
