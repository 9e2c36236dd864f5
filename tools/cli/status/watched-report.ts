/**
 * The screen of `dbsync status --watch`, with lines that fit the width of the terminal. It is redrawn until a key or a
 * signal ends the program.
 */

import { realEnvironment } from "../../../client/shared/client-environment.js";
import type { Tone } from "../../../daemon/net/terminal/terminal-text.js";
import { shown as shownText } from "../../../daemon/net/terminal/terminal-text.js";
import { clip, fitted, tableLines, wrapped } from "../../../daemon/net/terminal/text-table.js";
import { bytesCell, countCell, millisecondsCell, spanCell } from "../../../protocol/figures/amount-texts.js";
import { endOnQ, isScreen, RedrawnScreen, type StyledLine } from "../shared/redrawn-screen.js";
import type { DaemonStatus } from "./read-status.js";
import { cellOf, decidingOf, keeperOf, membersOf, stateOf } from "./report-tables.js";
import { readyText, sentencesOf, timelinesOf } from "./status-text.js";

/** Maximum number of updates whose rates are shown. */
const UPDATES_MAX = 40;
const BARS = "▁▂▃▄▅▆▇█";
const MS_PER_SECOND = 1000;

/** The counts of a daemon whose rates are shown. */
const COUNTS = ["entries", "decidedSlots", "decidedUnits"] as const;
type CountName = (typeof COUNTS)[number];

interface Update {
  readonly at: number;
  readonly timeline: Readonly<Record<CountName, number>>;
}

/** How much the counts of each daemon have increased per second, between the last updates. */
export class Rates {
  readonly #last = new Map<string, Update>();
  /** By name of the count and address. */
  readonly #rates = new Map<string, number[]>();

  /** Adds an update. @param now  milliseconds */
  update(daemons: readonly DaemonStatus[], now: number): void {
    for (const { address, timeline } of daemons) {
      const before = this.#last.get(address);
      this.#last.delete(address);
      if (timeline === null) continue;
      this.#last.set(address, { at: now, timeline });
      if (before === undefined || now <= before.at) continue;
      for (const name of COUNTS) {
        const increase = Math.max(0, timeline[name] - before.timeline[name]);
        const rate = (increase * MS_PER_SECOND) / (now - before.at);
        this.#rates.set(`${name} ${address}`, [...this.of(address, name), rate].slice(-UPDATES_MAX));
      }
    }
  }

  of(address: string, name: CountName = "entries"): readonly number[] {
    return this.#rates.get(`${name} ${address}`) ?? [];
  }
}

export interface WatchView {
  readonly daemons: readonly DaemonStatus[];
  readonly rates: Rates;
  /** The current time, in milliseconds since 1970. */
  readonly now: number;
  /** The terminal's width. */
  readonly columns: number;
}

export function watchedLines(scene: WatchView): StyledLine[] {
  const { daemons, rates, now, columns } = scene;
  const time = new Date(now).toTimeString().slice(0, 8);
  const lines = [
    line(`dbsync status: ${readyText(daemons)}, ${time}, every 2 s, q ends`, "head"),
    ...(daemons.length === 0 ? [] : daemonLines(daemons, rates, columns)),
    ...timelineLines(scene),
    ...decisionLines(scene),
    ...memberLines(daemons, columns),
    ...troubleLines(daemons, columns),
  ];
  return lines.map(({ text, tone }) => ({ text: clip(shownText(text), columns), tone }));
}

export const line = (text: string, tone: StyledLine["tone"] = "plain"): StyledLine => ({ text, tone });

function daemonLines(daemons: readonly DaemonStatus[], rates: Rates, columns: number): StyledLine[] {
  const head = ["DAEMON", "STATE", "CLOCK", "ENTRIES", "A SECOND", "WAIT", "MEMORY", "REFUSED"];
  const rows = daemons.map((daemon) => [
    daemon.address,
    stateOf(daemon),
    cellOf(daemon.clockDifference, millisecondsCell),
    cellOf(daemon.timeline?.entries, countCell),
    cellOf(daemon.timeline && rates.of(daemon.address).at(-1), countCell),
    cellOf(daemon.timeline?.waiting, countCell),
    cellOf(daemon.figures?.memory.resident, bytesCell),
    cellOf(daemon.figures?.refusals, countCell),
  ]);
  const isHealthy = (row: number) => daemons[row]?.state === "live" && !daemons[row].hasNoDatabase;
  return headedLines([head, ...rows], columns, (row) => (isHealthy(row) ? "plain" : "bad"));
}

