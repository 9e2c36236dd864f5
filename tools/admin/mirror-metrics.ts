/** Metrics of the state of the mirror; figure-metrics.ts has its counts. */
import type { MirrorReport } from "../../protocol/figures/timeline-figures.js";
import { samplesOf, type ValueRow } from "./metric-row.js";

/** Returns a metric with a single number, absent without a mirror. */
function ofMirror(type: ValueRow["type"], help: string, read: (figures: MirrorReport) => number): ValueRow {
  return {
    type,
    labels: [],
    help,
    read: ({ replica }) =>
      samplesOf(replica(), ({ mirror }) => (mirror === null ? [] : [{ labels: {}, value: read(mirror) }])),
  };
}

export const MIRROR_STATES: Readonly<Record<string, ValueRow>> = {
  dbsyncd_mirror_connected: ofMirror(
    "gauge",
    "1 while the mirror can be written, otherwise 0.",
    ({ state, trouble }) => Number(state !== "connecting" && state !== "refused" && trouble === null),
  ),
  dbsyncd_mirror_level: ofMirror(
    "gauge",
    "1 while the mirror has all data of the daemon, as far as the daemon knows, otherwise 0.",
    ({ state }) => Number(state === "level"),
  ),
  dbsyncd_mirror_comparing: ofMirror(
    "gauge",
    "1 during a comparison of the complete mirror, otherwise 0.",
    ({ comparing }) => Number(comparing !== 0),
  ),
};
