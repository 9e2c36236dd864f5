/** `dbsync top`: shows what each daemon is doing, and updates it. */
import { type Command, Option } from "commander";
import { realEnvironment } from "../../client/shared/environment.js";
import { painted } from "../../net/terminal/colours.js";
import { shownLines } from "../../net/terminal/shown-text.js";
import { terminalColumns } from "../../net/terminal/table.js";
import { addClientOptions, type ClientFlags, readCount, readSettings } from "../shared/client-options.js";
import { exitCodeHelp } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson } from "../shared/output.js";
import type { DaemonStatus } from "../status/daemon-status.js";
import { columnLines } from "../status/explanation.js";
import { readFullStatus } from "../status/read-status.js";
import { lookCode } from "../status/status.js";
import { openScreen } from "../status/watching.js";
import { Activities } from "./activity.js";
import { LATELY_COLUMNS, TOP_COLUMNS, topLines, topRows, topTable } from "./top-report.js";

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
        "show what every daemon is doing: operations, latency, memory, keys, connections, version",
      ),
  )
    .addOption(
      new Option("--every <seconds>", `look so often (default: ${EVERY_SECONDS})`).argParser((text) =>
        Math.max(1, readCount(text, "Seconds are")),
      ),
    )
    .addOption(
      new Option("--rounds <number>", "end after this number of updates (default: at q or Ctrl-C)").argParser(
        (text) => Math.max(1, readCount(text, "Rounds are")),
      ),
    )
    .option("--explain", "say what each column means, and ask no daemon")
    .option(
      JSON_FLAG,
      'print JSON, a line each look: {"daemons": [{"address": …, "figures": …, "activity": …}]}',
    )
    .addHelpText(
      "after",
      `
Daemons report this to administrators: sign with an administrator's key (-k). On a terminal it is drawn in its
place, with a line on the list of members; in a pipe each look is a table of 80 columns at most. What happens in
a second is known from the second look on.

Examples:
  dbsync top -k root-private.pem
  dbsync top -s 10.0.0.1,10.0.0.2 -k root-private.pem --every 5
  dbsync top -k root-private.pem --rounds 2 | tail -3
  dbsync top --explain
${exitCodeHelp("at the last look a daemon was not reached, not live, or something of it was wrong")}`,
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
  const show = shower(flags, activities);
  for (let round = 1; ; round++) {
    const startedAt = performance.now();
    const daemons = await readFullStatus(settings);
    activities.look(daemons, performance.now());
    process.exitCode = lookCode(daemons, settings);
    show(daemons);
    if (round >= rounds) return;
    const left = every * MS_PER_SECOND - (performance.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, left)));
  }
}

function shower(
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

/** Prints the reasons for empty cells, each once, to standard error: the tables are for programs. */
function printNotes(daemons: readonly DaemonStatus[], printed: Set<string>): void {
  for (const { timelineNote } of daemons) {
    if (timelineNote === null || printed.has(timelineNote)) continue;
    printed.add(timelineNote);
    process.stderr.write(`(${shownLines(timelineNote)})\n`);
  }
}

function explanation(columns: number): string {
  const lately = `${painted("On a terminal", "head")}\n${columnLines(LATELY_COLUMNS, columns)}`;
  return `${painted("Of each daemon", "head")}\n${columnLines(TOP_COLUMNS, columns)}\n${lately}`;
}