function timelineLines({ daemons, rates, now, columns }: WatchView): StyledLine[] {
  const head = ["TIMELINE OF", "NEWEST", "FINAL", "TAIL", "REDONE", "RECORDED A SECOND"];
  const rows = timelinesOf(daemons).map(({ address, timeline }) => [
    address,
    ago(timeline.newest, now),
    ago(timeline.stable, now),
    countCell(timeline.tailUnits),
    countCell(timeline.redone),
    bars(rates.of(address)),
  ]);
  return rows.length === 0 ? [] : headedLines([head, ...rows], columns, () => "plain");
}

function decisionLines({ daemons, rates, now, columns }: WatchView): StyledLine[] {
  const head = [
    "DECISIONS OF",
    "KEEPER",
    "SLOTS A SECOND",
    "UNITS A SECOND",
    "LAST",
    "UNDECIDED",
    "BLOCKED BY",
  ];

  const deciding = decidingOf(timelinesOf(daemons));
  const rows = deciding.map((shown) => [
    shown.address,
    keeperOf(shown),
    cellOf(rates.of(shown.address, "decidedSlots").at(-1), countCell),
    cellOf(rates.of(shown.address, "decidedUnits").at(-1), countCell),
    ago(shown.timeline.decidedAt, now),
    countCell(shown.timeline.waitingEnvelopes),
    shown.timeline.undecidedCause ?? "-",
  ]);

  const isBlocked = (row: number) => (deciding[row]?.timeline.undecidedCause ?? null) !== null;
  return rows.length === 0
    ? []
    : headedLines([head, ...rows], columns, (row) => (isBlocked(row) ? "bad" : "plain"));
}

function memberLines(daemons: readonly DaemonStatus[], columns: number): StyledLine[] {
  const shown = membersOf(timelinesOf(daemons)).filter(({ member }) => member.connection !== "self");
  const head = ["SEEN BY", "MEMBER", "STATE", "LAG", "CLOCK", "SILENT", "SAME"];

  const isAway = (index: number) => shown[index]?.member.connection !== "connected";
  const rows = shown.map(({ address, member, state, same }, index) => [
    address,
    member.address,
    isAway(index) ? "away" : state,
    isAway(index) ? "-" : countCell(member.lag + member.behind),
    isAway(index) ? "-" : cellOf(member.skew, millisecondsCell),
    cellOf(member.lastHeard, spanCell),
    same,
  ]);

  if (rows.length === 0) return [];
  return headedLines([head, ...rows], columns, (row) => (isAway(row) ? "bad" : "plain"));
}

function troubleLines(daemons: readonly DaemonStatus[], columns: number): StyledLine[] {
  const sentences = sentencesOf(daemons).flatMap(({ text, tone }) =>
    wrapped(shownText(text), columns).map((part) => line(part, tone)),
  );
  return sentences.length === 0 ? [] : [line(""), ...sentences];
}

/**
 * Returns an empty line, the head and the rows.
 * @param toneOf  returns the tone of a row; the row after the head is number 0
 */
export function headedLines(
  rows: readonly (readonly string[])[],
  columns: number,
  toneOf: (row: number) => Tone,
): StyledLine[] {
  const [head = "", ...others] = tableLines(fitted(rows, columns));
  return [line(""), line(head, "head"), ...others.map((text, row) => line(text, toneOf(row)))];
}

export function bars(values: readonly number[]): string {
  const max = Math.max(...values, 1);
  return values.map((value) => BARS[Math.round((value / max) * (BARS.length - 1))]).join("");
}

function ago(at: number, now: number): string {
  return at === 0 ? "-" : spanCell(now - at);
}

export type ShowStatus = (daemons: readonly DaemonStatus[]) => void;

/**
 * Opens a screen that is redrawn until a key or a signal ends the program; then the cursor is restored. q and Ctrl-C
 * end the program with the exit code of the last update. The terminal is restored after any other signal too.
 * @returns null if the output is not a terminal
 */
export function openScreen(): RedrawnScreen | null {
  const screen = isScreen(process.stdout) ? new RedrawnScreen(process.stdout) : null;
  // Restores the terminal however the process ends, including by a bug.
  process.once("exit", () => screen?.close());
  process.once("SIGINT", () => process.exit());

  const releaseKeys = screen === null ? () => {} : endOnQ(() => process.exit());
  for (const signal of ["SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      screen?.close();
      releaseKeys();
      process.kill(process.pid, signal);
    });
  return screen;
}

/**
 * Begins `dbsync status --watch`.
 * @param once    prints a status, if the output is not a terminal
 * @param isJson  whether each status is a line of JSON
 */
export function beginWatching(once: ShowStatus, isJson: boolean): ShowStatus {
  if (isJson) return once;
  const screen = openScreen();
  if (screen === null) {
    return (daemons) => {
      once(daemons);
      process.stdout.write("\n");
    };
  }

  const rates = new Rates();
  return (daemons) => {
    const now = realEnvironment.wallClock();
    rates.update(daemons, now);
    screen.draw(watchedLines({ daemons, rates, now, columns: screen.columns }));
  };
}
