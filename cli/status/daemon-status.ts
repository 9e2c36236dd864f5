/** The status of one daemon. */

import type { Problem } from "../../protocol/figures/problem.js";
import type { ShownDaemon } from "./daemon-report.js";
import type { TimelineStatus } from "./timeline-status.js";

/** A daemon, as --json prints it. Ids are hexadecimal, times milliseconds; null: not known. */
export interface DaemonStatus extends ShownDaemon {
  /** Number of daemons with which it exchanges commands; null: it has no timeline, or speaks version 1 only. */
  readonly members: number | null;
  readonly detail: string | null;
  /** The report of its timeline and members; null: it has none, or does not report it. */
  readonly timeline: TimelineStatus | null;
  /** The reason why the report is not complete. */
  readonly timelineNote: string | null;
  /** Problems, which an operator must fix. */
  readonly problems: readonly Problem[];
  /** Remarks about states that may be intended. */
  readonly remarks: readonly Problem[];
  /** Work that ends by itself, such as catching up; each with what to do if it does not. */
  readonly progress: readonly Problem[];
}
