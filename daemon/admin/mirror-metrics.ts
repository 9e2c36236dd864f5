/** Metrics of the state of the Redis that follows the fold; its counts are in figure-metrics.ts. */
import type { MirrorReport } from "../../protocol/figures/timeline-figures.js";
import { type ValueRow, whereThere } from "./metric-row.js";

/** One number, and none without a mirror. */
function ofMirror(type: ValueRow["type"], help: string, read: (figures: MirrorReport) => number): ValueRow {
  return {
    type,
    labels: [],
    help,
    read: ({ replica }) =>
      whereThere(replica(), ({ mirror }) => (mirror === null ? [] : [{ labels: {}, value: read(mirror) }])),
  };
}

export const MIRROR_STATES: Readonly<Record<string, ValueRow>> = {
  dbsyncd_mirror_connected: ofMirror(
    "gauge",
    "1 while the mirror can be written to, otherwise 0.",
    ({ state, trouble }) => Number(state !== "connecting" && state !== "refused" && trouble === null),
  ),
  dbsyncd_mirror_level: ofMirror(
    "gauge",
    "1 while the mirror has all data of the daemon, as far as the daemon knows, otherwise 0.",
    ({ state }) => Number(state === "level"),
  ),
  dbsyncd_mirror_comparing: ofMirror(
    "gauge",
    "1 while all of the mirror is compared, otherwise 0.",
    ({ comparing }) => Number(comparing !== 0),
  ),
};
