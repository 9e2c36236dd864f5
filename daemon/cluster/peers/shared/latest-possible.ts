/** The limit of the dates that members report. */
import { DATE_WINDOW_MAX } from "../../../options/timeline-values.js";
import type { ClusterState } from "./cluster-state.js";

/**
 * Returns a date that no member with a correct clock reports as `latest`, or a later one: milliseconds since 1970. It
 * accepts dates up to the widest window after its clock, which differs from this daemon's by at most twice the
 * permitted difference from the median. If this daemon's clock was set back, its watermark shows the time before.
 */
export function latestPossible({
  timeline,
  clock,
  limits,
}: Pick<ClusterState, "timeline" | "clock" | "limits">): number {
  return Math.max(Math.floor(clock()), timeline.published) + DATE_WINDOW_MAX + 2 * limits.skewMs;
}
