/** What is known of one daemon. */

import type { Problem } from "../../protocol/figures/problem.js";
import type { ShownDaemon } from "./daemon-report.js";
import type { TimelineStatus } from "./timeline-status.js";

/** One daemon, as --json prints it. Ids are hexadecimal, times milliseconds; null: not known. */
export interface DaemonStatus extends ShownDaemon {
  /** How many other daemons it exchanges commands with; null: it has no timeline, or speaks version 1 only. */
  readonly members: number | null;
  readonly detail: string | null;
  /** What it says of its timeline and members; null: it has none, or does not tell. */
  readonly timeline: TimelineStatus | null;
  /** Why it does not tell all. */
  readonly timelineNote: string | null;
  /** What is wrong. */
  readonly problems: readonly Problem[];
  /** What need not be wrong. */
  readonly remarks: readonly Problem[];
  /** What ends by itself, such as catching up; each with what to do if it does not. */
  readonly progress: readonly Problem[];
}
