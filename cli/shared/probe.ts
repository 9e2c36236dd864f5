/** Conclusions from the answer to a PING. */
import type { CallingClient } from "../../client/client.js";
import { DbsyncError, type Outcome } from "../../client/shared/errors.js";

/**
 * Whether a daemon has checked the signature and found the key in its ring, whose rules only deny the command: that proves
 * as well as an answer that it is alive.
 */
export function isDenied(outcome: Outcome): boolean {
  return outcome.status === "failed" && outcome.stage === "reply" && outcome.detail.startsWith("NOPERM");
}

/** Prints advice on standard error if daemons closed the connection after an unsigned command, as daemons with keys do. */
export function tellHint(isUnsigned: boolean, outcomes: readonly Outcome[]): void {
  const isClosed = (outcome: Outcome) => outcome.status === "failed" && outcome.stage === "no-reason";
  if (!isUnsigned || !outcomes.some(isClosed)) return;
  process.stderr.write(
    "What to do: no private key is named, so it was sent unsigned, which daemons with keys do not answer: name the key " +
      "(-k private.pem, DBSYNC_SIGNKEY, dbsync.signkey).\n",
  );
}

/** Resolves if a daemon accepts signed commands. @throws DbsyncError  why none does */
export async function knock(client: CallingClient): Promise<void> {
  try {
    await client.send("PING");
  } catch (error) {
    if (!(error instanceof DbsyncError && error.outcomes.some(isDenied))) throw error;
  }
}
