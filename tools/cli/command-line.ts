/** Runs a command line of `dbsync`, and turns errors into text and exit codes; the subcommands are in program.ts. */
import { CommanderError } from "commander";
import { shownLines } from "../../daemon/net/terminal/terminal-text.js";
import { writingFailure } from "../../keys/atomic-file.js";
import { makeProgram } from "./program.js";
import { EXIT, exitCodeOf } from "./shared/exit-codes.js";
import { isCommandName, shellWords } from "./shared/typed-commands.js";

const program = await makeProgram(process.argv[2]);

// A reader that closes the pipe is not an error (`dbsync send … | head -1`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(process.exitCode);
  const reason = writingFailure(error) ?? error.message;
  process.stderr.write(`dbsync: cannot write to standard output (${reason}); the output is incomplete\n`);
  process.exit(EXIT.failed);
});

try {
  const words = withoutHelp(process.argv.slice(2));
  refuseStoreCommand(words);
  await program.parseAsync(words, { from: "user" });
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has already printed the error. For --help and --version the exit code is 0.
    const [word = ""] = program.args;
    if (error.code === "commander.unknownCommand" && isCommandName(word)) {
      process.stderr.write(
        `(${word} is also a command of the store: dbsync send ${shellWords(program.args)})\n`,
      );
    }
    if (error.code === "commander.unknownCommand" && word === "version")
      process.stderr.write("(Did you mean --version?)\n");
    if (error.code === "commander.unknownOption") suggestOrder(process.argv.slice(2));
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    // The message may contain text from servers, with control characters.
    const text = shownLines(error instanceof Error ? error.message : String(error));
    process.stderr.write(`dbsync: ${text}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

/** Returns the arguments. Removes `help` before an unknown subcommand, so that the error names the subcommand. */
function withoutHelp(words: string[]): string[] {
  const [help, name = "help", ...others] = words;
  if (help !== "help" || name.startsWith("-") || name === help) return words;
  return isSubcommand(name) ? words : [name, ...others];
}

/**
 * Refuses a command of the store where a subcommand is expected. Otherwise Commander would suggest subcommands with
 * similar names.
 */
function refuseStoreCommand(words: readonly string[]): void {
  const [word = ""] = words;
  if (isSubcommand(word) || !isCommandName(word)) return;
  program.showHelpAfterError(false);
  program.error(
    `error: dbsync has no command ${word}; ${word} is a command of the store: dbsync send ${shellWords(words)}`,
  );
}

function isSubcommand(word: string): boolean {
  return program.commands.some((each) => each.name() === word || each.aliases().includes(word));
}

/** Prints a hint if an option precedes the subcommand to which it belongs. */
function suggestOrder([first = "", ...others]: readonly string[]): void {
  const subcommand = others.find(isSubcommand) ?? (others.some(isCommandName) ? "send" : undefined);
  if (!first.startsWith("-") || subcommand === undefined) return;
  process.stderr.write(`(Options come after the subcommand: dbsync ${subcommand} ${first} …)\n`);
}
