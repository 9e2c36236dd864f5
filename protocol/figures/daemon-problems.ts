/** The problems of a daemon outside its timeline, with remedies: sentences for dbsync doctor and the dashboard. */
import { DAEMON_STATES, rowOfState } from "../daemon-states.js";
import type { StateName } from "../state-names.js";
import type { Problem, Severity } from "./problem.js";

/** The number of stream messages that a daemon may be behind before this is a problem. The alert has the same limit. */
const BEHIND_MAX = 10_000;

/** The sentence about a daemon that is catching up. */
export const INCOMPLETE = DAEMON_STATES["catching-up"].problem.text;

/** Returns the problem of a backend that is down. @param name  the name of the database, or "" if it is unknown */
export const backendProblem = (name: string): Problem =>
  problem(
    `its database ${name} is down`.replace("  ", " "),
    "start it, or correct -d there; the daemon's log says why",
  );

/** Returns the problem that follows from a daemon's state, or none. @param state  the state in the daemon's hello */
export function stateProblems(state: string): Problem[] {
  const row = rowOfState(state);
  if (row === null)
    return [problem(`it reports the unknown state ${state}`, "update this program to the daemon's version")];
  return row.problem === null ? [] : [{ ...row.problem, isOfMember: false }];
}

/** The states whose problem the diagnosis of the daemon's timeline reports too, with the reason. */
const DIAGNOSED_STATES: ReadonlySet<string> = new Set<StateName>([
  "clock-off",
  "storage-failed",
  "outdated",
  "not-listed",
  "revoked",
  "unauthorized",
]);

/** The reports of a daemon that describe a problem more precisely than its state. */
export interface PreciseReports {
  readonly hasTimeline: boolean;
  readonly isDatabaseNamed: boolean;
  readonly isStreamNamed: boolean;
}

/** Whether another report describes the problem of a state more precisely. */
export function isDescribedElsewhere(state: string, reports: PreciseReports): boolean {
  if (state === "database-down") return reports.isDatabaseNamed;
  if (state === "order-unavailable") return reports.isStreamNamed;
  return reports.hasTimeline && DIAGNOSED_STATES.has(state);
}

/** The state of the stream that orders a daemon's writes. `trouble` says why the stream cannot be used, or is null. */
export interface DiagnosedOrder {
  readonly trouble: string | null;
  readonly behind: number;
  /** The bytes on the disk of the data folder, if it is nearly full; otherwise null. */
  readonly lowDisk: { readonly free: number; readonly size: number } | null;
}

/** Returns the problems of a daemon with --order. */
export function orderProblems({ trouble, behind, lowDisk }: DiagnosedOrder): Problem[] {
  const found: Problem[] = [];
  if (trouble !== null) {
    const cure = "check its NATS servers and the daemon's log: until this is fixed, no writes are possible";
    found.push(problem(`the stream of its --order: ${trouble}`, cure));
  } else if (behind > BEHIND_MAX) {
    const text = `it is ${behind} messages behind the stream of its --order`;
    found.push(problem(text, "see dbsync top, and its log", "progress"));
  }
  if (lowDisk !== null) {
    const cure =
      "free space there, or move its data folder to a larger disk; on a full disk it makes no snapshots of the stream";
    found.push(problem(lowDiskText(lowDisk.free, lowDisk.size), cure, "remark"));
  }
  return found;
}

/** Returns the sentence about a disk that is nearly full. @param free  bytes, like `size` */
export const lowDiskText = (free: number, size: number): string =>
  `its disk is nearly full: ${mebibytes(free)} of ${mebibytes(size)} MiB are free`;

const mebibytes = (bytes: number): number => Math.floor(bytes / 1024 ** 2);

function problem(text: string, fix: string, severity: Severity = "problem"): Problem {
  return { text, fix, severity, isOfMember: false };
}
