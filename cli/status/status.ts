/** `dbsync status`: shows the reports of all daemons side by side, and the problems. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Settings } from "../../client/settings/options.js";
import { loadSigningKey } from "../../client/settings/signing-key.js";
import { terminalColumns } from "../../net/terminal/table.js";
import {
  addClientOptions,
  type ClientFlags,
  readCount,
  readSettings,
  usedProfile,
} from "../shared/client-options.js";
import { EXIT, type ExitCode, exitCodeHelp, exitCodeOf } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson } from "../shared/output.js";
import type { DaemonStatus } from "./daemon-status.js";
import { explanation } from "./explanation.js";
import { readFullStatus } from "./read-status.js";
import { readSettledStatus } from "./settling.js";
import { formatStatus, waitingText } from "./status-text.js";
import { beginWatching, type Show } from "./watching.js";

interface StatusFlags extends ClientFlags {
  readonly watch?: boolean;
  readonly wait?: number;
  readonly explain?: boolean;
}

/** Milliseconds between two updates. */
const WATCH_EVERY_MS = 2000;
const WAIT_SECONDS = 60;
const MS_PER_SECOND = 1000;

export function addStatus(program: Command): void {
  addClientOptions(
    program
      .command("status")
      .description("show every daemon's state, clock, software, keys, memory, its timeline and members"),
  )
    .argument("[url]", "none: -s names the daemons", refuseUrl)
    .usage("[options]")
    .option(
      "--watch",
      "update every 2 s, until q or Ctrl-C: on a terminal in place, else one below the other",
    )
    .addOption(
      new Option(
        "--wait [seconds]",
        `wait until all is well, for this time at most (default: ${WAIT_SECONDS}); meanwhile a line says what is missing`,
      )
        .argParser((text) => readCount(text, "Seconds are"))
        .preset(String(WAIT_SECONDS))
        .conflicts(["watch", "explain"]),
    )
    .option("--explain", "explain each column, and ask no daemon")
    .option(JSON_FLAG, 'print JSON: {"daemons": […]}, ids in full; with --watch a line each time')
    .addHelpText(
      "after",
      `
The first table needs no key: daemons report this to any client; those that speak version 1 only report nothing.
With a key that they know, the status shows whether their databases answer. To an administrator's key they report
software, keys, memory and clients, and those with --data or --peer their timelines and members. Tables are as
wide as the terminal, and 80 columns in a pipe; --json has what is cut.

Below the tables is the number of daemons that are ready, and a line for each finding: FAIL for what is wrong, WARN for
what may be intended, WAIT for what ends by itself (daemons that start, catch up or take a snapshot). If there is none of
these, all is well (exit code 0). NOTE matters only for a feature that you may not use, such as clients that do not sign.

Examples:
  dbsync status
  dbsync status -s 10.0.0.1,10.0.0.2 --json
  dbsync status --wait 60 -k root-private.pem
  dbsync status --watch -k root-private.pem
  dbsync status --explain
${exitCodeHelp("there is a FAIL, WARN or WAIT: a daemon is not reached, not live, of another cluster, or something of it is wrong")}`,
    )
    .action(status);
}

/** @throws InvalidArgumentError  earlier versions asked servers of documents by their URLs */
function refuseUrl(): never {
  throw new InvalidArgumentError(
    "status asks the daemons of -s. For --json-replica read /healthz or /metrics of --admin, or INFO replication of --resp.",
  );
}

async function status(_: undefined, flags: StatusFlags): Promise<void> {
  if (flags.explain) return printText(explanation(terminalColumns()));
  const settings = readSettings(flags);
  if (flags.wait !== undefined) return await waitUntilWell(settings, flags.wait, flags);
  const show = flags.watch ? beginWatching(showOnce(flags), flags.json ?? false) : showOnce(flags);
  for (;;) {
    const daemons = await readFullStatus(settings);
    process.exitCode = lookCode(daemons, settings);
    show(daemons);
    if (!flags.watch) return;
    await new Promise((resolve) => setTimeout(resolve, WATCH_EVERY_MS));
  }
}

async function waitUntilWell(settings: Settings, seconds: number, flags: StatusFlags): Promise<void> {
  const daemons = await readSettledStatus(settings, seconds * MS_PER_SECOND, waitingText);
  process.exitCode = lookCode(daemons, settings);
  showOnce(flags)(daemons);
}

/** With an unusable key much is missing from the report, but that is not a fault of the daemons. */
export function lookCode(seen: readonly DaemonStatus[], settings: Settings): ExitCode {
  if (waitingText(seen) !== null) return EXIT.failed;
  try {
    loadSigningKey(settings);
    return EXIT.ok;
  } catch (error) {
    return exitCodeOf(error);
  }
}

const showOnce =
  ({ json }: StatusFlags): Show =>
  (daemons) => {
    const profile = usedProfile();
    if (json) return printJson(profile === null ? { daemons } : { profile: profile.name, daemons });
    printText(formatStatus(daemons, terminalColumns(), process.stdout.isTTY));
    if (profile !== null) printText(`(by the profile ${profile.name})\n`);
  };

function printText(text: string): void {
  process.stdout.write(text);
}
