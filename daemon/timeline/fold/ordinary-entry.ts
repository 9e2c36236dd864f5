/**
 * Applies entries of the usual kind: each command is a separate unit on data, without conditions. Their commands are
 * applied directly, without an object for each unit, at half the cost. The objects are created only if an entry arrives
 * later that belongs before such an entry.
 */

import { OK, type Reply } from "../../../protocol/reply.js";
import { type Envelope, needsDaemon } from "../../../protocol/version-2/envelope.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import type { Database } from "../../store/database.js";
import type { KeyRing } from "../../store/key-ring.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import { FoldedUnit } from "../../store/keyspace/unit.js";
import type { Command } from "../../store/rows/command-row.js";
import { type JudgedUnit, refusalOf } from "../../store/unit-permission.js";
import type { Entry } from "../entries/entry.js";
import type { BetweenUnits } from "./entry-batch.js";
import type { UnitAnswer } from "./fold-unit.js";
import { runCommand, takeRecords, undoUnit } from "./run-unit.js";
import type { Undoing } from "./tail.js";
import { refusedOutcome, usualRights } from "./unit-verdict.js";

/** The result of an entry's units. */
export interface AppliedEntry {
  /** The answers of the units, in order. */
  readonly answers: readonly UnitAnswer[];
  /** What undoes each unit, in order. */
  readonly undoing: Undoing[];
  /** The number of units that may change data. */
  readonly count: number;
}

/** The state after all applied entries. */
export interface NewestState {
  readonly ring: KeyRing;
  readonly database: Database;
  /** Empty before and after each unit. */
  readonly records: UndoRecord[];
}

/**
 * Applies an entry that comes after all applied entries, if it is of the usual kind.
 * @param afterUnit  called after each command, or null
 * @returns null if the entry is of another kind, and nothing was applied
 * @throws BudgetExceeded  the entry is not recorded yet, and exceeds the daemon's budget; nothing is applied
 */
export function applyOrdinary(
  entry: Entry,
  { ring, database, records }: NewestState,
  afterUnit: BetweenUnits | null,
): AppliedEntry | null {
  const { envelope } = entry;
  const commands = ordinaryCommands(envelope, database.keyspaces.length, ring);
  if (commands === null) return null;

  const signer = ring.find(envelope.key);
  const rights = signer === undefined ? null : usualRights(envelope, signer);
  const answers = new Array<UnitAnswer>(commands.length);
  const undoing = new Array<Undoing>(commands.length);
  // All commands share one object: only its index differs.
  const unit = new FoldedUnit(entry.id, envelope, 0);
  let count = 0;

  try {
    for (let i = 0; i < commands.length; i++) {
      const command = commands[i] as Command;
      const argv = envelope.commands[i] as Envelope["commands"][number];
      if (command.writes) count++;
      const isPermitted = rights !== null && rights.denial(command, argv) === null;
      const refusal = isPermitted ? null : refusalOf(judgedUnit(envelope, argv), signer, ring);
      if (refusal === null) {
        unit.index = i;
        const reply = runCommand(database, command, argv, unit, records);
        answers[i] = reply === OK ? APPLIED_OK : appliedWith(reply);
        undoing[i] = takeRecords(records);
      } else {
        answers[i] = { reply: refusal, outcome: refusedOutcome(refusal), late: false };
        undoing[i] = "denied";
      }
      afterUnit?.(i + 1);
    }
  } catch (problem) {
    // The daemon refuses the complete entry, so the commands before the one that failed are undone too.
    if (problem instanceof BudgetExceeded)
      for (const each of undoing.toReversed())
        if (each !== undefined && each !== "denied") undoUnit(each, database);
    throw problem;
  }
  return { answers, undoing, count };
}

/** Returns the unit of one command, as the key ring judges it. */
const judgedUnit = (envelope: Envelope, argv: Envelope["commands"][number]): JudgedUnit => ({
  key: envelope.key,
  at: envelope.at,
  commands: [argv],
  conditions: null,
  needsDaemon: needsDaemon(envelope),
});

const appliedWith = (reply: Reply): UnitAnswer => ({ reply, outcome: "applied", late: false });

/** The answer of each SET; one object is shared. */
const APPLIED_OK = appliedWith(OK);

/** Returns the commands of an envelope if each is an ordinary unit; otherwise null. */
function ordinaryCommands(
  { multi, units, if: conditions, commands, decided, db }: Envelope,
  databases: number,
  { table, known, patterns }: KeyRing,
): Command[] | null {
  if (table === null || multi || units !== null || conditions !== null || decided !== null) return null;
  if (db >= databases) return null;

  const found = new Array<Command>(commands.length);
  for (let i = 0; i < commands.length; i++) {
    const argv = commands[i] as (typeof commands)[number];
    const command = table.resolve(argv);
    if (command instanceof CommandFailure || !known.ordinary.has(command)) return null;
    if (!patterns.isEmpty && patterns.begun.coversCall(command, argv, db)) return null;
    found[i] = command;
  }
  return found;
}
