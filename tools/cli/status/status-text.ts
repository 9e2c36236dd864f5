/** Formats the output of `dbsync status`: a line for the cluster, tables, and the problems. */
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { painted, shown, type Tone } from "../../../daemon/net/terminal/terminal-text.js";
import { wrapped } from "../../../daemon/net/terminal/text-table.js";
import type { Severity } from "../../../protocol/figures/problem.js";
import type { DaemonStatus } from "./read-status.js";
import {
  type Column,
  DAEMON_COLUMNS,
  decisionColumns,
  FIGURE_COLUMNS,
  formatDaemons,
  formatTimelines,
  MEMBER_COLUMNS,
  ORDER_COLUMNS,
  type ShownTimeline,
  timelineColumns,
} from "./report-tables.js";

/**
 * Formats the status of all daemons.
 * @param columns  the maximum width of tables
 * @param isWrapped  whether to wrap sentences, as on a terminal; otherwise each is a line
 */
export function formatStatus(daemons: readonly DaemonStatus[], columns: number, isWrapped: boolean): string {
  const timelines = formatTimelines(timelinesOf(daemons), realEnvironment.wallClock(), columns);
  const tables = `${summaryOf(daemons)}\n\n${formatDaemons(daemons, columns)}${timelines}${masterText(daemons)}`;
  const sentences = sentencesOf(daemons).flatMap(({ text, tone }) =>
    (isWrapped ? wrapped(shown(text), columns) : [shown(text)]).map((line) => `${painted(line, tone)}\n`),
  );
  return sentences.length === 0 ? tables : `${tables}\n${sentences.join("")}`;
}

/** Returns a line that says how many daemons are ready, and whether nothing else has to be read. */
function summaryOf(daemons: readonly DaemonStatus[]): string {
  const text = failingText(daemons) === null ? `${readyText(daemons)}, no problems` : readyText(daemons);
  return painted(text, daemons.every(isReady) ? "plain" : "bad");
}

/** Says which daemon sentinels name as the master, or each answer if the daemons differ; "" if there is no sentinel. */
function masterText(daemons: readonly DaemonStatus[]): string {
  const answers = timelinesOf(daemons).filter(({ timeline }) => timeline.isMaster !== null);
  const ids = [...new Set(answers.map(({ timeline }) => timeline.masterId))];
  const lines = ids.map((id) => {
    const naming = answers.filter(({ timeline }) => timeline.masterId === id);
    const named = daemons.find(({ daemon }) => id !== null && daemon === id)?.address ?? "";

    // A daemon that listens on all addresses does not know its own as clients see it.
    const [first = null] = naming
      .map(({ timeline }) => timeline.master)
      .sort()
      .toReversed();
    const name =
      first === null ? "none, because no daemon accepts writes" : `${named} (Redis clients: ${first})`;
    const by = ids.length === 1 ? "" : `, according to ${naming.map(({ address }) => address).join(", ")}`;
    return `Master that sentinels name: ${shown(name.trim())}${by}\n`;
  });

  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}

/** Returns the timelines that were read. */
export const timelinesOf = (daemons: readonly DaemonStatus[]): readonly ShownTimeline[] =>
  daemons.flatMap(({ address, daemon, state, timeline }) =>
    timeline === null ? [] : [{ address, daemon, state, timeline }],
  );

export interface Sentence {
  readonly text: string;
  readonly tone: Tone;
}

/**
 * Returns problems, remarks, work in progress, and the reasons for missing reports. The texts may contain control
 * characters.
 */
