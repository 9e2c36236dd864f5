/** `dbsync send`: sends one command and prints its result. */
import { buffer } from "node:stream/consumers";
import type { WriteStream } from "node:tty";
import { type Command, Option } from "commander";
import type { CallingClient } from "../../client/client.js";
import { isWritersCommand } from "../../client/outbox-client.js";
import type { Settings } from "../../client/settings/client-settings.js";
import { realEnvironment } from "../../client/shared/client-environment.js";
import type { Argument, CommandInput } from "../../client/shared/command-input.js";
import { DbsyncError, type Outcome } from "../../client/shared/errors.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { type Greeting, readHello } from "../../client/version-2/single-hello.js";
import { didYouMean } from "../../protocol/nearest-name.js";
import {
  addClientOptions,
  addDatabaseOption,
  addPolicyOption,
  addWaitOptions,
  type ClientFlags,
  openFrom,
  readSettings,
} from "./shared/client-options.js";
import { EXIT, type ExitCode, exitCodeHelp, exitCodeOf } from "./shared/exit-codes.js";
import { commandWords } from "./shared/options-after-arguments.js";
import {
  answerBytes,
  JSON_FLAG,
  jsonOutcome,
  jsonValue,
  outcomeBytes,
  printJson,
  printJsonError,
  printNotice,
  printValue,
} from "./shared/output.js";
import { printKeyHint } from "./shared/ping-result.js";
import { isScreen } from "./shared/redrawn-screen.js";
import { COMMAND_NAMES } from "./shared/typed-commands.js";

export interface SendFlags extends ClientFlags {
  readonly all?: boolean;
  readonly stdin?: boolean;
}

export function addSend(program: Command): void {
  const command = program.command("send").description("send a command to every daemon and print the answer");
  addWaitOptions(addDatabaseOption(addPolicyOption(addClientOptions(command, undefined, true))))
    .addOption(new Option("--all", "print every daemon's answer, a line for each").conflicts("policy"))
    .option("-x, --stdin", "read the last argument, as bytes, from standard input until its end")
    .option(JSON_FLAG, 'print JSON: {"value": …}, with --all {"outcomes": […]}, or {"error": …}')
    .argument("<command...>", "the command as several arguments, or as one argument with spaces")
    .passThroughOptions()
    .addHelpText(
      "after",
      `
Options come before the command; options with a value may also be at the end of the line. Any other option after the
command's name is an error, unless it follows --: everything after -- belongs to the command. An answer is printed
byte for byte, nil as (nil) and an empty list as (empty array); on a terminal control characters are shown as \\x1b.
In JSON an answer is text, an empty list is [], and bytes that are not UTF-8 are {"base64": "/wBB"}. Arguments may
contain spaces and any bytes, except for daemons of version 1, whose protocol cannot transmit them. With --stable and
--replicated a terminal shows that the command waits, and the status that the daemons report. BLPOP and similar
commands do not wait for data.

Examples:
  dbsync send SET greeting hello
  dbsync send "SET greeting hello"
  dbsync send -k private.pem SET greeting "good morning"
  dbsync send -k private.pem -x SET picture < picture.png
  dbsync send -s 10.0.0.1,10.0.0.2 -k private.pem INCR visits
  dbsync send --all --json GET greeting
  dbsync send -k private.pem -- SADD letters -k -s
${exitCodeHelp("no daemon answered, the command failed, or too few daemons succeeded for --policy")}`,
    )
    .action(send);
}

function send(typed: string[], flags: SendFlags, command: Command): Promise<void> {
  return sendCommand(commandWords(command, typed), flags);
}

/**
 * Sends a command and prints its result.
 * @param hintFor  returns lines to print after an error, or an empty text
 */
