/**
 * Finds what the commands of an envelope take on this daemon's state, before the daemon signs them. It runs the commands
 * and undoes them in the same turn; the fold then takes the same, at whatever position it applies the envelope. Source:
 * docs/decisions/0066.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { withItemsFound } from "../../protocol/step-reply.js";
import { type Choice, type Choices, type Envelope, NO_CHOICES } from "../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../protocol/version-2/messages-v2.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import type { Database } from "../../store/database.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Command } from "../../store/rows/command-row.js";

/** Commands that are going to be signed as one envelope. */
export interface Unsigned extends Pick<Envelope, "db" | "multi" | "commands"> {
  readonly conditions: Envelope["if"];
}

/** The state on which commands are run, and undone. */
export interface TrialState {
  readonly database: Database;
  /** The maximum number of steps for all commands together. */
  readonly stepsMax: number;
  /** Returns a random id for a unit, which seeds its random choices. */
  readonly unitId: () => ByteString;
}

/** @param date  the date with which the commands will be signed, later than everything in the state */
export function choicesOf(unsigned: Unsigned, date: EnvelopeDate, state: TrialState): Choices {
  const { database, stepsMax } = state;
  const commands: Command[] = [];
  let claims = 0;
  for (const argv of unsigned.commands) {
    const command = database.table.resolve(argv);
    // The fold refuses the command, and with `multi` all of them.
    if (command instanceof CommandFailure) return NO_CHOICES;
    commands.push(command);
    if (command.isClaim) claims = commands.length;
  }
  if (claims === 0) return NO_CHOICES;
  if (unsigned.conditions !== null && !database.holds(unsigned.conditions, date.at))
    return nothingTaken(commands);
  const id = state.unitId();
  try {
    return database.tryOut(stepsMax, (records) => {
      const choices = new Map<number, Choice>();
      for (const [index, command] of commands.slice(0, claims).entries()) {
        const taken = command.isClaim ? [] : undefined;
        if (command.writes) runOne(database, command, unsigned, { index, date, id, taken, records });
        if (taken !== undefined) choices.set(index, taken);
      }
      return { ...NO_CHOICES, choices };
    });
  } catch (problem) {
    // The recorder refuses the envelope for the same reason.
    if (problem instanceof BudgetExceeded) return NO_CHOICES;
    throw problem;
  }
}

interface Run {
  readonly index: number;
  readonly date: EnvelopeDate;
  readonly id: ByteString;
  readonly taken: ByteString[] | undefined;
  readonly records: UndoRecord[];
}

function runOne(
  database: Database,
  command: Command,
  { db, multi, commands }: Unsigned,
  { index, date, id, taken, records }: Run,
): void {
  const unit = { at: date.at, seq: date.seq, db, id, step: multi ? index : 0, taken };
  withItemsFound(database.run(command, commands[index] as readonly ByteString[], unit, records));
}

/** The claims of a unit whose conditions do not hold take nothing, wherever the conditions hold later. */
const nothingTaken = (commands: readonly Command[]): Choices => ({
  ...NO_CHOICES,
  choices: new Map(commands.flatMap(({ isClaim }, index) => (isClaim ? [[index, []] as const] : []))),
});
