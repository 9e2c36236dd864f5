/** Interprets the answer to a PING. */
import type { Outcome } from "../../../client/shared/errors.js";

/**
 * Whether a daemon knows the key, but the key's rules deny the command. Such a daemon has checked the signature, so it
 * is alive.
 */
export function isDenied(outcome: Outcome): boolean {
  return outcome.status === "failed" && outcome.stage === "reply" && outcome.detail.startsWith("NOPERM");
}

/**
 * Prints advice on standard error if a daemon has closed the connection after an unsigned command, as daemons with keys
 * do.
 */
export function printKeyHint(isUnsigned: boolean, outcomes: readonly Outcome[]): void {
  const isClosed = (outcome: Outcome) => outcome.status === "failed" && outcome.stage === "no-reason";
  if (!isUnsigned || !outcomes.some(isClosed)) return;
  process.stderr.write(
    "What to do: the command was sent unsigned, and daemons with keys do not answer unsigned commands. Specify a private key " +
      "(-k private.pem, DBSYNC_SIGNKEY, dbsync.signkey).\n",
  );
}
