/**
 * Refuses an entry that is not recorded yet if it exceeds this daemon's budget for one step. That is the daemon's own
 * decision, on its own state; recorded entries are always folded.
 */

import { CommandFailure } from "../../store/arguments/command-errors.js";
import type { Database } from "../../store/database.js";
import type { KeyRing } from "../../store/key-ring.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Entry } from "../entries/entry.js";
import { applyUnit } from "./apply-unit.js";
import { type BetweenUnits, type FoldedEntry, isAfter } from "./entry-batch.js";
import type { Fold } from "./fold.js";
import { unitsOf } from "./fold-unit.js";

/**
 * Merges an entry that is not recorded yet.
 * @param maxRedone  units that may be redone
 * @param stepsMax   steps that the entry may use on this daemon
 * @param between    called after each unit, if the entry comes after all applied entries; if the entry exceeds its
 * budget, some units after which it was called are undone
 * @returns "too-many-steps" if it needs more steps, or null if more units would be redone; in both cases nothing is
 * changed
 */
export function admit(
  fold: Fold,
  entry: Entry,
  maxRedone: number,
  stepsMax: number,
  between: BetweenUnits | null = null,
): readonly FoldedEntry[] | "too-many-steps" | null {
  const merge = () => fold.mergeWithin(maxRedone, [entry], between);
  // If units after the entry may have to be redone, first try the entry separately: redoing those units must not count.
  if (!isAfter([entry], fold.newest)) {
    const isTooMuch = isCounted(entry, fold.ring) && exceeds(entry, stepsMax, fold);
    return isTooMuch ? "too-many-steps" : merge();
  }
  try {
    return fold.database.reportingAfter(() => fold.database.withBudget(stepsMax, merge));
  } catch (problem) {
    // The fold has already undone the entry's units.
    if (problem instanceof BudgetExceeded) return "too-many-steps";
    throw problem;
  }
}

/** Whether an entry has a command that the budgets count. */
export function isCounted({ envelope }: Entry, { table, known }: KeyRing): boolean {
  const rows = table ?? known.newest;
  return envelope.commands.some((argv) => {
    const command = rows.resolve(argv);
    return !(command instanceof CommandFailure) && command.writes && !command.isLinear;
  });
}

/**
 * Whether an entry exceeds a budget. To find out, the function applies the entry to the newest state and undoes it.
 * @param stepsMax  for all its units together
 */
export function exceeds(
  entry: Entry,
  stepsMax: number,
  { database, ring }: { readonly database: Database; readonly ring: KeyRing },
): boolean {
  const context = { signer: ring.find(entry.envelope.key), table: ring.table };
  try {
    database.tryOut(stepsMax, (done) => {
      for (const unit of unitsOf(entry, database.keyspaces.length, ring.known)) {
        const records: UndoRecord[] = [];
        if (unit.kind === "data") applyUnit(unit, context, ring, database, records);
        for (const record of records) done.push(record);
      }
    });
    return false;
  } catch (problem) {
    if (problem instanceof BudgetExceeded) return true;
    throw problem;
  }
}
