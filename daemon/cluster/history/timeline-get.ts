/** TIMELINE GET: runs a reading command on the state as it was at a date. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { CommandFailure, custom, echoed } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import { PAST_COMMAND_AT } from "../../store/commands/timeline.js";
import { RecallFailure, type Recalls } from "../../timeline/history-fold.js";
import { readDate } from "./timeline-arguments.js";

export interface PastStateContext {
  readonly recalls: Recalls;
  /** Milliseconds since 1970. The state after that time cannot be read. */
  readonly now: number;
  /** The envelope's database. */
  readonly db: number;
  /** The id of the unit that contains the command. */
  readonly id: ByteString;
}

/**
 * @param argv  `TIMELINE GET ms command …`.
 * @throws CommandFailure
 * @returns a promise that rejects with RecallFailure if the history cannot be read
 */
export async function pastState(
  argv: readonly ByteString[],
  { recalls, now, db, id }: PastStateContext,
): Promise<Reply> {
  const at = readDate(argv[2] as ByteString, "the date");
  if (at > now) throw custom(`ERR the date is ${at - now} ms ahead of this daemon's clock`);
  const pastCommand = argv.slice(PAST_COMMAND_AT);
  const command = commandTable.resolve(pastCommand);
  if (command instanceof CommandFailure) return command.reply;
  if (!command.reads)
    throw custom(
      `ERR '${echoed(command.name.toLowerCase())}' does not read data: the past cannot be changed`,
    );
  const { fold, damaged } = await recalls.run({ from: at + 1, until: at, begun: () => {}, found: () => {} });
  if (damaged > 0)
    throw new RecallFailure(
      `${damaged} entries of the timeline are damaged here, so the past state is uncertain: send the command to another daemon`,
    );
  return fold.database.run(command, pastCommand, { at, db, id });
}
