/** `dbsync repl`: commands typed at a terminal, or a batch of them from a pipe, one on each line. */
import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import type { Client } from "../client.js";
import {
  addClientOptions,
  addPolicyOption,
  type ClientFlags,
  openFrom,
  readSettings,
} from "./client-options.js";
import { completeCommand } from "./command-names.js";
import { EXIT, type ExitCode, exitCodeHelp, exitCodeOf } from "./exit-codes.js";
import { historyFile, MAX_HISTORY_LINES, readHistory, writeHistory } from "./history-file.js";

const LEAVE = "Ctrl-D, exit or quit leaves.";

export function addRepl(program: Command): void {
  addPolicyOption(addClientOptions(program.command("repl").description("type commands, or pipe them in")))
    .addHelpText(
      "after",
      `
Each line is a command, sent as it is. At a terminal there is a history, Tab completes names, Ctrl-D, exit or
quit leaves, and an error does not end the session. From a pipe every line is sent, and the exit code is the
worst one's.

Examples:
  dbsync repl -k private.pem
  printf 'SET a 1\\nINCR a\\n' | dbsync repl
${exitCodeHelp("no daemon answered one of the commands (from a pipe; a terminal's session ends with 0)")}`,
    )
    .action(repl);
}

async function repl(flags: ClientFlags): Promise<void> {
  const { client } = openFrom(readSettings(flags));
  if (process.stdin.isTTY) await converse(client);
  else process.exitCode = await runBatch(client);
}

async function runBatch(client: Client): Promise<ExitCode> {
  let worst: ExitCode = EXIT.ok;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "") continue;
    const code = await run(client, line);
    if (code > worst) worst = code;
  }
  return worst;
}

async function converse(client: Client): Promise<void> {
  const file = historyFile(process.env);
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
    if (line.trim() !== "") await run(client, line);
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

async function run(client: Client, line: string): Promise<ExitCode> {
  try {
    process.stdout.write(`${(await client.send(line)) ?? "(nil)"}\n`);
    return EXIT.ok;
  } catch (error) {
    process.stderr.write(`dbsync: ${(error as Error).message}\n`);
    return exitCodeOf(error);
  }
}
