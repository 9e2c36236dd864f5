/** `dbsync repl`: executes commands that are typed on a terminal or read from a pipe, one per line. */
import { createInterface, type Interface } from "node:readline";
import { styleText } from "node:util";
import type { Command } from "commander";
import { repliedError } from "../../../client/forwarding-client.js";
import type { ForwardedCall, OutboxClient } from "../../../client/outbox-client.js";
import { readCallOptions } from "../../../client/settings/call-options.js";
import type { Settings } from "../../../client/settings/client-settings.js";
import { commandBytes, commandKindOf, isReadCommand } from "../../../client/shared/command-bytes.js";
import type { CommandInput } from "../../../client/shared/command-input.js";
import { DbsyncError, type Outcome } from "../../../client/shared/errors.js";
import { escapedCharacter, shown, shownLines } from "../../../daemon/net/terminal/terminal-text.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { CONTROL_CHARACTERS } from "../../../protocol/control-characters.js";
import { NIL, type Reply, status } from "../../../protocol/reply.js";
import { formatDouble } from "../../../protocol/resp/double-text.js";
import { escapedByte, quotedArgument } from "../../../protocol/resp/inline-command.js";
import { UNIT_COMMANDS_MAX } from "../../../protocol/version-2/envelope.js";
import {
  addClientOptions,
  addDatabaseOption,
  addPolicyOption,
  type ClientFlags,
  openFrom,
  readSettings,
} from "../shared/client-options.js";
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
import { callForRawReply } from "../shared/requests.js";
import {
  completeCommand,
  isCommandName,
  isQuoted,
  isQuoteOpen,
  splitArguments,
} from "../shared/typed-commands.js";

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

const openTerminal = ({ input, output }: TerminalStreams, history: HistoryFile): Interface =>
  createInterface({
    input,
    output,
    terminal: true,
    history: [...history.lines],
    historySize: MAX_HISTORY_LINES,
    completer: completeCommand,
  });

/**
 * Reads and executes lines on a terminal until the user ends the session: with a prompt, hints while typing,
 * completion, history, and lines that continue while a quote is open. An error does not end the session.
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
  const terminal = openTerminal({ input, output }, history);
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

const QUEUED = "QUEUED";
const WATCHES = "WATCH is not available here. For conditions, use the option `if` of the client library";

type Words = readonly (string | Buffer)[];

/** The commands of the session; each returns the text to print. */
const SESSION_COMMANDS: Readonly<
  Record<string, (session: ReplSession, words: Words) => string | Promise<string>>
> = {
  SELECT: (session, words) => session.select(words),
  MULTI: (session) => session.begin(),
  EXEC: (session) => session.execute(),
  DISCARD: (session) => session.discard(),
  WATCH: () => `(error) ${WATCHES}`,
  UNWATCH: () => `(error) ${WATCHES}`,
  HELP: (session, words) => session.help.about(words.slice(1).map(String).join(" ")),
};

/** The executor of typed lines: commands for the daemons, and commands of the session (SELECT, MULTI, help). */
export class ReplSession {
  readonly help: CommandHelp;
  readonly #client: OutboxClient;
  readonly #settings: Settings;
  #db: number;
  /** Commands that wait for EXEC, or null if commands are sent immediately. */
  #queue: CommandInput[] | null = null;

