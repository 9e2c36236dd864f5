/**
 * The problems of a daemon's timeline without key names and ids, which only administrators may see. The command that
 * authorizes the daemon's own key is complete, because its public key reveals nothing about users.
 */

import type { Problem } from "./problem.js";
import type { TimelineReport } from "./timeline-figures.js";
import { diagnose, diagnosed, FOREIGN_KEY } from "./timeline-problems.js";

const HIDDEN_KEY = "(dbsync doctor names it)";
/** The id of a key or a daemon, complete or shortened. */
const ID = /(?:ed25519:|rsa:)\S+|\b[0-9a-f]{12,}\b/gi;

/** Returns the problems. @param now  milliseconds since 1970 */
export function publicProblems(report: TimelineReport, now: number): Problem[] {
  const hidden = {
    ...report,
    differing: report.differing.map((difference) => ({ ...difference, key: HIDDEN_KEY })),
  };
  const { problems, remarks, progress } = diagnose(diagnosed(hidden), { others: [], now });
  const { authorize } = report;
  const isOwnKey = (fix: string) =>
    authorize !== null && authorize !== FOREIGN_KEY && fix.endsWith(` ${authorize}`);
  return [...problems, ...remarks, ...progress].map((problem) => ({
    ...problem,
    text: problem.text.replace(ID, "…"),
    fix: isOwnKey(problem.fix) ? problem.fix : problem.fix.replace(ID, "…"),
  }));
}
