/** What a PING tells beyond its answer. */
import type { Client } from "../../client.js";
import { DbsyncError, type Outcome } from "../../shared/errors.js";

/**
 * Whether a daemon has checked the signature and found the key in its ring, whose rules deny the command alone: as good a
 * sign of life as an answer.
 */
export function isDenied(outcome: Outcome): boolean {
  return outcome.status === "failed" && outcome.stage === "reply" && outcome.detail.startsWith("NOPERM");
}

/** What to do where daemons have closed on what was sent unsigned, as those with keys do; null: it may be for another reason. */
export function keyHint(isUnsigned: boolean, outcomes: readonly Outcome[]): string | null {
  const isClosed = (outcome: Outcome) => outcome.status === "failed" && outcome.stage === "no-reason";
  return isUnsigned && outcomes.some(isClosed)
    ? "no private key is named, so it was sent unsigned, which daemons with keys do not answer: name the key (-k private.pem, " +
        "DBSYNC_SIGNKEY, dbsync.signkey)"
    : null;
}

/** Resolves if a daemon takes what is signed. @throws DbsyncError  why none does */
export async function knock(client: Client): Promise<void> {
  try {
    await client.send("PING");
  } catch (error) {
    if (!(error instanceof DbsyncError && error.outcomes.some(isDenied))) throw error;
  }
}
