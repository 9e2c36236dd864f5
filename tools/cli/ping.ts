/** `dbsync ping`: shows which daemons answer, with their latency. */
import type { Command } from "commander";
import type { Outcome } from "../../client/shared/errors.js";
import { describeOutcome } from "../../client/shared/sentences.js";
import { tripText } from "../../protocol/figures/amount-texts.js";
import { addClientOptions, type ClientFlags, openFrom, readSettings } from "./shared/client-options.js";
import { EXIT, exitCodeHelp } from "./shared/exit-codes.js";
import { JSON_FLAG, printJson, printLine } from "./shared/output.js";
import { isDenied, printKeyHint } from "./shared/ping-result.js";

export function addPing(program: Command): void {
  addClientOptions(program.command("ping").description("check that every daemon answers"))
    .option(JSON_FLAG, 'print JSON: {"outcomes": […]}')
    .addHelpText(
      "after",
      `
The time includes connecting and signing. A daemon that accepts the key counts as reachable even if the key's rules do
not permit PING.

Examples:
  dbsync ping
  dbsync ping -s 10.0.0.1,10.0.0.2 -k private.pem
${exitCodeHelp("at min one daemon did not answer")}`,
    )
    .action(ping);
}

async function ping(flags: ClientFlags): Promise<void> {
  const settings = readSettings(flags);
  const { client } = openFrom(settings);
  const { outcomes } = await client.sendAll("PING");
  if (flags.json) printJson({ outcomes });
  for (const outcome of outcomes) {
    if (outcome.status === "failed" && !isDenied(outcome)) process.exitCode = EXIT.failed;
    if (!flags.json) printLine(lineOf(outcome));
  }
  if (!flags.json) printKeyHint(settings.key === null, outcomes);
}

function lineOf(outcome: Outcome): string {
  const { address, ms } = outcome;
  if (outcome.status === "ok") return `${address}: ok, ${tripText(ms)}, version ${outcome.version}`;
  if (!isDenied(outcome)) return describeOutcome(outcome);
  return `${address}: ok, ${tripText(ms)}; the daemon accepts the key, but its rules do not permit PING`;
}