export async function sendCommand(
  words: readonly string[],
  flags: SendFlags,
  hintFor: (error: DbsyncError) => string = () => "",
): Promise<void> {
  let isUnsigned = false;
  try {
    const settings = readSettings(flags);
    isUnsigned = settings.key === null;
    const { client } = openFrom({ ...settings, format: "bytes" });
    const command = await commandOf(words, flags);
    const endWaiting = showAgreementProgress(settings, process.stderr);

    if (flags.all) {
      const { outcomes } = await client.sendAll(command).finally(endWaiting);
      printAll(flags, outcomes, isUnsigned);
    } else {
      const startedAt = realEnvironment.now();
      const reply = isWritersCommand(command) ? writers(client, command) : client.call(command, BYTES);
      const value = await reply.finally(endWaiting);
      if (flags.json) printJson({ value: isEmptyList(value) ? [] : jsonValue(answerBytes(value)) });
      else printValue(isEmptyList(value) ? "(empty array)" : answerBytes(value));

      const line = words.length === 1 ? words.join().split(" ").filter(Boolean) : words;
      const note = value === null ? waitingNote(line, realEnvironment.now() - startedAt) : null;
      if (note !== null) printNotice(`note: ${note}`);
    }
  } catch (error) {
    if (flags.json) process.exitCode = printJsonError(error);
    else if (error instanceof DbsyncError) {
      process.exitCode = reportError(error, words, isUnsigned);
      process.stderr.write(hintFor(error));
    } else throw error;
  }
}

const BYTES = { buffers: true } as const;

const isEmptyList = (value: ReplyValue): boolean => Array.isArray(value) && value.length === 0;

/** Returns the command that the arguments form. A single argument is a line with the complete command. */
async function commandOf(words: readonly string[], { stdin }: SendFlags): Promise<CommandInput> {
  const [line = ""] = words;
  if (!stdin) return words.length === 1 ? line : words;
  const before: readonly Argument[] = words.length === 1 ? line.split(" ").filter(Boolean) : words;
  return [...before, await buffer(process.stdin)];
}

function reportError(error: DbsyncError, words: readonly string[], isUnsigned: boolean): ExitCode {
  printNotice(error.message);
  const [, name] = /ERR unknown command '([^']*)'/.exec(error.message) ?? [];
  const hint = name === undefined ? "" : didYouMean(name.toUpperCase(), COMMAND_NAMES);
  if (hint !== "") process.stderr.write(`(${hint.replace("did", "Did").trimEnd()})\n`);
  if (mayMissQuotes(error.message, words))
    process.stderr.write(
      '(Put an argument with spaces in quotes: dbsync send SET greeting "good morning")\n',
    );
  printKeyHint(isUnsigned, error.outcomes);
  return exitCodeOf(error);
}

/** Whether missing quotes may have caused the error, because the command has too many arguments. */
function mayMissQuotes(message: string, words: readonly string[]): boolean {
  const count = words.length === 1 ? words.join().split(" ").filter(Boolean).length : words.length;
  return count > 2 && /: ERR (syntax error|wrong number of arguments)/.test(message);
}

/** Returns a line for each key with its last writer; the line is empty if the key is absent. */
async function writers(client: CallingClient, command: CommandInput): Promise<string> {
  const reply = await client.call(command);
  return (Array.isArray(reply) ? reply : [reply]).map((writer) => writer ?? "").join("\n");
}

function printAll(flags: SendFlags, outcomes: readonly Outcome[], isUnsigned: boolean): void {
  if (flags.json) printJson({ outcomes: outcomes.map(jsonOutcome) });
  else {
    for (const outcome of outcomes) printValue(outcomeBytes(outcome));
    printKeyHint(isUnsigned, outcomes);
  }
  if (outcomes.every(({ status }) => status === "failed")) process.exitCode = EXIT.failed;
}

/** Time between two rounds of greetings, and time limit for an answer, in milliseconds. */
const GREET_MS = 2000;
const SHOW_MS = 1000;
const DEFAULT_COLUMNS = 80;
const CLEAR_LINE = "\r\x1b[K";

