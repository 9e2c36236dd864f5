/** `dbsync ping`: which daemons answer, and how fast. */
import type { Command } from "commander";
import { describeOutcome } from "../errors.js";
import { addClientOptions, type ClientFlags, openFrom, readSettings } from "./client-options.js";
import { EXIT, exitCodeHelp } from "./exit-codes.js";
import { JSON_FLAG, printJson, printLine } from "./output.js";

export function addPing(program: Command): void {
  addClientOptions(program.command("ping").description("ask every daemon for a sign of life"))
    .option(JSON_FLAG, 'print JSON: {"outcomes": […]}')
    .addHelpText(
      "after",
      `
The time includes connecting and signing.

Examples:
  dbsync ping
  dbsync ping -s 10.0.0.1,10.0.0.2 -k private.pem
${exitCodeHelp("at least one daemon did not answer")}`,
    )
    .action(ping);
}

async function ping(flags: ClientFlags): Promise<void> {
  const { client } = openFrom(readSettings(flags));
  const { outcomes } = await client.sendAll("PING");
  if (flags.json) printJson({ outcomes });
  for (const outcome of outcomes) {
    const isOk = outcome.status === "ok";
    if (!isOk) process.exitCode = EXIT.failed;
    if (flags.json) continue;
    printLine(
      isOk
        ? `${outcome.address}: ok, ${outcome.ms.toFixed(1)} ms, version ${outcome.version}`
        : describeOutcome(outcome),
    );
  }
}
