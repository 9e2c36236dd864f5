/** The problems of a daemon's timeline without key names and ids, which only administrators may see. */

import type { Problem } from "./problem.js";
import type { TimelineReport } from "./timeline-figures.js";
import { diagnose, diagnosed } from "./timeline-problems.js";

const HIDDEN_KEY = "(dbsync doctor names it)";
const HIDDEN_COMMAND = "CLUSTER ADD … (dbsync doctor shows it)";
/** The id of a key or a daemon, complete or shortened. */
const ID = /(?:ed25519:|rsa:)\S+|\b[0-9a-f]{12,}\b/gi;

/** Returns the problems. @param now  milliseconds since 1970 */
export function publicProblems(report: TimelineReport, now: number): Problem[] {
  const hidden = {
    ...report,
    differing: report.differing.map((difference) => ({ ...difference, key: HIDDEN_KEY })),
    authorize: report.authorize === null ? null : HIDDEN_COMMAND,
  };
  const { problems, remarks, progress } = diagnose(diagnosed(hidden), { others: [], now });
  return [...problems, ...remarks, ...progress].map((problem) => ({
    ...problem,
    text: problem.text.replace(ID, "…"),
    fix: problem.fix.replace(ID, "…"),
  }));
}
