/** The metrics of the mirror. */
import { figureMetrics, type MetricTable, metricMaker, only } from "../../daemon/net/process/metric-rows.js";
import type { MetricSources } from "../../daemon/program/inspection/inspected-daemon.js";
import { MIRROR_FIGURES } from "../../protocol/figures/timeline-figures.js";

const mirror = ({ replica }: MetricSources) => only(replica()?.mirror ?? null);
const ofMirror = metricMaker([], mirror);

export const METRICS: MetricTable<MetricSources> = {
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
  ...figureMetrics(MIRROR_FIGURES, [], mirror),
};
