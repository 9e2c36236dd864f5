/**
 * Refuses a client's CLUSTER SEMANTICS with a version that this release does not know, because the daemon would stop
 * applying entries after that command.
 */
import { type ErrorReply, error } from "../../protocol/reply.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import { semanticsAskedBy } from "../../store/commands/keys.js";
import { isKeyCommand, type KeyRing } from "../../store/key-ring.js";

/**
 * Returns the error replies to the units, or null if the envelope contains no CLUSTER SEMANTICS command with an unknown
 * version.
 */
export function unknownSemantics(
  { commands, multi, if: conditions }: Envelope,
  { known }: KeyRing,
): ErrorReply[] | null {
  if (!isKeyCommand(commands[0] ?? [""])) return null;
  const last = known.numbers.at(-1) as number;
  const required = commands.map(semanticsAskedBy).find((number) => number !== null && number > last);
  if (required == null) return null;
  const refusal = error(
    `ERR this daemon's release knows only semantics version ${known.numbers.join(" and ")}, not ${required}: ` +
      "upgrade all daemons first",
  );
  return multi || conditions !== null ? [refusal] : commands.map(() => refusal);
}
