/**
 * Refuses an entry that is not recorded yet if it exceeds this daemon's budget for one step. That is the daemon's own
 * decision, on its own state; recorded entries are always folded.
 */

import type { Decided, Envelope } from "../../../protocol/version-2/envelope.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import type { Database } from "../../store/database.js";
import { missingCode } from "../../store/family-code.js";
import type { KeyRing } from "../../store/key-ring.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Entry } from "../entries/entry.js";
import { applyUnit, conditionsHold } from "./apply-unit.js";
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
  try {
    database.tryOut(stepsMax, (done) => {
      applyAll(entry, done, database, ring);
    });
    return false;
  } catch (problem) {
    if (problem instanceof BudgetExceeded) return true;
    throw problem;
  }
}

/**
 * Applies the units of an entry to the newest data.
 * @param done  receives their undo records
 * @returns whether they do not change the key ring
 */
function applyAll(entry: Entry, done: UndoRecord[], database: Database, ring: KeyRing): boolean {
  const context = { signer: ring.find(entry.envelope.key), table: ring.table };
  const units = unitsOf(entry, database.keyspaces.length, ring.known);
  for (const unit of units) {
    const records: UndoRecord[] = [];
    if (unit.kind === "data") applyUnit(unit, context, ring, database, records);
    for (const record of records) done.push(record);
  }
  return units.every(({ kind }) => kind !== "ring");
}

/**
 * The maximum number of steps of the units that one proposal decides, except the first one. It is the same for all
 * members: one that could not evaluate what the keeper has evaluated would object.
 */
const TURN_STEPS_MAX = 1_000_000;

/**
 * Returns whether the conditions of each unit hold on the newest state, after those before it have been applied or not.
 * @param units  the envelopes of the units, with the positions of their decisions
 * @param decisionOf  returns the decision on a unit; random choices of its commands depend on the decision's id
 * @returns at least one, and fewer than all if the others would exceed the steps, or follow a change of the key ring or
 * a command whose code this build does not contain, which are not evaluated here
 */
export function conditionsHoldInTurn(
  units: readonly Envelope[],
  decisionOf: (index: number, holds: boolean) => Entry,
  { database, ring }: { readonly database: Database; readonly ring: KeyRing },
): boolean[] {
  const hold: boolean[] = [];
  const [first] = units;
  if (first === undefined) return hold;
  if (units.length === 1) return [conditionsHold(first, database)];

  try {
    database.tryOut(TURN_STEPS_MAX, (done) => {
      for (const unit of units) {
        const holds = conditionsHold(unit, database);
        const decision = decisionOf(hold.length, holds);
        hold.push(holds);
        if (hold.length === units.length || missingCode(unit.commands) !== null) break;
        if (!applyAll(withOutcome(decision, holds ? "applied" : "unmet"), done, database, ring)) break;
      }
    });
  } catch (problem) {
    if (!(problem instanceof BudgetExceeded)) throw problem;
  }
  return hold;
}

function withOutcome(decision: Entry, outcome: Decided["outcome"]): Entry {
  const { envelope } = decision;
  const decided = { slot: 0, outcome, signed: envelope.decided?.signed ?? null };
  return { ...decision, envelope: { ...envelope, decided } };
}
