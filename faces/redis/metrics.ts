/** The metrics of --resp. */
import { labelled, type MetricTable, metricMaker } from "../../daemon/net/process/metric-rows.js";
import type { MetricSources } from "../../daemon/program/inspection/inspected-daemon.js";

/** The call counts of one command family since the start. */
export interface FamilyCounts {
  /** The name of the ACL category, without its `@`. */
  readonly family: string;
  readonly calls: number;
  /** The number of calls that were answered with an error. */
  readonly failed: number;
  /** The total running time in seconds. */
  readonly seconds: number;
}

declare module "../../daemon/listener/daemon-listener.js" {
  interface FaceFigures {
    /** Returns clients' calls by command family. */
    readonly families?: () => readonly FamilyCounts[];
  }
}

/** For each family of commands that clients have called. */
const perFamily = metricMaker(["family"], ({ families }: MetricSources) =>
  labelled("family", families?.() ?? [], ({ family }) => family),
);

export const METRICS: MetricTable<MetricSources> = {
  dbsyncd_resp_commands_total: perFamily(
    "counter",
    "Commands of --resp, by family (string, hash, list, …).",
    ({ calls }) => calls,
  ),
  dbsyncd_resp_failed_commands_total: perFamily(
    "counter",
    "Commands of --resp that returned an error, by family.",
    ({ failed }) => failed,
  ),
  dbsyncd_resp_command_seconds_total: perFamily(
    "counter",
    "Total running time of commands of --resp, by family.",
    ({ seconds }) => seconds,
  ),
};
