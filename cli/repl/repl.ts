/** `dbsync repl`: executes commands typed at a terminal, or read from a pipe, one per line. */
import { createInterface } from "node:readline";
import type { Command } from "commander";
import type { FanOutClient } from "../../client/fan-out-client.js";
import {
  addClientOptions,
  addDatabaseOption,
  addPolicyOption,
  type ClientFlags,
  openFrom,
  readSettings,
} from "../shared/client-options.js";
import { EXIT, type ExitCode, exitCodeHelp, exitCodeOf } from "../shared/exit-codes.js";
import { HistoryFile } from "../shared/history-file.js";
import { JSON_FLAG, jsonValue, printJson, printJsonError, printValue } from "../shared/output.js";
import { isQuoted, splitWords } from "../shared/words.js";
import { ReplSession } from "./repl-session.js";
import { converse } from "./terminal.js";

export function addRepl(program: Command): void {
  addDatabaseOption(
    addPolicyOption(addClientOptions(program.command("repl").description("type commands, or pipe them in"))),
  )
    .option(
      JSON_FLAG,
      'print each answer as JSON: {"value": …} or {"error": …}; bytes that are no text as {"base64": …}',
    )
    .addHelpText(
      "after",
      `
Each line is a command. Quotes hold blanks together: "two words" knows \\n \\r \\t \\" \\\\ and \\xHH for any byte,
'…' takes all as it is. Blanks and bytes that are no text need version 2, which php-dbsync's own daemons do not speak.
At a terminal answers are typed and numbered, help says what a command is for, SELECT chooses a database, and
MULTI … EXEC is applied together. Tab completes names, a line goes on while a quote is open, Ctrl-D, exit or quit
leaves. NO_COLOR turns colours off. From a pipe, and with --json, every line is sent by itself, and the exit code
is the worst one's.

Examples:
  dbsync repl -k private.pem
  printf 'SET a 1\\nINCR a\\n' | dbsync repl
  echo 'SET greeting "good morning"' | dbsync repl -k private.pem
${exitCodeHelp("a command failed, or had no answer (from a pipe; a terminal's session ends with 0)")}`,
    )
    .action(repl);
}

async function repl(flags: ClientFlags): Promise<void> {
  const settings = readSettings(flags);
  if (!process.stdin.isTTY || flags.json) {
    const { client } = openFrom({ ...settings, format: "bytes" });
    process.exitCode = await runBatch({ client, json: flags.json ?? false });
    return;
  }
  const { client } = openFrom(settings);
  const streams = { input: process.stdin, output: process.stdout };
  await converse(new ReplSession(client, settings), new HistoryFile(process.env, "history"), streams);
}

interface Batch {
  readonly client: FanOutClient;
  readonly json: boolean;
}

async function runBatch(batch: Batch): Promise<ExitCode> {
  let worst: ExitCode = EXIT.ok;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "") continue;
    const code = await run(batch, line);
    if (code > worst) worst = code;
  }
  return worst;
}

async function run({ client, json }: Batch, line: string): Promise<ExitCode> {
  try {
    const value = await client.send(isQuoted(line) ? splitWords(line) : line);
    if (json) printJson({ value: jsonValue(value) });
    else printValue(value);
    return EXIT.ok;
  } catch (error) {
    if (json) return printJsonError(error);
    process.stderr.write(`dbsync: ${(error as Error).message}\n`);
    return exitCodeOf(error);
  }
}