/** Shows the line. @returns a function that ends the display and clears the line */
function showAgreementProgress({ servers, envelope }: Settings, stream: WriteStream): () => void {
  const wait = envelope?.wait ?? null;
  if (wait === null || !isScreen(stream)) return () => {};
  const startedAt = realEnvironment.now();
  const states = new Map<string, string>();
  let isOver = false;

  const greetAll = () => {
    for (const server of servers)
      readHello(server, realEnvironment, GREET_MS).then((greeting) => {
        states.set(server.text, stateOf(greeting));
        show();
      });
  };
  const show = () => {
    if (isOver) return;
    const seconds = Math.floor((realEnvironment.now() - startedAt) / 1000);
    const goal =
      wait.kind === "stable" ? "is final (about 35 s)" : `is on the disks of ${wait.daemons} daemons`;
    const daemons = servers.map(({ text }) => `${text} ${states.get(text) ?? "…"}`).join(", ");
    const line = `waiting until the write ${goal}: ${seconds} s; ${daemons}`;
    stream.write(`${CLEAR_LINE}${line.slice(0, (stream.columns || DEFAULT_COLUMNS) - 1)}`);
  };

  const timers = [setInterval(show, SHOW_MS), setInterval(greetAll, GREET_MS)];
  for (const timer of timers) timer.unref();
  greetAll();
  show();
  return () => {
    isOver = true;
    for (const timer of timers) clearInterval(timer);
    stream.write(CLEAR_LINE);
  };
}

function stateOf(greeting: Greeting): string {
  if (greeting.kind !== "hello") return greeting.kind === "closed" ? "speaks only version 1" : "not reached";
  const { state, members } = greeting.hello;
  return members
    ? `${state}, connected with ${members} other${members === 1 ? "" : "s"}`
    : `${state}, connected with no other daemon`;
}

/** The index of the argument that limits the wait in seconds, by command; a negative one counts from the end. */
const TIMEOUT_AT: ReadonlyMap<string, number> = new Map([
  ["BLPOP", -1],
  ["BRPOP", -1],
  ["BLMOVE", -1],
  ["BRPOPLPUSH", -1],
  ["BZPOPMIN", -1],
  ["BZPOPMAX", -1],
  ["BLMPOP", 1],
  ["BZMPOP", 1],
]);

/** The commands that wait only with BLOCK, which limits the wait in milliseconds. */
const WITH_BLOCK: ReadonlySet<string> = new Set(["XREAD", "XREADGROUP"]);

/** The commands that may wait for data. */
export const WAITING_COMMANDS: readonly string[] = [...TIMEOUT_AT.keys(), ...WITH_BLOCK];

/** Returns for how many milliseconds a command asks to wait for data; 0 means that it does not ask. */
function wait([name = "", ...args]: readonly string[]): number {
  const upper = name.toUpperCase();
  const at = TIMEOUT_AT.get(upper);
  if (at !== undefined) return forever(Number((at < 0 ? args : [name, ...args]).at(at)) * 1000);
  const block = args.findIndex((each) => each.toUpperCase() === "BLOCK");
  return WITH_BLOCK.has(upper) && block >= 0 ? forever(Number(args[block + 1])) : 0;
}

/** In Redis, a timeout of 0 waits without a limit. */
const forever = (ms: number): number => (ms === 0 ? Number.POSITIVE_INFINITY : ms);

/**
 * Returns a note if a command asked to wait for data, but was answered nil earlier, otherwise null: each daemon applies
 * a command once, at its date.
 * @param milliseconds  the time until the answer
 */
export function waitingNote(words: readonly string[], milliseconds: number): string | null {
  const [name = ""] = words;
  if (!(wait(words) > milliseconds)) return null;
  return (
    `${name} did not wait for data: each daemon applies a command once, at its date, so it answers nil immediately. ` +
    "To wait for data: dbsync watch KEY, client.watch(key), or a Redis client at --resp."
  );
}
