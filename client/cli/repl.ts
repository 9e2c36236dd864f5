/** `dbsync repl`: commands typed at a terminal, or a batch of them from a pipe, one on each line. */
import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import type { FanOutClient } from "../fan-out-client.js";
import {
  addClientOptions,
  addDatabaseOption,
  addPolicyOption,
  type ClientFlags,
  openFrom,
  readSettings,
} from "./shared/client-options.js";
import { completeCommand } from "./shared/command-names.js";
import { EXIT, type ExitCode, exitCodeHelp, exitCodeOf } from "./shared/exit-codes.js";
import { historyFile, MAX_HISTORY_LINES, readHistory, writeHistory } from "./shared/history-file.js";
import { JSON_FLAG, printJson, printJsonError, printLine } from "./shared/output.js";
import { isQuoted, splitWords } from "./shared/words.js";

const LEAVE = "Ctrl-D, exit or quit leaves.";

export function addRepl(program: Command): void {
  addDatabaseOption(
    addPolicyOption(addClientOptions(program.command("repl").description("type commands, or pipe them in"))),
  )
    .option(JSON_FLAG, 'print each answer as JSON: {"value": …} or {"error": …}')
    .addHelpText(
      "after",
      `
Each line is a command. Quotes hold blanks together: "two words" knows \\n \\r \\t \\" \\\\ and \\xHH for any byte,
'…' takes all as it is. Blanks and bytes that are no text need version 2, that is daemons with keys.
At a terminal there is a history, Tab completes names, Ctrl-D, exit or quit leaves, and an error does not end
the session. From a pipe every line is sent, and the exit code is the worst one's.

Examples:
  dbsync repl -k private.pem
  printf 'SET a 1\\nINCR a\\n' | dbsync repl
  echo 'SET greeting "good morning"' | dbsync repl -k private.pem
${exitCodeHelp("a command failed, or had no answer (from a pipe; a terminal's session ends with 0)")}`,
    )
    .action(repl);
}

async function repl(flags: ClientFlags): Promise<void> {
  const { client } = openFrom(readSettings(flags));
  const session: Session = { client, json: flags.json ?? false };
  if (process.stdin.isTTY) await converse(session);
  else process.exitCode = await runBatch(session);
}

interface Session {
  readonly client: FanOutClient;
  readonly json: boolean;
}

async function runBatch(session: Session): Promise<ExitCode> {
  let worst: ExitCode = EXIT.ok;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "") continue;
    const code = await run(session, line);
    if (code > worst) worst = code;
  }
  return worst;
}

async function converse(session: Session): Promise<void> {
  const file = historyFile(process.env, "history");
  let history = readHistory(file);
  const terminal = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt: "dbsync> ",
    history,
    historySize: MAX_HISTORY_LINES,
    completer: completeCommand,
  });
  terminal.on("history", (lines) => (history = lines));
  terminal.on("SIGINT", () => clearLine(terminal));
  process.stdout.write(`Tab completes names. ${LEAVE}\n`);
  terminal.prompt();
  for await (const line of terminal) {
    if (/^\s*(exit|quit)\s*$/i.test(line)) break;
    if (line.trim() !== "") await run(session, line);
    terminal.prompt();
  }
  terminal.close();
  process.stdout.write("\n");
  writeHistory(file, history);
}

/** Ctrl-C drops what has been typed, as in a shell; where nothing has been, it is somebody who looks for the way out. */
function clearLine(terminal: Interface): void {
  if (terminal.line === "") {
    process.stdout.write(`\n${LEAVE}\n`);
    terminal.prompt();
    return;
  }
  terminal.write(null, { ctrl: true, name: "e" });
  terminal.write(null, { ctrl: true, name: "u" });
}

async function run({ client, json }: Session, line: string): Promise<ExitCode> {
  try {
    const value = await client.send(isQuoted(line) ? splitWords(line) : line);
    if (json) printJson({ value });
    else printLine(value ?? "(nil)");
    return EXIT.ok;
  } catch (error) {
    if (json) return printJsonError(error);
    process.stderr.write(`dbsync: ${(error as Error).message}\n`);
    return exitCodeOf(error);
  }
}
