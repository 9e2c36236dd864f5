/** Advice for the case that daemons do not accept a command on keys. */

import { DbsyncError } from "../../client/shared/errors.js";
import { KeyFileError } from "../../keys/errors.js";
import { exitCodeOf } from "../shared/exit-codes.js";
import { printJson } from "../shared/output.js";

const START =
  "start each daemon with the public half as an administrator's key, dbsyncd -s public.pem --root-key root-public.pem, " +
  "and sign with the private one, -k root-private.pem";

/** A pattern of the error's message, and what to do. */
export type Hint = readonly [pattern: RegExp, hint: string];

/** The first one that matches is used. */
const HINTS: readonly Hint[] = [
  [/there is none; name an administrator/, `KEY commands are signed: ${START}`],
  [/NOPERM .*\bkey/i, `this key is no administrator's: ${START}`],
  [/unknown-key/, `the daemons do not know this key: ${START}`],
  [
    /requires version 2|speaks (only )?version 1|only RSA keys/,
    "KEY commands need version 2: update the daemons, and give them keys",
  ],
  [/unknown command .*KEY/i, "that daemon is of a version without KEY commands: update it"],
];

/**
 * Runs an action. An error is printed with a hint, and sets the exit code.
 * @param flags.json  as `{"error": {…, "hint": …}}` on standard output
 */
export async function explaining(
  flags: { readonly json?: boolean },
  act: () => Promise<void>,
  hints: readonly Hint[] = HINTS,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (error instanceof KeyFileError && flags.json) {
      const { message } = error;
      printJson({ error: { code: "bad-key", message, hint: null, effect: "not-applied", outcomes: [] } });
      process.exitCode = exitCodeOf(error);
      return;
    }
    if (!(error instanceof DbsyncError)) throw error;
    const { code, message, effect, outcomes } = error;
    const hint = hints.find(([pattern]) => pattern.test(message))?.[1] ?? null;
    if (flags.json) printJson({ error: { code, message, hint, effect, outcomes } });
    else process.stderr.write(`dbsync: ${message}\n${hint === null ? "" : `What to do: ${hint}.\n`}`);
    process.exitCode = exitCodeOf(error);
  }
}