export function sentencesOf(daemons: readonly DaemonStatus[]): readonly Sentence[] {
  const found = daemons.flatMap(({ address, problems, remarks }): Sentence[] => [
    ...problems.map(({ text, fix }) => ({ text: `FAIL  ${address}: ${text}; ${fix}`, tone: "bad" as const })),
    ...remarks
      .filter(({ severity }) => severity !== "note")
      .map(({ text, fix }) => ({ text: `WARN  ${address}: ${text}; ${fix}`, tone: "warn" as const })),
  ]);
  const progress = progressText(daemons);
  const waits = progress === null ? [] : [{ text: `WAIT  ${progress}`, tone: "warn" as const }];
  const missing = new Set(daemons.flatMap(({ timelineNote }) => timelineNote ?? []));
  const plain = [...notesOf(daemons), ...[...missing].map((note) => `(${note})`)];
  return [...found, ...waits, ...plain.map((text) => ({ text, tone: "plain" as const }))];
}

/** Returns the notes, each once with all daemons that it concerns. */
function notesOf(daemons: readonly DaemonStatus[]): readonly string[] {
  const addresses = new Map<string, string[]>();
  for (const { address, remarks } of daemons)
    for (const { text, fix, severity } of remarks) {
      const sentence = `${text}; ${fix}`;
      if (severity === "note") addresses.set(sentence, [...(addresses.get(sentence) ?? []), address]);
    }
  return [...addresses].map(([sentence, all]) => `NOTE  ${all.join(", ")}: ${sentence}`);
}

/** Whether a daemon is ok and has no work in progress; work of its members does not count. */
const isReady = ({ ok, progress }: DaemonStatus): boolean =>
  ok && progress.every(({ isOfMember }) => isOfMember);

/** Describes how many of the daemons are ready. */
export const readyText = (daemons: readonly DaemonStatus[]): string =>
  `${daemons.filter(isReady).length} of ${daemons.length} ready`;

/** Describes the work in progress in one line, with the first item of each daemon. Returns null if there is none. */
export const progressText = (daemons: readonly DaemonStatus[]): string | null =>
  inOneLine(daemons, ["progress"]);

/** Describes in one line what `dbsync status --wait` waits for. Waiting does not remove a warning. Null: nothing. */
export const waitingText = (daemons: readonly DaemonStatus[]): string | null =>
  inOneLine(daemons, ["problem", "progress"]);

/** Describes in one line what makes `dbsync status` fail. Returns null if there is nothing. */
export const failingText = (daemons: readonly DaemonStatus[]): string | null =>
  inOneLine(daemons, ["problem", "progress", "remark"]);

/** Describes the findings of some severities, with the first one of each daemon. Returns null if there are none. */
function inOneLine(daemons: readonly DaemonStatus[], severities: readonly Severity[]): string | null {
  const parts = daemons.flatMap((daemon) => {
    const found = [...daemon.problems, ...daemon.progress, ...daemon.remarks];
    const [first, ...others] = found.filter(({ severity }) => severities.includes(severity));
    if (first === undefined) return [];
    const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
    return [`${daemon.address}: ${first.text}${more}`];
  });
  return parts.length === 0 ? null : [readyText(daemons), ...parts].join("; ");
}

const TABLES: readonly (readonly [title: string, columns: readonly Column<never>[]])[] = [
  ["For each daemon", DAEMON_COLUMNS],
  ["For each daemon, with an administrator's key", FIGURE_COLUMNS],
  ["For daemons with --order, with an administrator's key", ORDER_COLUMNS],
  ["For daemons with --data or --peer, with an administrator's key", timelineColumns(0, true)],
  ["For those of them that take part in decisions on conditions", decisionColumns(0)],
  ["For the members of such daemons, as each daemon reports them", MEMBER_COLUMNS],
];

/** Describes the columns of all tables, for `dbsync status --explain`. @param columns  the maximum width of lines */
export function explanation(columns: number): string {
  return TABLES.map(
    ([title, described]) => `${painted(title, "head")}\n${columnLines(described, columns)}`,
  ).join("\n");
}

/** Formats a line for each column of a table. */
export function columnLines(described: readonly Column<never>[], columns: number): string {
  const width = Math.max(...described.map(({ head }) => head.length));
  return described
    .flatMap(({ head, about }) => wrapped(`${head.padEnd(width)}  ${about}`, columns))
    .map((line) => `${line}\n`)
    .join("");
}
