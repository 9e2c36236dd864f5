/** `dbsync top`: shows the activity of each daemon, and updates the display. */
import { type Command, Option } from "commander";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { painted, shown, shownLines, type Tone } from "../../../daemon/net/terminal/terminal-text.js";
import {
  clip,
  fitted,
  formatHeadedTable,
  terminalColumns,
  wrapped,
} from "../../../daemon/net/terminal/text-table.js";
import { bytesCell, countCell, spanCell } from "../../../protocol/figures/amount-texts.js";
import { INFO_FIGURES } from "../../../protocol/figures/info-figures.js";
import { addClientOptions, type ClientFlags, readCount, readSettings } from "../shared/client-options.js";
import { exitCodeHelp } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson } from "../shared/output.js";
import type { StyledLine } from "../shared/redrawn-screen.js";
import type { DaemonFigures } from "../status/daemon-figures.js";
import { type DaemonStatus, readFullStatus } from "../status/read-status.js";
import { type Column, cellOf, rowsOf, stateOf } from "../status/report-tables.js";
import { statusCode } from "../status/status.js";
import { columnLines, failingText, readyText, sentencesOf } from "../status/status-text.js";
import { bars, headedLines, line, openScreen } from "../status/watched-report.js";

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
    process.exitCode = statusCode(failingText(daemons), settings);
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

interface TopRow {
  readonly daemon: DaemonStatus;
  /** The daemon's activity, or null before the second update. */
  readonly activity: Activity | null;
  readonly rates: readonly number[];
}

/** Formats a figure; `-` if the daemon does not report figures. */
const figureCell =
  (cell: (figures: NonNullable<DaemonStatus["figures"]>) => string) =>
  ({ daemon: { figures } }: TopRow): string =>
    cellOf(figures, cell);

/** Formats an activity; `-` before the second update. */
const activityCell =
  (cell: (activity: Activity) => string) =>
  ({ activity }: TopRow): string =>
    cellOf(activity, cell);

export const TOP_COLUMNS: readonly Column<TopRow>[] = [
  { head: "ADDRESS", about: "address as in the list of servers", cell: ({ daemon }) => daemon.address },
  {
    head: "STATE",
    about: "live, catching-up, isolated, no database, or the stage at which the connection failed",
    cell: ({ daemon }) => stateOf(daemon),
  },
  {
    head: "OPS/S",
    about: "commands that it answered per second, including those of this program",
    cell: activityCell(({ commands }) => countCell(commands)),
  },
  {
    head: "P50/P99 MS",
    about: "maximum time in the daemon for 50 % and for 99 % of its answers",
    cell: activityCell(({ p50, p99 }) =>
      p50 === null || p99 === null ? "-" : `${endText(p50)}/${endText(p99)}`,
    ),
  },
  {
    head: "KEYS",
    about: INFO_FIGURES.keys.help,
    cell: figureCell(({ keys }) => cellOf(keys, countCell)),
  },
  {
    head: "MEMORY",
    about: INFO_FIGURES.resident.help,
    cell: figureCell(({ memory }) => bytesCell(memory.resident)),
  },
  {
    head: "CONNS",
    about: INFO_FIGURES.clients.help,
    cell: figureCell(({ clients }) => countCell(clients)),
  },
  { head: "VERSION", about: "version of its program", cell: figureCell(({ software }) => software) },
];

export const ACTIVITY_COLUMNS: readonly Column<TopRow>[] = [
  { head: "DAEMON", about: "its address", cell: ({ daemon }) => daemon.address },
  {
    head: "UPTIME",
    about: INFO_FIGURES.uptime.help,
    cell: figureCell(({ uptime }) => spanCell(uptime * MS_PER_SECOND)),
  },
  {
    head: "ERRORS/S",
    about: "answers per second that were errors",
    cell: activityCell(({ errors }) => countCell(errors)),
  },
  {
    head: "REFUSED/S",
    about: "requests per second that it did not answer; its log has the reasons",
    cell: activityCell(({ refusals }) => countCell(refusals)),
  },
  { head: "RECENT OPS/S", about: "a bar for each update, the latest last", cell: ({ rates }) => bars(rates) },
];

/** Formats the output of `dbsync top`: a table that fits 80 columns, and on a terminal also the recent activity. */
export function topRows(daemons: readonly DaemonStatus[], activities: Activities): readonly TopRow[] {
  return daemons.map((daemon) => ({
    daemon,
    activity: activities.of(daemon.address),
    rates: activities.ratesOf(daemon.address),
  }));
}

/** Returns a single table, for a pipe. */
function topTable(rows: readonly TopRow[], columns: number): string {
  return formatHeadedTable(fitted(rowsOf(TOP_COLUMNS, rows), columns), toneIn(rows));
}

interface TopView {
  readonly rows: readonly TopRow[];
  /** Seconds between two updates. */
  readonly every: number;
  /** The current time, in milliseconds since 1970. */
  readonly now: number;
  /** The terminal's width. */
  readonly columns: number;
}

