/**
 * Runs the commands of a unit that may be run. If one fails, nothing of the unit is applied, as on all other daemons.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply } from "../../../protocol/lazy-replies.js";
import { error, type Reply } from "../../../protocol/reply.js";
import type { Database } from "../../store/database.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import { throwOutOfMemory } from "../../store/keyspace/out-of-memory.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import { FoldedUnit, type Unit } from "../../store/keyspace/unit.js";
import { MissingCode } from "../../store/rows/command-families.js";
import type { Command } from "../../store/rows/command-row.js";
import type { FoldUnit } from "./fold-unit.js";

/** Our own error instead of the engine's message, which differs between versions. */
export const INTERNAL = error("ERR internal error, and nothing was changed");

/** Runs a unit's commands. @param records  empty; receives its undo records */
export function runUnit(unit: FoldUnit, database: Database, records: UndoRecord[]): Reply {
  const { envelope, command } = unit;
  if (command !== null) {
    const folded = new FoldedUnit(unit.entryId, envelope, unit.index);
    return runCommand(database, command, unit.argv, folded, records);
  }

  const { at, db, seq, choices, expiries } = envelope;
  try {
    const { id, index, entryId } = unit;
    const origin = { at, db, id, envelope: entryId, index, seq, choices, expiries };
    return database.executeMulti(unit.commands, origin, records, unit.table);
  } catch (problem) {
    throwOwn(problem);
    return undoFailed(database, records, problem);
  }
}

/**
 * Runs a command that is a complete unit.
 * @param records  empty; receives its undo records
 * @throws OutOfMemory, MissingCode  the unit may be partly applied, and the caller discards the state
 * @throws BudgetExceeded   the unit is not recorded yet, and exceeds the daemon's budget; nothing is changed
 */
export function runCommand(
  database: Database,
  command: Command,
  argv: readonly ByteString[],
  origin: Unit,
  records: UndoRecord[],
): Reply {
  try {
    // Complete the reply now, so that later units cannot change it.
    return finishReply(database.run(command, argv, origin, records));
  } catch (problem) {
    throwOwn(problem);
    return undoFailed(database, records, problem);
  }
}

/**
 * Rethrows a problem of this daemon alone: other daemons apply the unit, so it must not be answered with an error.
 * @throws OutOfMemory, MissingCode
 */
export function throwOwn(problem: unknown): void {
  if (problem instanceof MissingCode) throw problem;
  throwOutOfMemory(problem);
}

/**
 * Undoes a unit that failed, because no other daemon would have the state after a part of a unit.
 * @throws BudgetExceeded  if `problem` is a `BudgetExceeded`
 */
function undoFailed(database: Database, records: UndoRecord[], problem: unknown): Reply {
  database.undo(records);
  records.length = 0;
  if (problem instanceof BudgetExceeded) throw problem;
  return INTERNAL;
}

/** Undoes an applied unit. @param records  from `takeRecords` */
export function undoUnit(records: UndoRecord | UndoRecord[] | null, database: Database): void {
  if (records !== null) database.undo(Array.isArray(records) ? records : [records]);
}

/** Removes a unit's records from the array. @returns the records; a single record is returned without an array */
export function takeRecords(records: UndoRecord[]): UndoRecord | UndoRecord[] | null {
  // They are removed one by one, so that the array retains its capacity.
  if (records.length <= 1) return records.pop() ?? null;
  const taken = records.slice();
  while (records.length > 0) records.pop();
  return taken;
}
