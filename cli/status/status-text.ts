/** What `dbsync status` prints for people: tables, and below them what is wrong. */
import { realEnvironment } from "../../client/shared/environment.js";
import { painted, type Tone } from "../../net/terminal/colours.js";
import { shown } from "../../net/terminal/shown-text.js";
import { wrapped } from "../../net/terminal/table.js";
import type { Problem } from "../../protocol/figures/problem.js";
import { formatDaemons } from "./daemon-report.js";
import type { DaemonStatus } from "./daemon-status.js";
import { formatTimelines } from "./timeline-report.js";

export interface Paper {
  /** How wide tables may be. */
  readonly columns: number;
  /** Sentences are broken to fit a terminal; in a pipe each is a line. */
  readonly stream: Pick<NodeJS.WriteStream, "isTTY">;
}

export function formatStatus(daemons: readonly DaemonStatus[], { columns, stream }: Paper): string {
  const told = daemons.flatMap(({ address, timeline }) => (timeline === null ? [] : [{ address, timeline }]));
  const timelines = formatTimelines(told, realEnvironment.wallClock(), columns);
  const tables = `${formatDaemons(daemons, columns)}${timelines}`;
  const sentences = sentencesOf(daemons).flatMap(({ text, tone }) =>
    (stream.isTTY ? wrapped(shown(text), columns) : [shown(text)]).map((line) => `${painted(line, tone)}\n`),
  );
  return sentences.length === 0 ? tables : `${tables}\n${sentences.join("")}`;
}

export interface Sentence {
  readonly text: string;
  readonly tone: Tone;
}

/** What the sentences are made of. */
type Found = Pick<DaemonStatus, "address" | "ok" | "problems" | "remarks" | "progress" | "timelineNote">;

/** What is wrong, what need not be, what ends by itself, and why more is not known. As it came: not yet to be shown. */
export function sentencesOf(daemons: readonly Found[]): readonly Sentence[] {
  const found = daemons.flatMap(({ address, problems, remarks }): Sentence[] => [
    ...problems.map(({ text, fix }) => ({ text: `FAIL  ${address}: ${text}; ${fix}`, tone: "bad" as const })),
    ...remarks.map(({ text, fix, severity }) =>
      severity === "note"
        ? { text: `NOTE  ${address}: ${text}; ${fix}`, tone: "plain" as const }
        : { text: `WARN  ${address}: ${text}; ${fix}`, tone: "warn" as const },
    ),
  ]);
  const progress = progressText(daemons);
  const waits = progress === null ? [] : [{ text: `WAIT  ${progress}`, tone: "warn" as const }];
  const notes = new Set(daemons.flatMap(({ timelineNote }) => timelineNote ?? []));
  return [...found, ...waits, ...[...notes].map((note) => ({ text: `(${note})`, tone: "plain" as const }))];
}

/** Whether a daemon serves, and nothing about it is under way. */
const isReady = ({ ok, progress }: Found): boolean => ok && progress.every(({ isOfMember }) => isOfMember);

/** Returns how many of the daemons are ready. */
export const readyText = (daemons: readonly Found[]): string =>
  `${daemons.filter(isReady).length} of ${daemons.length} ready`;

/** Returns what is under way, in one line: of each daemon the first thing; null: nothing is. */
export const progressText = (daemons: readonly Found[]): string | null =>
  inOneLine(daemons, ({ progress }) => progress);

/** As `progressText`, with what is wrong: all that `dbsync status --wait` waits for. */
export const waitingText = (daemons: readonly Found[]): string | null =>
  inOneLine(daemons, ({ problems, progress, remarks }) => [
    ...problems,
    ...progress,
    ...remarks.filter(({ severity }) => severity !== "note"),
  ]);

function inOneLine(daemons: readonly Found[], of: (daemon: Found) => readonly Problem[]): string | null {
  const parts = daemons.flatMap((daemon) => {
    const [first, ...others] = of(daemon);
    if (first === undefined) return [];
    const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
    return [`${daemon.address}: ${first.text}${more}`];
  });
  return parts.length === 0 ? null : [readyText(daemons), ...parts].join("; ");
}
