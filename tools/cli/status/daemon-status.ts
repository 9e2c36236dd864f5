/** The status of one daemon. */

import type { Problem } from "../../../protocol/figures/problem.js";
import type { ShownDaemon } from "./daemon-report.js";
import type { TimelineStatus } from "./read-timeline-status.js";

/** The status of a daemon as --json prints it. Ids are hexadecimal, times in milliseconds, unknown values null. */
export interface DaemonStatus extends ShownDaemon {
  /**
   * Number of daemons with which this daemon exchanges commands, or null if it has no timeline or speaks only version
   * 1.
   */
  readonly members: number | null;
  readonly detail: string | null;
  /** The daemon's report on its timeline and members, or null if it has no timeline or does not report it. */
  readonly timeline: TimelineStatus | null;
  /** The reason why the report is incomplete, or null if it is complete. */
  readonly timelineNote: string | null;
  /** Problems that an operator must fix. */
  readonly problems: readonly Problem[];
  /** Remarks about states that may be intended. */
  readonly remarks: readonly Problem[];
  /** Work in progress, such as catching up, with advice in case it does not end. */
  readonly progress: readonly Problem[];
}
