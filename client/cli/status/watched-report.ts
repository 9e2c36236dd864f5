/** What `dbsync status --watch` shows on a terminal: as much as fits, and no line longer than it is wide. */
import { shown as shownText } from "../shared/shown-text.js";
import { formatTable } from "../shared/table.js";
import type { DaemonStatus } from "./daemon-status.js";
import { formatFleets } from "./fleet-report.js";
import type { FleetStatus } from "./fleet-status.js";

/** Looks of which rates are shown. */
const LOOKS_MOST = 40;
const ADDRESS_CHARS = 21;
const BARS = "▁▂▃▄▅▆▇█";
const MS_PER_SECOND = 1000;

export interface ShownLine {
  readonly text: string;
  readonly tone: "plain" | "head" | "bad" | "warn";
}

interface Look {
  readonly at: number;
  readonly entries: number;
}

/** How much each daemon has recorded in the seconds between looks. Bounded: the last looks at daemons of the list. */
export class Rates {
  readonly #last = new Map<string, Look>();
  readonly #rates = new Map<string, number[]>();

  /** @param now  milliseconds */
  look(daemons: readonly DaemonStatus[], now: number): void {
    for (const { address, timeline } of daemons) {
      const before = this.#last.get(address);
      this.#last.delete(address);
      if (timeline === null) continue;
      const { entries } = timeline;
      this.#last.set(address, { at: now, entries });
      if (before === undefined || now <= before.at) continue;
      const rate = (Math.max(0, entries - before.entries) * MS_PER_SECOND) / (now - before.at);
      this.#rates.set(address, [...(this.#rates.get(address) ?? []), rate].slice(-LOOKS_MOST));
    }
  }

  of(address: string): readonly number[] {
    return this.#rates.get(address) ?? [];
  }
}

export interface WatchedScene {
  readonly daemons: readonly DaemonStatus[];
  readonly fleets: readonly FleetStatus[];
  readonly rates: Rates;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Of the terminal. */
  readonly columns: number;
}

export function watchedLines({ daemons, fleets, rates, now, columns }: WatchedScene): ShownLine[] {
  const time = new Date(now).toTimeString().slice(0, 8);
  const all = [...daemons, ...fleets];
  const well = all.filter(({ ok }) => ok).length;
  const lines = [
    line(`dbsync status: ${well} of ${all.length} well, ${time}, every 2 s, Ctrl-C ends`, "head"),
    ...(daemons.length === 0 ? [] : daemonLines(daemons, rates)),
    ...timelineLines(daemons, rates, now),
    ...memberLines(daemons),
    ...(fleets.length === 0
      ? []
      : ["", ...formatFleets(fleets).trimEnd().split("\n")].map((text) => line(text))),
    ...troubleLines(all, daemons, columns),
  ];
  return lines.map(({ text, tone }) => ({ text: clip(shownText(text), columns), tone }));
}

const line = (text: string, tone: ShownLine["tone"] = "plain"): ShownLine => ({ text, tone });

function daemonLines(daemons: readonly DaemonStatus[], rates: Rates): ShownLine[] {
  const head = ["DAEMON", "STATE", "CLOCK", "ROUND TRIP", "ENTRIES", "A SECOND", "WAITING"];
  const rows = daemons.map((daemon) => [
    clip(daemon.address, ADDRESS_CHARS),
    daemon.state ?? daemon.stage ?? "-",
    milliseconds(daemon.clockDifference),
    milliseconds(daemon.roundTrip),
    count(daemon.timeline?.entries),
    count(daemon.timeline === null ? undefined : rates.of(daemon.address).at(-1)),
    count(daemon.timeline?.waiting),
  ]);
  return tableLines([head, ...rows], (row) => (daemons[row]?.state === "live" ? "plain" : "bad"));
}

