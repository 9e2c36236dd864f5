/** The problems of a daemon outside its timeline, with remedies: sentences for dbsync doctor and the dashboard. */
import type { Problem, Severity } from "./problem.js";

/** The number of stream messages that a daemon may be behind before this is a problem. The alert has the same limit. */
const BEHIND_MAX = 10_000;

export const INCOMPLETE = "it is catching up";

/** Returns the problem of a backend that is down. @param name  the name of the database, or "" if it is unknown */
export const backendProblem = (name: string): Problem =>
  problem(
    `its database ${name} is down`.replace("  ", " "),
    "start it, or correct -d there; the daemon's log says why",
  );

/** Returns the problems that follow from a daemon's state. @param state  the state in the daemon's hello */
export function stateProblems(state: string): Problem[] {
  if (state === "catching-up")
    return [problem(INCOMPLETE, "its log shows its progress, or that its disk has failed", "progress")];
  if (state === "isolated")
    return [
      problem(
        "it is cut off from most of its peers, or from the stream of --order",
        "start the peers that are down, or repair the network between them; with --order, check the NATS servers",
      ),
    ];
  return [];
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
