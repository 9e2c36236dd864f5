/** Reports to users whether the daemons changed their key rings. */
import { DbsyncError, type Outcome } from "../../client/shared/errors.js";
import { EXIT } from "../shared/exit-codes.js";
import { outcomeLine, printJson, printLine } from "../shared/output.js";

/** The beginning of a refusal of an envelope that the daemon already has. */
const TAKEN_BEFORE = "answer-not-kept:";

/** Prints the outcome of a change. @throws DbsyncError  no daemon has applied it */
export function reportChange(
  flags: { readonly json?: boolean },
  outcomes: readonly Outcome[],
  done: (value: string) => string,
): void {
  const first = outcomes.find(({ status }) => status === "ok");
  // A daemon may have received it from another one, and restarted before it arrived from here.
  const isThere = (outcome: Outcome) =>
    first !== undefined && outcome.status === "failed" && outcome.detail.startsWith(TAKEN_BEFORE);
  const failed = outcomes.filter(
    (outcome): outcome is Extract<Outcome, { status: "failed" }> =>
      outcome.status === "failed" && !isThere(outcome),
  );
  if (failed.length === outcomes.length) {
    if (!failed.every(({ stage }) => stage === "reply"))
      throw new DbsyncError("all-failed", "", { outcomes });
    const isSame = new Set(failed.map(({ detail }) => detail)).size === 1;
    const details = isSame
      ? failed[0]?.detail
      : failed.map(({ address, detail }) => `${address}: ${detail}`).join("; ");
    throw new DbsyncError("reply", details ?? "", { outcomes });
  }
  if (flags.json) printJson({ done: failed.length === 0, outcomes });
  else if (failed.length === 0) {
    const value = first?.status === "ok" ? (first.value ?? "") : "";
    printLine(`${done(value)}${outcomes.length > 1 ? `, on all ${outcomes.length} daemons` : ""}`);
  } else {
    for (const outcome of outcomes) printLine(outcomeLine(outcome));
    const denied = failed.filter(({ stage }) => stage === "reply").map(({ address }) => address);
    printLine(
      denied.length === 0
        ? "Not all daemons did it. The same again does no harm to those that have."
        : `Not all daemons did it: ${denied.join(", ")} answered an error, and will again. dbsync keys list shows where they differ.`,
    );
  }
  if (failed.length > 0) process.exitCode = EXIT.failed;
}