export function topLines({ rows, every, now, columns }: TopView): readonly StyledLine[] {
  const time = new Date(now).toTimeString().slice(0, 8);
  const daemons = rows.map(({ daemon }) => daemon);
  const title = `dbsync top: ${readyText(daemons)}, ${time}, every ${every} s, q ends`;
  const sentences = sentencesOf(daemons).flatMap(({ text, tone }) =>
    wrapped(shown(text), columns).map((part) => line(part, tone)),
  );

  const list = memberListLine(daemons);
  const lines = [
    line(title, "head"),
    ...(list === null ? [] : [line(list)]),
    ...headedLines(rowsOf(TOP_COLUMNS, rows), columns, toneIn(rows)),
    ...headedLines(rowsOf(ACTIVITY_COLUMNS, rows), columns, toneIn(rows)),
    ...(sentences.length === 0 ? [] : [line(""), ...sentences]),
  ];

  return lines.map(({ text, tone }) => ({ text: clip(text, columns), tone }));
}

const toneIn =
  (rows: readonly TopRow[]) =>
  (row: number): Tone =>
    rows[row]?.daemon.ok ? "plain" : "bad";

/** Formats the upper end of a bucket. */
function endText(milliseconds: number): string {
  return milliseconds === Number.POSITIVE_INFINITY ? "more" : String(milliseconds);
}

/** Returns the line, or null if no daemon reports a list. */
export function memberListLine(daemons: readonly DaemonStatus[]): string | null {
  const reports = daemons.flatMap(({ timeline, ...daemon }) =>
    timeline === null ? [] : [{ ...daemon, timeline }],
  );
  const numbers = [...new Set(reports.flatMap(({ timeline }) => timeline.lists))].sort((a, b) => a - b);
  if (numbers.length === 0) return null;

  const members = reports.filter(({ timeline }) => timeline.unlisted === null && timeline.lists.length > 0);
  const seen = members.flatMap(({ timeline }) => timeline.members);
  const nameOf = ({ id, address }: (typeof seen)[number]) => id ?? address;
  const listed = seen.filter((member) => member.listed === true);
  const connected = listed.filter(({ connection }) => connection === "connected" || connection === "self");

  // A daemon that reported is connected, even if it is not in its own list of peers.
  const connectedNames = new Set([
    ...connected.map(nameOf),
    ...members.flatMap(({ daemon }) => daemon ?? []),
  ]);

  const disconnected = addressesOf(listed.filter((member) => !connectedNames.has(nameOf(member))));
  const unlisted = addressesOf([
    ...seen.filter((member) => member.listed === false),
    ...reports.filter(({ timeline }) => timeline.unlisted !== null),
  ]);

  return [
    `list ${numbers.join("+")}: ${connectedNames.size + disconnected.length} members`,
    ...(disconnected.length === 0 ? [] : [`disconnected: ${disconnected.join(" ")}`]),
    ...(unlisted.length === 0 ? [] : [`not on it: ${unlisted.join(" ")}`]),
  ].join("; ");
}

const addressesOf = (seen: readonly { readonly address: string }[]): string[] => [
  ...new Set(seen.map(({ address }) => address)),
];

/** Maximum number of updates whose rates are shown. */
const UPDATES_MAX = 24;
const MICROSECONDS_PER_MS = 1000;

/** The activity of a daemon between the last two updates; counts are per second. */
interface Activity {
  readonly commands: number;
  readonly errors: number;
  readonly refusals: number;
  /** Milliseconds within which 50 % (`p50`) or 99 % (`p99`) of the answers were sent, or null without answers. */
  readonly p50: number | null;
  readonly p99: number | null;
}

interface Update {
  readonly at: number;
  readonly figures: DaemonFigures;
}

/** The activities of the listed daemons in their last updates. */
export class Activities {
  readonly #last = new Map<string, Update>();
  readonly #now = new Map<string, Activity>();
  readonly #rates = new Map<string, number[]>();

  /** Adds an update. @param now  milliseconds of a monotonic clock */
  update(daemons: readonly DaemonStatus[], now: number): void {
    for (const { address, figures } of daemons) {
      const before = this.#last.get(address);
      this.#last.delete(address);
      this.#now.delete(address);
      if (figures === null) continue;
      this.#last.set(address, { at: now, figures });
      // The counts of a restarted daemon begin again at 0.
      if (before === undefined || now <= before.at || figures.commands < before.figures.commands) continue;
      const activity = activityOf(before.figures, figures, (now - before.at) / MS_PER_SECOND);
      this.#now.set(address, activity);
      this.#rates.set(address, [...this.ratesOf(address), activity.commands].slice(-UPDATES_MAX));
    }
  }

  /** Returns a daemon's activity, or null before the second update. */
  of(address: string): Activity | null {
    return this.#now.get(address) ?? null;
  }

  /** Returns a daemon's commands per second, the latest last. */
  ratesOf(address: string): readonly number[] {
    return this.#rates.get(address) ?? [];
  }
}

function activityOf(before: DaemonFigures, after: DaemonFigures, seconds: number): Activity {
  const rate = (name: "commands" | "errors" | "refusals") =>
    Math.max(0, after[name] - before[name]) / seconds;
  const times = after.times.map(([max, count], index): [number, number] => [
    max,
    Math.max(0, count - (before.times[index]?.[1] ?? 0)),
  ]);
  return {
    commands: rate("commands"),
    errors: rate("errors"),
    refusals: rate("refusals"),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
  };
}

/**
 * Returns the upper end, in milliseconds, of the bucket in which the given share of the answers is reached, or null
 * without answers.
 */
export function quantile(times: DaemonFigures["times"], share: number): number | null {
  const all = times.reduce((sum, [, count]) => sum + count, 0);
  let sum = 0;
  for (const [max, count] of times) {
    sum += count;
    if (count > 0 && sum >= all * share) return max / MICROSECONDS_PER_MS;
  }
  return null;
}
