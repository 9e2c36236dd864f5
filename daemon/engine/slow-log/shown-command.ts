/** Commands as the slow log and MONITOR show them: shortened, and without passwords. */
import { type ByteString, detached } from "../../../protocol/byte-string.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import { INNER_COMMANDS } from "../../store/family-code.js";
import type { Command } from "../../store/rows/command-row.js";

/** The maximum number of shown arguments, including the text about omitted arguments, as in Redis. */
const ARGUMENTS_MAX = 32;
const ARGUMENT_CHARS_MAX = 128;

/** Shortens a command for display. The result does not keep the omitted parts in memory. */
export function shortenedCommand(argv: readonly ByteString[]): ByteString[] {
  const shown = argv.length > ARGUMENTS_MAX ? argv.slice(0, ARGUMENTS_MAX - 1) : argv;
  const shortened = shown.map((argument) => {
    const more = argument.length - ARGUMENT_CHARS_MAX;
    return more > 0 ? `${detached(argument.slice(0, ARGUMENT_CHARS_MAX))}... (${more} more bytes)` : argument;
  });
  if (shown.length < argv.length) shortened.push(`... (${argv.length - shown.length} more arguments)`);
  return shortened;
}

const REDACTED = "(redacted)";

/** The maximum nesting of commands among arguments of commands, above which arguments are redacted. */
const NESTING_MAX = 4;

/**
 * Returns a command without its passwords. A command among its arguments, as in ACL DRYRUN, is shown in the same way;
 * if there is no such command, all but its name is redacted.
 * @param nestingMax  the number of nested commands of which arguments are shown
 */
export function withoutSecrets(
  { name, isSecret }: Command,
  argv: readonly ByteString[],
  nestingMax = NESTING_MAX,
): readonly ByteString[] {
  const shown =
    isSecret === undefined ? argv : argv.map((argument, i) => (isSecret(argv, i) ? REDACTED : argument));
  const innerAt = INNER_COMMANDS.get(name);
  if (innerAt === undefined || argv.length <= innerAt) return shown;

  const inner = argv.slice(innerAt);
  const command = nestingMax === 0 ? null : commandTable.resolve(inner);
  const shownInner =
    command === null || command instanceof CommandFailure
      ? inner.map((argument, i) => (i === 0 ? argument : REDACTED))
      : withoutSecrets(command, inner, nestingMax - 1);
  return [...shown.slice(0, innerAt), ...shownInner];
}
