/**
 * Refuses an entry that is not recorded yet if it exceeds this daemon's budget for one step. That is the daemon's own
 * decision, on its own state; recorded entries are always folded.
 */

import { isOneConditional } from "../../../protocol/implicit-condition.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import type { Database } from "../../store/database.js";
import type { KeyRing } from "../../store/key-ring.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Entry } from "../entries/entry.js";
import { applyUnit, conditionsHold } from "./apply-unit.js";
import { type BetweenUnits, type FoldedEntry, isAfter } from "./entry-batch.js";
import type { Fold } from "./fold.js";
import { type FoldUnit, type UnitAnswer, unitsOf } from "./fold-unit.js";

/**
 * Merges an entry that is not recorded yet.
 * @param maxRedone  units that may be redone
 * @param stepsMax   steps that the entry may use on this daemon
 * @param decides    whether this daemon alone decides on conditions: then no unit is redone for one with a condition
 * @param between    called after each unit, if the entry comes after all applied entries; if the entry exceeds its
 * budget, some units after which it was called are undone
 * @returns "too-many-steps" if it needs more steps, null if more units would be redone, or "overtaken" if it has a
 * condition and comes before a unit on its keys; in all these cases nothing is changed
 */
export function admit(
  fold: Fold,
  entry: Entry,
  maxRedone: number,
  stepsMax: number,
  decides: () => boolean,
  between: BetweenUnits | null = null,
): readonly FoldedEntry[] | "too-many-steps" | "overtaken" | null {
  const merge = () => fold.mergeWithin(maxRedone, [entry], between);
  // If units after the entry may have to be redone, first try the entry separately: redoing those units must not count.
  if (!isAfter([entry], fold.newest)) {
    const isTooMuch = isCounted(entry, fold.ring) && exceeds(entry, stepsMax, fold);
    if (isTooMuch) return "too-many-steps";
    if (isOneConditional(entry.envelope) && decides()) return fold.mergeWithin(0, [entry]) ?? "overtaken";
    return merge();
  }

  try {
    return fold.database.reportingAfter(() => fold.database.withBudget(stepsMax, merge));
  } catch (problem) {
    // The fold has already undone the entry's units.
    if (problem instanceof BudgetExceeded) return "too-many-steps";
    throw problem;
  }
}

/**
 * Whether an entry has a command that the budgets count: they also count the reads of a unit that writes.
 * @param countsReads  whether they count all reads
 */
export function isCounted(
  { envelope }: Pick<Entry, "envelope">,
  { table, known }: KeyRing,
  countsReads = envelope.multi || envelope.units !== null,
): boolean {
  const rows = table ?? known.newest;
  return envelope.commands.some((argv) => {
    const command = rows.resolve(argv);
    if (command instanceof CommandFailure || command.isLinear) return false;
    return command.writes || command.isQuery || countsReads;
  });
}

/**
 * Whether an entry exceeds a budget. To find out, the function applies the entry to the newest state and undoes it.
 * @param stepsMax  for all its units together
 */
export function exceeds(entry: Entry, stepsMax: number, state: TrialState): boolean {
  try {
    state.database.tryOut(stepsMax, (done) => {
      applyAll(entry, done, state, ({ command }) => command?.isQuery === true);
    });
    return false;
  } catch (problem) {
    if (problem instanceof BudgetExceeded) return true;
    throw problem;
  }
}

/**
 * Returns the answer to an entry's only unit on the newest state if its condition does not hold, and otherwise null.
 * The entry need not be recorded. If it was, a late unit without a condition could still let it take effect.
 * @param stepsMax  steps that it may use
 */
export function unmetNow(
  entry: Entry,
  { database, ring, newest }: Pick<Fold, "database" | "ring" | "newest">,
  stepsMax: number,
): UnitAnswer | null {
  const { envelope } = entry;
  // A key that has expired at the date of the newest entry is absent.
  const at = Math.max(envelope.at, newest?.at ?? 0);
  const now = { ...entry, envelope: { ...envelope, at } };
  return database.tryOut(stepsMax, (done) => {
    if (conditionsHold(now.envelope, 0, database)) return null;
    const [unit] = unitsOf(now, database.keyspaces.length, ring.known);
    const answer = unit?.kind === "data" ? applyOne(unit, done, { database, ring }) : null;
    // It may be malformed, too.
    return answer?.reply.kind === "error" ? null : answer;
  });
}

/** The state on which entries are tried. */
export interface TrialState {
  readonly database: Database;
  readonly ring: KeyRing;
}

/**
 * Applies the units of an entry to the newest data.
 * @param done  receives their undo records
 * @param isRun  whether a unit that only reads is run, too; by default each is. The fold limits all reads but queries
 * @returns whether they do not change the key ring
 */
export function applyAll(
  entry: Entry,
  done: UndoRecord[],
  state: TrialState,
  isRun: (read: FoldUnit) => boolean = () => true,
): boolean {
  const units = unitsOf(entry, state.database.keyspaces.length, state.ring.known);
  for (const unit of units)
    if (unit.kind === "data" || (unit.kind === "read" && isRun(unit))) applyOne(unit, done, state);
  return units.every(({ kind }) => kind !== "ring");
}

/** Applies a unit that is not for the key ring to the newest data. @param done  receives its undo records */
export function applyOne(unit: FoldUnit, done: UndoRecord[], { database, ring }: TrialState): UnitAnswer {
  const records: UndoRecord[] = [];
  const signer = ring.find(unit.envelope.key);
  const context = { signer, table: ring.table, decided: ring.patterns };
  const answer = applyUnit(unit, context, ring, database, records);
  for (const record of records) done.push(record);
  return answer;
}
