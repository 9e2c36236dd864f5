/** Advice for commands on keys: errors with a hint, and the command that authorizes a daemon's key. */

import { hash } from "node:crypto";
import { DbsyncError } from "../../../client/shared/errors.js";
import { KeyFileError } from "../../../keys/key-file-errors.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { exitCodeOf } from "../shared/exit-codes.js";
import { printJson, printNotice } from "../shared/output.js";

const START =
  "start each daemon with an administrator's public key (dbsyncd -s public.pem --root-key root-public.pem), " +
  "and sign with the matching private key (-k root-private.pem)";

/** Advice for commands that only administrators may run. */
export const ADMINISTRATOR_HINT =
  "sign with an administrator's private key (-k root-private.pem), whose public key the daemons were started with (--root-key)";

/** A pattern of an error's message, and advice for that error. */
export type Hint = readonly [pattern: RegExp, hint: string];

/** Hints by pattern; the first pattern that matches is used. */
const HINTS: readonly Hint[] = [
  [/none is set; specify an administrator/, `KEY commands must be signed: ${START}`],
  [/NOPERM .*\bkey/i, `this key does not belong to an administrator: ${START}`],
  [/unknown-key/, `the daemons do not know this key: ${START}`],
  [
    /requires version 2|speaks (only )?version 1|only RSA keys/,
    "KEY commands need version 2 of the protocol: update the daemons, and start them with keys",
  ],
  [/unknown command .*KEY/i, "that daemon's version has no KEY commands: update it"],
  [
    /this key exists with other/,
    "dbsync keys info shows the key; change its rules with dbsync keys rules, " +
      "for example dbsync keys rules web-public.pem '+@read ~app:*' -k root-private.pem; " +
      "for other dates, another rate or label, add a new key",
  ],
];

/** Returns the advice for an error's message, or null if there is none. */
export const hintFor = (message: string, hints: readonly Hint[] = HINTS): string | null =>
  hints.find(([pattern]) => pattern.test(message))?.[1] ?? null;

/**
 * Runs an action. If it fails, prints the error with a hint, and sets the exit code.
 * @param flags.json  whether to print the error as `{"error": {…, "hint": …}}` on standard output
 */
export async function explainErrors(
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
    const hint = hintFor(message, hints);
    if (flags.json) printJson({ error: { code, message, hint, effect, outcomes } });
    else printNotice(`${message}${hint === null ? "" : `\nWhat to do: ${hint}.`}`);
    process.exitCode = exitCodeOf(error);
  }
}

/**
 * Returns the command for the first key whose hash is the daemon's id, or null if there is none. The keys come from
 * reports of daemons, which may be false; only the hash proves that a key is the daemon's.
 * @param id    the daemon's id, hexadecimal
 * @param keys  in base64
 */
export function authorizationOf(id: string, keys: readonly string[]): readonly string[] | null {
  const key = keys
    .map((text) => Buffer.from(text, "base64"))
    .find((spki) => hexOf(hash("sha256", spki, "binary")) === id);
  return key === undefined ? null : ["CLUSTER", "ADD", key.toString("base64")];
}
