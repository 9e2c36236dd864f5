/** A daemon's problems outside its timeline, and what to do about each: sentences for dbsync doctor and the dashboard. */
import type { Problem, Severity } from "./problem.js";

/** Messages of a stream by which a daemon may be late without a problem; the alarm uses the same number. */
const BEHIND_MAX = 10_000;

export const INCOMPLETE = "it is catching up";

/** @param name  the database's name; "": unknown */
export const backendProblem = (name: string): Problem =>
  problem(
    `its database ${name} is down`.replace("  ", " "),
    "start it, or correct -d there; the daemon's log says why",
  );

/** @param state  the state in the daemon's hello */
export function stateProblems(state: string): Problem[] {
  if (state === "catching-up")
    return [problem(INCOMPLETE, "its log says how far it is, or that its disk has failed", "progress")];
  if (state === "isolated")
    return [problem("it is cut off from most of its peers, or from the stream of --order", "see its log")];
  return [];
}

/** The state of the stream that orders a daemon's writes. `trouble`: why it cannot be read or written; null: nothing is wrong. */
export interface DiagnosedOrder {
  readonly trouble: string | null;
  readonly behind: number;
}

/** Returns what is wrong with the stream of --order; null: nothing. */
export function orderProblem({ trouble, behind }: DiagnosedOrder): Problem | null {
  if (trouble !== null) {
    const cure = "look at its NATS servers, and at the daemon's log: nothing is written meanwhile";
    return problem(`the stream of its --order: ${trouble}`, cure);
  }
  if (behind <= BEHIND_MAX) return null;
  const text = `it is ${behind} messages behind the stream of its --order`;
  return problem(text, "see dbsync top, and its log", "progress");
}

function problem(text: string, fix: string, severity: Severity = "problem"): Problem {
  return { text, fix, severity, isOfMember: false };
}
