/**
 * Evaluates the envelopes of one proposal on which the members of a list decide. A keeper and the voters evaluate the
 * same envelopes, and have to come to the same outcomes. Source: docs/protocol-v2.md "Decisions".
 */

import { type DecidedOutcome, type Envelope, unitsIn } from "../../../protocol/version-2/envelope.js";
import type { Database } from "../../store/database.js";
import { missingCode } from "../../store/family-code.js";
import type { KeyRing } from "../../store/key-ring.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Entry } from "../entries/entry.js";
import { conditionsHold } from "./apply-unit.js";
import { applyAll, applyOne, isCounted, type TrialState } from "./entry-budget.js";
import type { Fold } from "./fold.js";
import { unitsOf } from "./fold-unit.js";

/**
 * The maximum number of steps of the envelopes that one proposal decides together, including their reads. It is the
 * same for all members, whatever `--max-unit-steps` they have: one with a lower limit would always object to what
 * another one proposes.
 */
export const PROPOSAL_STEPS_MAX = 1_000_000;

/**
 * Returns the outcomes of the units of each envelope on the newest state, after those before it have been applied or
 * not. If the first envelope alone exceeds the steps, it is too much, and is decided alone.
 * @param envelopes  with the positions of their decisions
 * @param decisionOf  returns the decision on an envelope: random choices of its commands depend on its id. It may be
 * called twice for an envelope; the later call counts
 * @param stepsMax  for all envelopes together
 * @returns at least those of one envelope, and of fewer than all if the others would exceed the steps, or follow an
 * envelope that is too much, a change of the key ring, or a command whose code this build does not contain
 */
export function outcomesInTurn(
  envelopes: readonly Envelope[],
  decisionOf: (index: number, outcomes: readonly DecidedOutcome[]) => Entry,
  stepsMax: number,
  state: TrialState,
): readonly DecidedOutcome[][] {
  const known: DecidedOutcome[][] = [];
  const { database, ring } = state;
  const [first] = envelopes;
  if (first === undefined) return known;
  if (envelopes.length === 1 && !needsTrial(first, ring)) return [[outcomeNow(first, 0, database)]];

  try {
    database.tryOut(
      stepsMax,
      (done) => {
        for (const [i, envelope] of envelopes.entries()) {
          if (envelope.decide && unitsIn(envelope).length > 1) {
            const several = outcomesOf(envelope, done, state);
            decisionOf(i, several);
            known.push(several);
            continue;
          }
          const outcomes = [outcomeNow(envelope, 0, database)];
          const decision = decisionOf(i, outcomes);
          const isLast = i === envelopes.length - 1;
          const mayRun = missingCode(envelope.commands) === null && (!isLast || needsTrial(envelope, ring));
          const goesOn = mayRun && applyAll(withOutcomes(decision, outcomes), done, state);
          known.push(outcomes);
          if (!goesOn) break;
        }
      },
      true,
    );
  } catch (problem) {
    if (!(problem instanceof BudgetExceeded)) throw problem;
    if (known.length > 0) return known;
    known.push(["too-much"]);
    decisionOf(0, ["too-much"]);
  }
  return known;
}

/**
 * Whether an envelope on which the members are to decide needs too many steps on the newest state, for them or for this
 * daemon.
 * @param stepsMax  the steps that this daemon permits
 */
export function exceedsUndecided(
  entry: Entry,
  stepsMax: number,
  state: TrialState & Pick<Fold, "newest">,
): boolean {
  if (!isCounted(entry, state.ring, true)) return false;
  // A key that has expired at the date of the newest entry is absent.
  const at = Math.max(entry.envelope.at, state.newest?.at ?? 0);
  const placed = { ...entry, envelope: { ...entry.envelope, at } };
  const lowest = Math.min(stepsMax, PROPOSAL_STEPS_MAX);
  const [outcomes] = outcomesInTurn([placed.envelope], () => placed, lowest, state);
  return outcomes?.[0] === "too-much";
}

/** Whether an envelope must be run to know its outcomes. */
const needsTrial = (envelope: Envelope, ring: KeyRing): boolean =>
  (envelope.decide && unitsIn(envelope).length > 1) || isCounted({ envelope }, ring, true);

/**
 * Returns the outcomes of the several units of an envelope, and applies them. The id of their decision depends on all
 * outcomes, so that a unit is applied without it: no command that may share an envelope makes random choices. A
 * condition that names the id as the writer of a key, in an envelope that is decided together with this one, does not
 * hold at any member.
 * @param done  receives the undo records of the units
 */
function outcomesOf(envelope: Envelope, done: UndoRecord[], state: TrialState): DecidedOutcome[] {
  const { database, ring } = state;
  const outcomes: DecidedOutcome[] = [];
  const entry = withOutcomes({ id: NO_ID, body: EMPTY, signature: EMPTY, envelope }, outcomes);
  for (const unit of unitsOf(entry, database.keyspaces.length, ring.known)) {
    outcomes.push(outcomeNow(envelope, unit.index, database));
    applyOne(unit, done, state);
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
