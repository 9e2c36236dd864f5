/** `dbsync repl`: executes commands that are typed on a terminal or read from a pipe, one per line. */
import { createInterface, type Interface } from "node:readline";
import { styleText } from "node:util";
import type { Command } from "commander";
import type { OutboxClient } from "../../../client/outbox-client.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import { shownLines } from "../../../daemon/net/terminal/terminal-text.js";
import { bytesOfText } from "../../../protocol/byte-string.js";
import {
  addClientOptions,
  addDatabaseOption,
  addPolicyOption,
  type ClientFlags,
  openFrom,
  readSettings,
} from "../shared/client-options.js";
import { completeCommand } from "../shared/command-names.js";
import { EXIT, type ExitCode, exitCodeHelp, exitCodeOf } from "../shared/exit-codes.js";
import { HistoryFile, MAX_HISTORY_LINES } from "../shared/history-file.js";
import {
  JSON_FLAG,
  jsonValue,
  printJson,
  printJsonError,
  printNotice,
  printValue,
} from "../shared/output.js";
import { isQuoted, isQuoteOpen, splitArguments } from "../shared/split-typed-line.js";
import { ReplSession } from "./repl-session.js";
import { quoted } from "./reply-text.js";

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

const HOW_TO_EXIT = "Ctrl-D, exit or quit ends the session.";
const EXIT_LINE = /^\s*(?:exit|quit)\s*$/i;
const MORE = "... ";
const SAVE_CURSOR = "\x1b7";
const RESTORE_CURSOR = "\x1b8";
const CLEAR_TO_END = "\x1b[K";
/** Minimum number of free columns for a hint. */
const HINT_MIN = 8;
/** Assumed width of a terminal that does not report it. */
const COLUMNS = 80;
/** A word that needs no quotes. */
const PLAIN = /^[^\s"'\\]+$/;
/** Commands that contain passwords. */
const SECRET = /^\s*(?:auth|hello|acl\s+setuser|config\s+set)\s/i;

interface TerminalStreams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream & { readonly columns?: number };
}

/**
 * `dbsync repl` on a terminal: a prompt, hints while typing, completion, history, and lines that continue while a
 * quote is open. Reads and executes lines until the user ends the session. An error does not end it.
 */
export async function converse(
  session: ReplSession,
  history: HistoryFile,
  { input, output }: TerminalStreams,
): Promise<void> {
  const style = (format: "gray" | "red", text: string) =>
    styleText(format, text, { stream: output as NodeJS.WriteStream });
  const print = (text: string) => output.write(`${text.startsWith("(error)") ? style("red", text) : text}\n`);
  // This listener precedes readline's, so that the hint is cleared before the line ends.
  input.on("keypress", (_, key?: { readonly name?: string }) => {
    if (key?.name !== "return" && key?.name !== "enter") setImmediate(showHint);
    else if (isHinted) {
      output.write(CLEAR_TO_END);
      isHinted = false;
    }
  });
  const terminal = createInterface({
    input,
    output,
    terminal: true,
    history: [...history.lines],
    historySize: MAX_HISTORY_LINES,
    completer: completeCommand,
  });
  let before = "";
  /** Readline's history, newest first. */
  let remembered: string[] = [];
  terminal.on("history", (lines: string[]) => {
    remembered = lines;
  });
  let isBusy = false;
  let isHinted = false;
  const prompt = () => {
    terminal.setPrompt(before === "" ? session.prompt : MORE);
    terminal.prompt();
  };
  function showHint(): void {
    if (isBusy || before !== "" || terminal.cursor !== terminal.line.length) return;
    const space = (output.columns ?? COLUMNS) - session.prompt.length - terminal.line.length - 3;
    const hint = session.help.hint(terminal.line, showHint);
    const shown = hint === null || space < HINT_MIN ? "" : `  ${hint.slice(0, space)}`;
    if (shown === "" && !isHinted) return;
    isHinted = shown !== "";
    output.write(`${SAVE_CURSOR}${style("gray", shown)}${CLEAR_TO_END}${RESTORE_CURSOR}`);
  }
  terminal.on("SIGINT", () => {
    if (terminal.line === "" && before === "") output.write(`\n${HOW_TO_EXIT}`);
    output.write("\n");
    before = "";
    clearLine(terminal);
    prompt();
  });
  output.write(`help shows how to use this session. ${HOW_TO_EXIT}\n`);
  prompt();
  for await (const typed of terminal) {
    const line = before + typed;
    if (before === "" && EXIT_LINE.test(line)) break;
    before = isQuoteOpen(line) ? `${line}\n` : "";
    if (before === "" && line.trim() !== "") {
      const statement = line === typed ? line : joined(remembered, line);
      if (!isSecret(line)) history.add(statement);
      isBusy = true;
      print(await session.run(line).catch(errorText));
      isBusy = false;
    }
    prompt();
  }
  terminal.close();
  output.write("\n");
}

/** Replaces the lines of a statement in the history with the complete statement. @returns the statement on one line */
function joined(remembered: string[], line: string): string {
  const statement = onOneLine(line);
  for (const part of line.split("\n")) {
    const at = remembered.indexOf(part);
    if (at >= 0) remembered.splice(at, 1);
  }
  remembered.unshift(statement);
  return statement;
}

/** Returns the lines of a statement as a single line that can be typed. */
function onOneLine(line: string): string {
  if (!line.includes("\n")) return line;
  try {
    return splitArguments(line).map(wordOf).join(" ");
  } catch {
    return line.replaceAll("\n", " ");
  }
}

const wordOf = (word: string | Buffer): string =>
  typeof word === "string" && PLAIN.test(word)
    ? word
    : quoted(typeof word === "string" ? bytesOfText(word) : word.toString("latin1"));

/** Whether a line contains a password, however it is quoted. */
function isSecret(line: string): boolean {
  try {
    return SECRET.test(`${splitArguments(line).slice(0, 2).join(" ")} `);
  } catch {
    return SECRET.test(line);
  }
}

/** Formats a DbsyncError. @throws  all other errors */
function errorText(problem: unknown): string {
  if (problem instanceof DbsyncError) return `(error) ${shownLines(problem.message)}`;
  throw problem;
}

function clearLine(terminal: Interface): void {
  terminal.write(null, { ctrl: true, name: "e" });
  terminal.write(null, { ctrl: true, name: "u" });
}
