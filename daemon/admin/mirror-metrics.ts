/** Metrics of the Redis that follows the fold. */
import type { MirrorFigures } from "../../engine/mirror/mirror-parts.js";
import { type ValueRow, whereThere } from "./metric-row.js";

/** One number, and none without a mirror. */
function ofMirror(type: ValueRow["type"], help: string, read: (figures: MirrorFigures) => number): ValueRow {
  return {
    type,
    labels: [],
    help,
    read: ({ replica }) =>
      whereThere(replica(), ({ mirror }) => (mirror === null ? [] : [{ labels: {}, value: read(mirror) }])),
  };
}

export const MIRROR_METRICS: Readonly<Record<string, ValueRow>> = {
  dbsyncd_mirror_connected: ofMirror(
    "gauge",
    "1 while the mirror can be written to, else 0.",
    ({ state, trouble }) => Number(state !== "connecting" && state !== "refused" && trouble === null),
  ),
  dbsyncd_mirror_level: ofMirror(
    "gauge",
    "1 while the mirror has all that the daemon has, as far as it knows, else 0.",
    ({ state }) => Number(state === "level"),
  ),
  dbsyncd_mirror_dirty_keys: ofMirror(
    "gauge",
    "Keys that wait to be written to the mirror; bounded by --mirror-keys.",
    ({ dirty }) => dirty,
  ),
  dbsyncd_mirror_written_keys_total: ofMirror(
    "counter",
    "Keys that were written to the mirror, or removed from it.",
    ({ written }) => written,
  ),
  dbsyncd_mirror_refused_keys_total: ofMirror(
    "counter",
    "Keys that the mirror did not take: the log says why.",
    ({ refused }) => refused,
  ),
  dbsyncd_mirror_foreign_keys_total: ofMirror(
    "counter",
    "Keys that others were heard to have changed in the mirror, and that were written anew; 0 unless something is wrong.",
    ({ foreign }) => foreign,
  ),
  dbsyncd_mirror_different_keys_total: ofMirror(
    "counter",
    "Keys that comparisons found different in the mirror, and that were written anew.",
    ({ different }) => different,
  ),
  dbsyncd_mirror_comparing: ofMirror(
    "gauge",
    "1 while all of the mirror is compared, else 0.",
    ({ comparing }) => Number(comparing !== null),
  ),
};
