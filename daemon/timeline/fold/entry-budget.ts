/**
 * Refuses an entry that is not recorded yet if it exceeds this daemon's budget for one step. That is the daemon's own
 * decision, on its own state; recorded entries are always folded.
 */

import { isOneConditional } from "../../../protocol/implicit-condition.js";
import { type DecidedOutcome, type Envelope, unitsIn } from "../../../protocol/version-2/envelope.js";
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
    const answer = unit === undefined ? null : applyOne(unit, done, database, ring);
    // It may be malformed, too.
    return answer?.reply.kind === "error" ? null : answer;
  });
}

/**
 * Applies the units of an entry to the newest data.
 * @param done  receives their undo records
 * @returns whether they do not change the key ring
 */
function applyAll(entry: Entry, done: UndoRecord[], database: Database, ring: KeyRing): boolean {
  const units = unitsOf(entry, database.keyspaces.length, ring.known);
  for (const unit of units) applyOne(unit, done, database, ring);
  return units.every(({ kind }) => kind !== "ring");
}

/** Applies a unit to the newest data. @param done  receives its undo records @returns null if it changes no data */
function applyOne(unit: FoldUnit, done: UndoRecord[], database: Database, ring: KeyRing): UnitAnswer | null {
  if (unit.kind !== "data") return null;
  const records: UndoRecord[] = [];
  const signer = ring.find(unit.envelope.key);
  const context = { signer, table: ring.table, decided: ring.patterns };
  const answer = applyUnit(unit, context, ring, database, records);
  for (const record of records) done.push(record);
  return answer;
}

/**
 * The maximum number of steps of the units that one proposal decides, except the first one. It is the same for all
 * members: one that could not evaluate what the keeper has evaluated would object.
 */
const TURN_STEPS_MAX = 1_000_000;

/**
 * Returns the outcomes of the units of each envelope on the newest state, after those before it have been applied or
 * not.
 * @param envelopes  with the positions of their decisions
 * @param decisionOf  returns the decision on an envelope: random choices of its commands depend on its id. It is called
 * for one envelope after the other
 * @returns at least those of one envelope, and of fewer than all if the others would exceed the steps, or follow a
 * change of the key ring or a command whose code this build does not contain, which are not evaluated here
 */
export function outcomesInTurn(
  envelopes: readonly Envelope[],
  decisionOf: (index: number, outcomes: readonly DecidedOutcome[]) => Entry,
  state: { readonly database: Database; readonly ring: KeyRing },
): readonly DecidedOutcome[][] {
  const known: DecidedOutcome[][] = [];
  const { database, ring } = state;
  const [first] = envelopes;
  if (first === undefined) return known;
  if (envelopes.length === 1 && !(first.decide && unitsIn(first).length > 1))
    return [[outcomeNow(first, 0, database)]];

  try {
    database.tryOut(TURN_STEPS_MAX, (done) => {
      for (const [i, envelope] of envelopes.entries()) {
        if (envelope.decide && unitsIn(envelope).length > 1) {
          const several = outcomesOf(envelope, done, state);
          decisionOf(i, several);
          known.push(several);
          continue;
        }
        const outcomes = [outcomeNow(envelope, 0, database)];
        const decision = decisionOf(i, outcomes);
        known.push(outcomes);
        if (known.length === envelopes.length || missingCode(envelope.commands) !== null) break;
        if (!applyAll(withOutcomes(decision, outcomes), done, database, ring)) break;
      }
    });
  } catch (problem) {
    if (!(problem instanceof BudgetExceeded)) throw problem;
  }
  return known;
}

/**
 * Returns the outcomes of the several units of an envelope, and applies them. The id of their decision depends on all
 * outcomes, so that a unit is applied without it: no command that may share an envelope makes random choices. A
 * condition that names the id as the writer of a key, in an envelope that is decided together with this one, does not
 * hold at any member.
 * @param done  receives the undo records of the units
 */
function outcomesOf(
  envelope: Envelope,
  done: UndoRecord[],
  { database, ring }: { readonly database: Database; readonly ring: KeyRing },
): DecidedOutcome[] {
  const outcomes: DecidedOutcome[] = [];
  const entry = withOutcomes({ id: NO_ID, body: EMPTY, signature: EMPTY, envelope }, outcomes);
  for (const unit of unitsOf(entry, database.keyspaces.length, ring.known)) {
    outcomes.push(outcomeNow(envelope, unit.index, database));
    applyOne(unit, done, database, ring);
  }
  return outcomes;
}

/** An id that no decision has. */
const NO_ID = "";
const EMPTY = Buffer.alloc(0);

/** An envelope that does not request a decision is placed; the fold evaluates its conditions there. */
const outcomeNow = (envelope: Envelope, index: number, database: Database): DecidedOutcome =>
  !envelope.decide || conditionsHold(envelope, index, database) ? "applied" : "unmet";

function withOutcomes(entry: Entry, outcomes: readonly DecidedOutcome[]): Entry {
  const { envelope } = entry;
  const { at, seq } = envelope;
  const decided = { slot: 0, outcomes, signed: envelope.decided?.signed ?? { at, seq } };
  return { ...entry, envelope: { ...envelope, decided } };
}