  constructor(client: OutboxClient, settings: Settings) {
    this.#client = client;
    this.#settings = settings;
    this.#db = settings.envelope?.db ?? 0;
    this.help = new CommandHelp((command) => this.#query(command));
  }

  /** Returns a prompt like redis-cli's: the servers, the database, and whether commands wait for EXEC. */
  get prompt(): string {
    const [first, ...others] = this.#settings.servers;
    const more = others.length === 0 ? "" : `+${others.length}`;
    const db = this.#db === 0 ? "" : `[${this.#db}]`;
    return `${first?.text ?? "dbsync"}${more}${db}${this.#queue === null ? "" : "(TX)"}> `;
  }

  /** Executes a line. @returns the text to print @throws DbsyncError  no daemon answered, or the line cannot be sent */
  async run(line: string): Promise<string> {
    const words = splitArguments(line);
    const name = String(words[0] ?? "").toUpperCase();
    const { [name]: sessionCommand } = SESSION_COMMANDS;
    if (sessionCommand !== undefined && Object.hasOwn(SESSION_COMMANDS, name))
      return await sessionCommand(this, words);

    if (this.#queue === null) return typedText(await this.#query(words));
    if (this.#queue.length === UNIT_COMMANDS_MAX)
      throw new DbsyncError(
        "bad-command",
        `EXEC accepts at most ${UNIT_COMMANDS_MAX} commands; DISCARD drops them`,
      );
    commandBytes(words);
    this.#queue.push(words);
    return QUEUED;
  }

  select(words: Words): string {
    const db = String(words[1] ?? "");
    if (words.length !== 2 || !/^\d{1,9}$/.test(db)) return "(error) SELECT needs the number of a database";
    this.#db = Number(db);
    return "OK";
  }

  begin(): string {
    if (this.#queue !== null) return "(error) MULTI within MULTI: EXEC or DISCARD first";
    this.#queue = [];
    return "OK";
  }

  discard(): string {
    if (this.#queue === null) return "(error) DISCARD without MULTI";
    this.#queue = null;
    return "OK";
  }

  /** Sends all queued commands as one envelope, which a daemon applies completely or not at all. */
  async execute(): Promise<string> {
    const queue = this.#queue;
    if (queue === null) return "(error) EXEC without MULTI";
    this.#queue = null;
    if (queue.length === 0) return "(empty array)";
    const commandKind = queue.every(isReadCommand) ? "reads" : "writes";
    const bytes = queue.map(commandBytes);
    return typedText(await this.#call({ bytes, commandKind, inputs: queue }, true));
  }

  async #query(command: CommandInput): Promise<Reply> {
    try {
      const call = {
        bytes: commandBytes(command),
        commandKind: commandKindOf(command),
        inputs: command,
      };
      return await this.#call(call, false);
    } catch (problem) {
      if (!needsVersion1(problem)) throw problem;
      // Version 1 transmits only text.
      const text = await this.#client.send(command, { db: this.#db });
      return text === null ? NIL : status(bytesOfText(text));
    }
  }

  async #call(call: Omit<ForwardedCall, "settings">, multi: boolean): Promise<Reply> {
    const settings = readCallOptions({ db: this.#db }, this.#settings);
    const used = multi ? { ...settings, envelope: { ...settings.envelope, multi } } : settings;
    try {
      return await callForRawReply(this.#client, { ...call, settings: used });
    } catch (problem) {
      const replied = repliedError(problem as Error);
      if (replied === null) throw problem;
      return replied;
    }
  }
}

/** Whether the call failed because a daemon speaks version 1, and no other daemon has answered. */
function needsVersion1(problem: unknown): boolean {
  const isSentVersion1 = (outcome: Outcome) => outcome.status === "failed" && outcome.stage === "version-1";
  return (
    problem instanceof DbsyncError &&
    problem.effect === "not-applied" &&
    problem.outcomes.some(isSentVersion1)
  );
}

const GENERAL = `Each line is a command: SET greeting "good morning"
help NAME   describes a command
SELECT n    selects another database
MULTI       queues the following commands until EXEC applies them together; DISCARD drops them
exit        ends the session, like Ctrl-D; Ctrl-C clears the line. Tab completes names.`;

/** One-line descriptions of commands, fetched from the daemons (COMMAND DOCS) and cached. */
class CommandHelp {
  readonly #query: (command: CommandInput) => Promise<Reply>;
  /** Descriptions by name in upper case. A description is null if it is unknown or has not arrived yet. */
  readonly #known = new Map<string, string | null>();

  constructor(query: (command: CommandInput) => Promise<Reply>) {
    this.#query = query;
  }

  /** Returns the text that `help` prints. @param name  a command, or "" for the general help */
  async about(name: string): Promise<string> {
    if (name === "") return GENERAL;
    const summary = await this.#fetch(name.toUpperCase());
    return summary ?? `The daemon knows no command ${shown(name.toUpperCase())}.`;
  }

  /**
   * Returns the hint for a line that is being typed, or null if there is none yet.
   * @param learned  called when a hint has arrived
   */
  hint(line: string, learned: () => void): string | null {
    const [name = ""] = line.trimStart().split(/\s/, 1);
    if (!isCommandName(name)) return null;
    const known = this.#known.get(name.toUpperCase());
    if (known !== undefined) return known;
    this.#fetch(name.toUpperCase()).then((summary) => {
      if (summary !== null) learned();
    }, ignored);
    return null;
  }

  async #fetch(name: string): Promise<string | null> {
    const known = this.#known.get(name);
    if (known !== undefined && known !== null) return known;
    this.#known.set(name, null);
    const summary = summaryIn(await this.#query(["COMMAND", "DOCS", name]));
    this.#known.set(name, summary);
    return summary;
  }
}

/** Ignores an error of a hint; the command itself will report the same error. */
function ignored(): void {}

/** Returns the summary in a reply of the form name, [field, value, …], or null if there is none. */
function summaryIn(reply: Reply): string | null {
  if (!("items" in reply)) return null;
  const [, fields] = reply.items;
  if (fields === undefined || !("items" in fields)) return null;
  const at = fields.items.findIndex((field) => field.kind === "bulk" && field.bytes === "summary");
  const { [at + 1]: summary } = fields.items;
  return at >= 0 && summary?.kind === "bulk" ? shown(textOfBytes(summary.bytes)) : null;
}

/**
 * Formats a reply for a terminal, with types and numbered lists. Source: the format of redis-cli, Redis 7.
 * @returns lines, without a final line break
 */
export function typedText(reply: Reply): string {
  switch (reply.kind) {
    case "status":
      return shownLines(textOfBytes(reply.text));
    case "error":
      return `(error) ${shownLines(textOfBytes(reply.text))}`;
    case "integer":
      return `(integer) ${reply.value}`;
    case "double":
      return `(double) ${formatDouble(reply.value)}`;
    case "bulk":
    case "verbatim":
      return quoted(reply.bytes);
    case "nil":
    case "nil-array":
      return "(nil)";
    case "resp3":
      return typedText(reply.plain);
    default:
      return list(reply.items);
  }
}

/** Formats a list with right-aligned numbers; further lines of an item are indented. */
function list(items: readonly Reply[]): string {
  if (items.length === 0) return "(empty array)";
  const digits = String(items.length).length;
  const margin = " ".repeat(digits + 2);
  return items
    .map((item, i) => {
      const number = String(i + 1).padStart(digits);
      return `${number}) ${typedText(item).replaceAll("\n", `\n${margin}`)}`;
    })
    .join("\n");
}

/** Returns bytes in quotes, as a user would type them; bytes that are not UTF-8 are written as `\xff`. */
export function quoted(bytes: ByteString): string {
  const text = textOfBytes(bytes);
  return text.includes("\ufffd") ? quotedArgument(bytes) : `"${shownText(text)}"`;
}

const shownText = (text: string): string =>
  text
    .replace(/["\\]/g, escapedByte)
    .replace(CONTROL_CHARACTERS, (character) =>
      character < "\x80" ? escapedByte(character) : escapedCharacter(character),
    );
