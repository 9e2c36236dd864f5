/** `dbsync repl`: executes commands that are typed on a terminal or read from a pipe, one per line. */
import { createInterface } from "node:readline";
import type { Command } from "commander";
import type { OutboxClient } from "../../../client/outbox-client.js";
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
import {
  JSON_FLAG,
  jsonValue,
  printJson,
  printJsonError,
  printNotice,
  printValue,
} from "../shared/output.js";
import { isQuoted, splitArguments } from "../shared/split-typed-line.js";
import { ReplSession } from "./repl-session.js";
import { converse } from "./repl-terminal.js";

export function addRepl(program: Command): void {
  addDatabaseOption(
    addPolicyOption(
      addClientOptions(program.command("repl").description("run commands from a terminal or a pipe")),
    ),
  )
    .option(
      JSON_FLAG,
      'print each answer as JSON: {"value": …} or {"error": …}; bytes that are not text as {"base64": …}',
    )
    .addHelpText(
      "after",
      `
Each line is a command. Put arguments with spaces in quotes: "two words" may contain \\n \\r \\t \\" \\\\ and \\xHH for
any byte, and '…' is used literally. Spaces, and bytes that are not text, need version 2 of the protocol, which
php-dbsync's daemons do not speak.
On a terminal answers are shown with their types, and lists are numbered. help NAME describes a command, SELECT selects
a database, and the commands between MULTI and EXEC are applied together. Tab completes names, and a line continues
while a quote is open. Ctrl-D, exit or quit ends the session. NO_COLOR turns colours off.
From a pipe, and with --json, each line is sent separately, and the exit code is the highest of all lines.

Examples:
  dbsync repl -k private.pem
  printf 'SET a 1\\nINCR a\\n' | dbsync repl
  echo 'SET greeting "good morning"' | dbsync repl -k private.pem
${exitCodeHelp("from a pipe: a command failed or was not answered (a session on a terminal ends with 0)")}`,
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
  readonly client: OutboxClient;
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
    const value = await client.send(isQuoted(line) ? splitArguments(line) : line);
    if (json) printJson({ value: jsonValue(value) });
    else printValue(value);
    return EXIT.ok;
  } catch (error) {
    if (json) return printJsonError(error);
    printNotice((error as Error).message);
    return exitCodeOf(error);
  }
}
