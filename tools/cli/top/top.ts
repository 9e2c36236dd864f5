/** `dbsync top`: shows the activity of each daemon, and updates the display. */
import { type Command, Option } from "commander";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { painted } from "../../../daemon/net/terminal/colours.js";
import { shownLines } from "../../../daemon/net/terminal/escaped-text.js";
import { terminalColumns } from "../../../daemon/net/terminal/text-table.js";
import { addClientOptions, type ClientFlags, readCount, readSettings } from "../shared/client-options.js";
import { exitCodeHelp } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson } from "../shared/output.js";
import { columnLines } from "../status/column-explanations.js";
import { type DaemonStatus, readFullStatus } from "../status/read-status.js";
import { statusCode } from "../status/status.js";
import { openScreen } from "../status/watch-screen.js";
import { Activities } from "./daemon-activity.js";
import { ACTIVITY_COLUMNS, TOP_COLUMNS, topLines, topRows, topTable } from "./top-report.js";

const EVERY_SECONDS = 2;
const MS_PER_SECOND = 1000;

interface TopFlags extends ClientFlags {
  readonly every?: number;
  readonly rounds?: number;
  readonly explain?: boolean;
}

export function addTop(program: Command): void {
  addClientOptions(
    program
      .command("top")
      .description(
        "show the activity of every daemon: operations, latency, memory, keys, connections, version",
      ),
  )
    .addOption(
      new Option("--every <seconds>", `time between two updates (default: ${EVERY_SECONDS})`).argParser(
        (text) => Math.max(1, readCount(text, "Seconds are")),
      ),
    )
    .addOption(
      new Option(
        "--rounds <number>",
        "exit after this number of updates (default: run until q or Ctrl-C)",
      ).argParser((text) => Math.max(1, readCount(text, "Rounds are"))),
    )
    .option("--explain", "describe each column, without contacting a daemon")
    .option(
      JSON_FLAG,
      'print a line of JSON for each update: {"daemons": [{"address": …, "figures": …, "activity": …}]}',
    )
    .addHelpText(
      "after",
      `
Daemons report this to administrators: sign with an administrator's key (-k). A terminal is redrawn, with a line about
the member list. In a pipe, each update is a table of at most 80 columns. Rates (values per second) appear from the
second update on.

Examples:
  dbsync top -k root-private.pem
  dbsync top -s 10.0.0.1,10.0.0.2 -k root-private.pem --every 5
  dbsync top -k root-private.pem --rounds 2 | tail -3
  dbsync top --explain
${exitCodeHelp("at the last update a daemon was not reachable, not live, or had a problem")}`,
    )
    .action(top);
}

async function top(flags: TopFlags): Promise<void> {
  if (flags.explain) {
    process.stdout.write(explanation(terminalColumns()));
    return;
  }
  const settings = readSettings(flags);
  const { every = EVERY_SECONDS, rounds = Number.POSITIVE_INFINITY } = flags;
  const activities = new Activities();
  const show = displayFor(flags, activities);
  for (let round = 1; ; round++) {
    const startedAt = performance.now();
    const daemons = await readFullStatus(settings);
    activities.update(daemons, performance.now());
    process.exitCode = statusCode(daemons, settings);
    show(daemons);
    if (round >= rounds) return;
    const remaining = every * MS_PER_SECOND - (performance.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, remaining)));
  }
}

function displayFor(
  { json, every = EVERY_SECONDS }: TopFlags,
  activities: Activities,
): (daemons: readonly DaemonStatus[]) => void {
  if (json) {
    return (daemons) =>
      printJson({ daemons: daemons.map((one) => ({ ...one, activity: activities.of(one.address) })) });
  }
  const screen = openScreen();
  const printed = new Set<string>();
  return (daemons) => {
    const rows = topRows(daemons, activities);
    if (screen === null) {
      process.stdout.write(`${topTable(rows, terminalColumns())}\n`);
      printNotes(daemons, printed);
    } else screen.draw(topLines({ rows, every, now: realEnvironment.wallClock(), columns: screen.columns }));
  };
}

/** Prints each reason for empty cells once, on standard error, because programs may read the tables. */
function printNotes(daemons: readonly DaemonStatus[], printed: Set<string>): void {
  for (const { timelineNote } of daemons) {
    if (timelineNote === null || printed.has(timelineNote)) continue;
    printed.add(timelineNote);
    process.stderr.write(`(${shownLines(timelineNote)})\n`);
  }
}

function explanation(columns: number): string {
  const recent = `${painted("On a terminal", "head")}\n${columnLines(ACTIVITY_COLUMNS, columns)}`;
  return `${painted("For each daemon", "head")}\n${columnLines(TOP_COLUMNS, columns)}\n${recent}`;
}
