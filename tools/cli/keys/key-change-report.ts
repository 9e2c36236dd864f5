/** Reports whether the daemons changed their key rings. */
import { DbsyncError, type Outcome } from "../../../client/shared/errors.js";
import { EXIT } from "../shared/exit-codes.js";
import { outcomeLine, printJson, printLine } from "../shared/output.js";

/** The beginning of the error for an envelope that the daemon already has. */
const ALREADY_APPLIED = "answer-not-kept:";

/** Prints the outcome of a change. @throws DbsyncError  no daemon has applied it */
export function reportKeyChange(
  flags: { readonly json?: boolean },
  outcomes: readonly Outcome[],
  done: (value: string) => string,
): void {
  const first = outcomes.find(({ status }) => status === "ok");
  // A daemon may have received the envelope from a peer and restarted before the client's copy arrived.
  const isApplied = (outcome: Outcome) =>
    first !== undefined && outcome.status === "failed" && outcome.detail.startsWith(ALREADY_APPLIED);
  const failed = outcomes.filter(
    (outcome): outcome is Extract<Outcome, { status: "failed" }> =>
      outcome.status === "failed" && !isApplied(outcome),
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
        ? "Not all daemons made the change. You may repeat the command: the other daemons ignore the repetition."
        : `Not all daemons made the change: ${denied.join(", ")} refused it, and would refuse it again. dbsync keys list shows the differences.`,
    );
  }
  if (failed.length > 0) process.exitCode = EXIT.failed;
}
