#!/usr/bin/env node
/** The program `dbsync`: the one place where errors become text and exit codes. Its subcommands are in program.ts. */
import { CommanderError } from "commander";
import { writingFailure } from "../keys/unwritable.js";
import { shownLines } from "../net/terminal/shown-text.js";
import { makeProgram } from "./program.js";
import { isCommandName } from "./shared/command-names.js";
import { EXIT, exitCodeOf } from "./shared/exit-codes.js";

const program = makeProgram();

// It is not an error if the reader closes the pipe (`dbsync send … | head -1`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(process.exitCode);
  const reason = writingFailure(error) ?? error.message;
  process.stderr.write(
    `dbsync: standard output cannot be written (${reason}). What was written is not complete\n`,
  );
  process.exit(EXIT.failed);
});

try {
  await program.parseAsync(askedOf(process.argv.slice(2)), { from: "user" });
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has already printed the error; help and version end with 0.
    const [word = ""] = program.args;
    if (error.code === "commander.unknownCommand" && isCommandName(word)) {
      process.stderr.write(`(A command for the daemons: dbsync send ${program.args.join(" ")})\n`);
    }
    if (error.code === "commander.unknownOption") tellPlace(process.argv.slice(2));
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    // It may contain text from servers.
    const text = shownLines(error instanceof Error ? error.message : String(error));
    process.stderr.write(`dbsync: ${text}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

/** Returns the arguments as they were typed; help with an unknown subcommand is reported as that subcommand would be. */
function askedOf(words: string[]): string[] {
  const [help, name = "help", ...others] = words;
  if (help !== "help" || name.startsWith("-") || name === help) return words;
  const isKnown = program.commands.some((each) => each.name() === name || each.aliases().includes(name));
  return isKnown ? words : [name, ...others];
}

/** An option before the subcommand's name is not one of the program's. */
function tellPlace([first = "", ...others]: readonly string[]): void {
  const subcommand = others.find((word) => program.commands.some((each) => each.name() === word));
  if (!first.startsWith("-") || subcommand === undefined) return;
  process.stderr.write(`(Options come after the subcommand: dbsync ${subcommand} ${first} …)\n`);
}
