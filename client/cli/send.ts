/** `dbsync send`: one command, and what came of it. */
import { type Command, Option } from "commander";
import { DbsyncError, describeOutcome, type Outcome } from "../errors.js";
import {
  addClientOptions,
  addPolicyOption,
  type ClientFlags,
  openFrom,
  readSettings,
} from "./client-options.js";
import { EXIT, exitCodeHelp, exitCodeOf } from "./exit-codes.js";

interface SendFlags extends ClientFlags {
  readonly all?: boolean;
  readonly json?: boolean;
}

export function addSend(program: Command): void {
  const command = program.command("send").description("send a command to every daemon and print the answer");
  addPolicyOption(addClientOptions(command))
    .addOption(new Option("--all", "print every daemon's answer, a line for each").conflicts("policy"))
    .option("--json", 'print JSON: {"value": …}, with --all {"outcomes": […]}, or {"error": …}')
    .argument("<command...>", "the command as arguments, or all of it as one argument with blanks")
    .passThroughOptions()
    .addHelpText(
      "after",
      `
Options stand before the command; what stands behind its name belongs to it. A nil answer is printed as (nil).
An argument with a blank in it cannot be sent: version 1 has no way to carry one.

Examples:
  dbsync send SET greeting hello
  dbsync send "SET greeting hello"
  dbsync send -s 10.0.0.1,10.0.0.2 -k private.pem INCR visits
  dbsync send --all --json GET greeting
${exitCodeHelp("no daemon answered, or the answers are not what --policy asks for")}`,
    )
    .action(send);
}

async function send(words: string[], flags: SendFlags): Promise<void> {
  try {
    const { client } = openFrom(readSettings(flags));
    const command = words.length === 1 ? (words[0] as string) : words;
    if (flags.all) print(flags, await client.sendAll(command));
    else print(flags, { value: await client.send(command) });
  } catch (error) {
    if (!flags.json || !(error instanceof DbsyncError)) throw error;
    const { code, message, outcomes } = error;
    process.stdout.write(`${JSON.stringify({ error: { code, message, outcomes } })}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

function print(flags: SendFlags, result: { value: string | null } | { outcomes: Outcome[] }): void {
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else if ("value" in result) process.stdout.write(`${result.value ?? "(nil)"}\n`);
  else for (const outcome of result.outcomes) process.stdout.write(`${line(outcome)}\n`);
  if ("outcomes" in result && result.outcomes.every(({ status }) => status === "failed")) {
    process.exitCode = EXIT.failed;
  }
}

function line(outcome: Outcome): string {
  return outcome.status === "ok"
    ? `${outcome.address}: ${outcome.value ?? "(nil)"}`
    : describeOutcome(outcome);
}
