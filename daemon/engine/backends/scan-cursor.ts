/**
 * Checks the cursors in signed scans, which a client sends to several daemons. A cursor is valid only on the daemon
 * that issued it, and all other daemons return an error. The client uses such an error only if the issuing daemon does
 * not answer.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../../protocol/reply.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { cursorOf } from "../../store/arguments/scan-arguments.js";
import type { Command } from "../../store/rows/command-row.js";
import { isOfOtherProcess } from "../../store/values/tables/scan-page.js";

export const INVALID_CURSOR = error(
  "ERR invalid cursor: another daemon issued it, or this one before it restarted. Begin again with 0, on one daemon or with a COUNT that returns everything",
);

/**
 * Returns the error for a scan that continues with another daemon's cursor, or null if the command is not such a scan.
 */
export function foreignCursor({ cursorAt, writes }: Command, argv: readonly ByteString[]): ErrorReply | null {
  const cursor = writes || cursorAt === undefined ? undefined : argv[cursorAt];
  const value = cursor === undefined ? undefined : cursorOf(cursor);
  return value !== undefined && isOfOtherProcess(Number(value)) ? INVALID_CURSOR : null;
}

/**
 * Like `foreignCursor`, but for several read-only commands with one common answer. If any of them continues another
 * daemon's scan, all are answered with the error.
 */
export function foreignCursorAmong(
  commands: readonly (readonly ByteString[])[],
  resolve: (argv: readonly ByteString[]) => Command | CommandFailure,
): ErrorReply | null {
  for (const argv of commands) {
    const command = resolve(argv);
    const foreign = command instanceof CommandFailure ? null : foreignCursor(command, argv);
    if (foreign !== null) return foreign;
  }
  return null;
}
