/** `dbsync send`: one command, and what came of it. */
import { type Command, Option } from "commander";
import type { CallingClient } from "../client.js";
import type { CommandInput } from "../shared/command.js";
import { DbsyncError, type Outcome } from "../shared/errors.js";
import { asksForWriters } from "../writers.js";
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
import { commandWords } from "./shared/late-options.js";
import { JSON_FLAG, outcomeLine, printBytes, printJson, printJsonError, printLine } from "./shared/output.js";
import { tellHint } from "./shared/probe.js";
import { shownLines } from "./shared/shown-text.js";

interface SendFlags extends ClientFlags {
  readonly all?: boolean;
}

export function addSend(program: Command): void {
  const command = program.command("send").description("send a command to every daemon and print the answer");
  addWaitOptions(addDatabaseOption(addPolicyOption(addClientOptions(command))))
    .addOption(new Option("--all", "print every daemon's answer, a line for each").conflicts("policy"))
    .option(JSON_FLAG, 'print JSON: {"value": …}, with --all {"outcomes": […]}, or {"error": …}')
    .argument("<command...>", "the command as arguments, or all of it as one argument with blanks")
    .passThroughOptions()
    .addHelpText(
      "after",
      `
Options stand before the command; one behind its name is an error, unless -- stands before it: all behind -- belongs to
the command. An answer is printed with its bytes as they are (with --all and --json as text), nil as (nil).
Arguments may hold blanks, unless a daemon speaks version 1, which has no way to carry them.

Examples:
  dbsync send SET greeting hello
  dbsync send "SET greeting hello"
  dbsync send -k private.pem SET greeting "good morning"
  dbsync send -s 10.0.0.1,10.0.0.2 -k private.pem INCR visits
  dbsync send --all --json GET greeting
  dbsync send -k private.pem -- SADD letters -k -s
${exitCodeHelp("no daemon answered, the command failed, or the answers are not what --policy asks for")}`,
    )
    .action(send);
}

async function send(given: string[], flags: SendFlags, own: Command): Promise<void> {
  const words = commandWords(own, given);
  let isUnsigned = false;
  try {
    const command = words.length === 1 ? (words[0] as string) : words;
    const isText = flags.all || flags.json;
    const settings = readSettings(flags);
    isUnsigned = settings.key === null;
    const { client } = openFrom(isText ? settings : { ...settings, format: "bytes" });
    if (flags.all) printAll(flags, (await client.sendAll(command)).outcomes, isUnsigned);
    else {
      const value = asksForWriters(command) ? await writers(client, command) : await client.send(command);
      if (flags.json) printJson({ value });
      else printBytes(value ?? "(nil)");
    }
  } catch (error) {
    if (flags.json) process.exitCode = printJsonError(error);
    else if (error instanceof DbsyncError) process.exitCode = tell(error, isUnsigned);
    else throw error;
  }
}

function tell(error: DbsyncError, isUnsigned: boolean): ExitCode {
  process.stderr.write(`dbsync: ${shownLines(error.message)}\n`);
  tellHint(isUnsigned, error.outcomes);
  return exitCodeOf(error);
}

/** A line for each key; an empty one: it is absent. */
async function writers(client: CallingClient, command: CommandInput): Promise<string> {
  const reply = await client.call(command);
  return (Array.isArray(reply) ? reply : [reply]).map((writer) => writer ?? "").join("\n");
}

function printAll(flags: SendFlags, outcomes: readonly Outcome[], isUnsigned: boolean): void {
  if (flags.json) printJson({ outcomes });
  else {
    for (const outcome of outcomes) printLine(outcomeLine(outcome));
    tellHint(isUnsigned, outcomes);
  }
  if (outcomes.every(({ status }) => status === "failed")) process.exitCode = EXIT.failed;
}
