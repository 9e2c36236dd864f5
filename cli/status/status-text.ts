/** What `dbsync status` prints for people: tables, and below them what is wrong. */
import { realEnvironment } from "../../client/shared/environment.js";
import { painted, type Tone } from "../../net/terminal/colours.js";
import { shown } from "../../net/terminal/shown-text.js";
import { wrapped } from "../../net/terminal/table.js";
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

/** What is wrong, what need not be, and why more is not known. As it came: not yet to be shown. */
export function sentencesOf(
  daemons: readonly Pick<DaemonStatus, "address" | "problems" | "remarks" | "timelineNote">[],
): readonly Sentence[] {
  const found = daemons.flatMap(({ address, problems, remarks }): Sentence[] => [
    ...problems.map(({ text, fix }) => ({ text: `FAIL  ${address}: ${text}; ${fix}`, tone: "bad" as const })),
    ...remarks.map(({ text, fix }) => ({ text: `WARN  ${address}: ${text}; ${fix}`, tone: "warn" as const })),
  ]);
  const notes = new Set(daemons.flatMap(({ timelineNote }) => timelineNote ?? []));
  return [...found, ...[...notes].map((note) => ({ text: `(${note})`, tone: "plain" as const }))];
}