function timelineLines(daemons: readonly DaemonStatus[], rates: Rates, now: number): ShownLine[] {
  const shown = daemons.flatMap(({ address, timeline }) =>
    timeline === null ? [] : [{ address, timeline }],
  );
  const head = ["TIMELINE OF", "NEWEST", "FINAL", "TAIL", "REDONE", "RECORDED A SECOND"];
  const rows = shown.map(({ address, timeline }) => [
    clip(address, ADDRESS_CHARS),
    ago(timeline.newest, now),
    ago(timeline.stable, now),
    count(timeline.tailUnits),
    count(timeline.redone),
    bars(rates.of(address)),
  ]);
  return rows.length === 0 ? [] : tableLines([head, ...rows], () => "plain");
}

function memberLines(daemons: readonly DaemonStatus[]): ShownLine[] {
  const shown = daemons.flatMap(({ address, timeline }) =>
    (timeline?.members ?? [])
      .filter(({ connection }) => connection !== "self")
      .map((member) => ({ address, member })),
  );
  const head = ["SEEN BY", "MEMBER", "STATE", "LAG", "CLOCK", "HEARD", "SAME"];
  const isAway = (index: number) => shown[index]?.member.connection !== "connected";
  const rows = shown.map(({ address, member }, index) => [
    clip(address, ADDRESS_CHARS),
    clip(member.address, ADDRESS_CHARS),
    isAway(index) ? "away" : (member.state ?? "-"),
    isAway(index) ? "-" : count(member.lag + member.behind),
    isAway(index) ? "-" : milliseconds(member.skew),
    member.lastHeard === null ? "-" : `${Math.round(member.lastHeard / MS_PER_SECOND)} s ago`,
    member.equal === null || isAway(index) ? "-" : member.equal ? "yes" : "no",
  ]);
  return rows.length === 0 ? [] : tableLines([head, ...rows], (row) => (isAway(row) ? "bad" : "plain"));
}

function troubleLines(
  all: readonly Pick<DaemonStatus, "address" | "problems" | "remarks">[],
  daemons: readonly DaemonStatus[],
  columns: number,
): ShownLine[] {
  const found = all.flatMap(({ address, problems, remarks }) => [
    ...problems.map(({ text, fix }) => line(`FAIL  ${address}: ${text}; ${fix}`, "bad")),
    ...remarks.map(({ text, fix }) => line(`WARN  ${address}: ${text}; ${fix}`, "warn")),
  ]);
  const notes = new Set(daemons.flatMap(({ timelineNote }) => timelineNote ?? []));
  const said = [...found, ...[...notes].map((note) => line(`(${note})`))];
  const whole = said.flatMap(({ text, tone }) => wrapped(text, columns).map((part) => line(part, tone)));
  return whole.length === 0 ? [] : [line(""), ...whole];
}

/** An empty line, the head and the rows. @param toneOf  of a row, the first is 0 */
function tableLines(
  rows: readonly (readonly string[])[],
  toneOf: (row: number) => ShownLine["tone"],
): ShownLine[] {
  const [head = "", ...others] = formatTable(rows).trimEnd().split("\n");
  return [line(""), line(head, "head"), ...others.map((text, row) => line(text, toneOf(row)))];
}

/** At blanks, further lines with an indent. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let rest = "";
  for (const word of text.split(" ")) {
    const longer = rest === "" ? word : `${rest} ${word}`;
    if (longer.length <= columns || rest.trim() === "") rest = longer;
    else {
      lines.push(rest);
      rest = `      ${word}`;
    }
  }
  return [...lines, rest];
}

/** Its end is what tells addresses apart less often. */
export function clip(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, Math.max(0, chars - 1))}…`;
}

export function bars(values: readonly number[]): string {
  const most = Math.max(...values, 1);
  return values.map((value) => BARS[Math.round((value / most) * (BARS.length - 1))]).join("");
}

function count(value: number | undefined): string {
  return value === undefined ? "-" : Math.round(value).toLocaleString("en");
}

function milliseconds(value: number | null): string {
  return value === null ? "-" : `${Math.abs(value) < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}

function ago(at: number, now: number): string {
  return at === 0 ? "-" : `${Math.round((now - at) / MS_PER_SECOND)} s ago`;
}
