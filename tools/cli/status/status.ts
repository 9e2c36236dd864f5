/** `dbsync status`: shows the reports of all daemons side by side, and their problems. */
import { type Command, Option } from "commander";
import type { ClientSettings } from "../../../client/settings/client-settings.js";
import { loadSigningKey } from "../../../client/settings/signing-key.js";
import { terminalColumns } from "../../../daemon/net/terminal/text-table.js";
import {
  addClientOptions,
  type ClientFlags,
  readCount,
  readSettings,
  usedProfile,
} from "../shared/client-options.js";
import { EXIT, type ExitCode, exitCodeHelp, exitCodeOf } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson } from "../shared/output.js";
import { readFullStatus, readStatusUntilIdle } from "./read-status.js";
import { explanation, failingText, formatStatus, waitingText } from "./status-text.js";
import { beginWatching, type ShowStatus } from "./watched-report.js";

interface StatusFlags extends ClientFlags {
  readonly watch?: boolean;
  readonly wait?: number;
  readonly explain?: boolean;
}

/** Time between two updates, in milliseconds. */
const WATCH_EVERY_MS = 2000;
const WAIT_SECONDS = 60;
const MS_PER_SECOND = 1000;

export function addStatus(program: Command): void {
  addClientOptions(
    program
      .command("status")
      .description("show the state, clock, software, keys, memory, timeline and members of every daemon"),
  )
    .usage("[options]")
    .option("--watch", "update every 2 s until q or Ctrl-C; a terminal is redrawn, other output is appended")
    .addOption(
      new Option(
        "--wait [seconds]",
        `wait until there is no FAIL or WAIT, at most for this time (default: ${WAIT_SECONDS}); a line shows what is missing`,
      )
        .argParser((text) => readCount(text, "Seconds are"))
        .preset(String(WAIT_SECONDS))
        .conflicts(["watch", "explain"]),
    )
    .option("--explain", "describe each column, without contacting a daemon")
    .option(JSON_FLAG, 'print JSON: {"daemons": […]}, ids in full; with --watch a line for each update')
    .addHelpText(
      "after",
      `
The first table needs no key: daemons report these facts to any client, except that daemons of version 1 report
nothing. With a key that the daemons know, the status also shows whether their databases answer. With an
administrator's key it shows software, keys, memory and clients, and for daemons with --data or --peer their timelines
and members. Tables are as wide as the terminal, and 80 columns in a pipe, but show addresses whole; --json prints
everything in full.

The first line says how many daemons are ready, and "no problems" if you need not read further. The tables are followed
by a line for each finding. FAIL is a problem. WARN may be intended. WAIT is temporary, for example a daemon that
starts, catches up or takes a snapshot. Without any of these the exit code is 0; with --wait, it is also 0 if there are
only WARN. NOTE matters only for a feature that you may not use, such as clients that do not sign.

Examples:
  dbsync status
  dbsync status -s 10.0.0.1,10.0.0.2 --json
  dbsync status --wait 60 -k root-private.pem
  dbsync status --watch -k root-private.pem
  dbsync status --explain
${exitCodeHelp("there is a FAIL, WARN or WAIT: a daemon is not reachable, not live, in another cluster, or has a problem")}`,
    )
    .action(status);
}

async function status(flags: StatusFlags): Promise<void> {
  if (flags.explain) return printText(explanation(terminalColumns()));
  const settings = readSettings(flags);
  if (flags.wait !== undefined) return await waitUntilHealthy(settings, flags.wait, flags);
  const show = flags.watch ? beginWatching(showOnce(flags), flags.json ?? false) : showOnce(flags);
  for (;;) {
    const daemons = await readFullStatus(settings);
    process.exitCode = statusCode(failingText(daemons), settings);
    show(daemons);
    if (!flags.watch) return;
    await new Promise((resolve) => setTimeout(resolve, WATCH_EVERY_MS));
  }
}

async function waitUntilHealthy(
  settings: ClientSettings,
  seconds: number,
  flags: StatusFlags,
): Promise<void> {
  const daemons = await readStatusUntilIdle(settings, seconds * MS_PER_SECOND, waitingText);
  process.exitCode = statusCode(waitingText(daemons), settings);
  showOnce(flags)(daemons);
}

/**
 * Returns the exit code for a status. An unusable key has its own code, because the report is then incomplete.
 * @param failure  what makes the command fail, or null
 */
export function statusCode(failure: string | null, settings: ClientSettings): ExitCode {
  if (failure !== null) return EXIT.failed;
  try {
    loadSigningKey(settings);
    return EXIT.ok;
  } catch (error) {
    return exitCodeOf(error);
  }
}

const showOnce =
  ({ json }: StatusFlags): ShowStatus =>
  (daemons) => {
    const profile = usedProfile();
    if (json) return printJson(profile === null ? { daemons } : { profile: profile.name, daemons });
    printText(formatStatus(daemons, terminalColumns(), process.stdout.isTTY));
    if (profile !== null) printText(`(using the profile ${profile.name})\n`);
  };

function printText(text: string): void {
  process.stdout.write(text);
}
