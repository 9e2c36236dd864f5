/**
 * Tests that members evaluate random envelopes unit after unit, on the state that the units before have made.
 * DBSYNC_SEED replays a run, DBSYNC_SEEDS makes it longer.
 */
import "../../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { canonicalRing, canonicalState } from "../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../daemon/store/database.js";
import { refusalOf } from "../../../../daemon/store/unit-permission.js";
import { compareEntries, type Entry } from "../../../../daemon/timeline/entries/entry.js";
import { touchTest } from "../../../../daemon/timeline/fold/changed-keys.js";
import { Fold, type UnitAnswer } from "../../../../daemon/timeline/fold/fold.js";
import { outcomesInTurn, PROPOSAL_STEPS_MAX } from "../../../../daemon/timeline/fold/outcomes-in-turn.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import { type DecidedOutcome, readBody, unitsIn } from "../../../../protocol/version-2/envelope.js";
import { unitId } from "../../../../protocol/version-2/unit-names.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { EPOCH } from "../../store/random-unit.js";
import { conditionsAt, naiveUnits, touchesOfUnit } from "../support/naive-fold.js";
import { RandomDecisions } from "../support/random-decisions.js";
import { type Genesis, genesisRing, RandomTimeline } from "../support/random-timeline.js";

const FIRST = Number(process.env["DBSYNC_RUN"] ?? 0);
const RUNS = Number(process.env["DBSYNC_SEEDS"] ?? amount(40, 150));
const DATABASES = 5;
const seed = seedOfRun();

/** A state, a copy of it, and random envelopes. */
class Evaluation {
  readonly fold: Fold;
  /** The same state, on which units are run as clients would run them. */
  readonly #copy: Fold;
  readonly #made: RandomDecisions;
  readonly bodies: readonly Buffer[];
  readonly #at: number;

  constructor(run: number) {
    const random = new SeededRandom(seed, run);
    const timeline = new RandomTimeline(random);
    const entries = timeline.entries(random.between(1, 30));
    [this.fold, this.#copy] = [newFold(timeline.genesis, entries), newFold(timeline.genesis, entries)];
    this.#made = new RandomDecisions(random, entries);
    this.#at = (entries.toSorted(compareEntries).at(-1) as Entry).envelope.at;
    this.bodies = Array.from({ length: random.between(1, 6) }, () => this.#made.envelope());
  }

  decision(index: number, outcomes: readonly DecidedOutcome[]): Entry {
    const place = { at: this.#at + 1 + index, seq: 0 };
    return this.#made.decision(this.bodies[index] as Buffer, place, outcomes, index + 1);
  }

  get outcomes(): readonly DecidedOutcome[][] {
    const decide = (index: number, outcomes: readonly DecidedOutcome[]) => this.decision(index, outcomes);
    const envelopes = this.bodies.map((body, index) => ({ ...readBody(body), at: this.#at + 1 + index }));
    return outcomesInTurn(envelopes, decide, PROPOSAL_STEPS_MAX, this.fold);
  }

  /** Runs a unit of a decision on the copy with its conditions. @returns the reply, or null if it is refused */
  run({ id, envelope }: Entry, index: number): Reply | null {
    const { database, ring } = this.#copy;
    const { key, at, seq, db } = envelope;
    const commands = [envelope.commands[index] ?? []];
    const conditions = conditionsAt(envelope, index);
    database.table = ring.table ?? database.table;
    const refusal = refusalOf({ key, at, commands, conditions, needsDaemon: false }, ring.find(key), ring);
    if (refusal !== null) return null;
    const command = database.table.resolve(commands[0] ?? []);
    if (command instanceof CommandFailure) return command.reply;
    if (conditions !== null && !database.holds(conditions, at)) return { kind: "nil-array" };
    return database.execute(commands[0] ?? [], { at, seq, db, id: unitId(id, index) });
  }

  get states(): [readonly string[], readonly string[]] {
    return [stateOf(this.fold), stateOf(this.#copy)];
  }
}

function newFold(genesis: Genesis, entries: readonly Entry[]): Fold {
  const ring = genesisRing(genesis);
  const fold = new Fold({ database: new Database({ databases: DATABASES }), ring, cutAt: EPOCH });
  fold.merge(entries);
  return fold;
}

const stateOf = ({ database, ring }: Fold) => [...canonicalState(database), ...canonicalRing(ring)];

const CONDITIONAL = /^([HM]?SETNX|SET [^ ]* [^ ]* .*\b[NX]X)/is;

/** Returns the outcome that a unit's own reply shows, or null if it shows none. */
function shownBy(reply: Reply | null, argv: readonly ByteString[]): "applied" | "unmet" | null {
  if (reply === null || reply.kind === "error") return null;
  if (reply.kind === "nil-array") return "unmet";
  const isGet = argv.slice(3).some((word) => word.toUpperCase() === "GET");
  if (isGet || !CONDITIONAL.test(argv.map((word) => word.replaceAll(" ", "_")).join(" "))) return "applied";
  const isRefused = reply.kind === "nil" || (reply.kind === "integer" && Number(reply.value) === 0);
  return isRefused ? "unmet" : "applied";
}

test(`units that are decided together have the outcomes and replies of units run in turn (seed ${seed})`, () => {
  const counts = { applied: 0, unmet: 0, none: 0 };
  for (let run = FIRST; run < FIRST + RUNS; run++) {
    const each = new Evaluation(run);
    const [before] = each.states;
    const known = each.outcomes;
    const name = `DBSYNC_SEED=${seed}, run ${run}`;
    assert.equal(known.length, each.bodies.length, name);
    assert.deepEqual(each.states[0], before, `${name}: nothing is left applied`);
    for (const [number, outcomes] of known.entries()) {
      const decision = each.decision(number, outcomes);
      const { commands } = decision.envelope;
      assert.equal(outcomes.length, unitsIn(readBody(each.bodies[number] as Buffer)).length, name);
      const answers = each.fold.merge([decision]).flatMap((folded): readonly UnitAnswer[] => folded.answers);
      for (const [index, outcome] of outcomes.entries()) {
        const argv = commands[index] ?? [];
        const reply = each.run(decision, index);
        const expected = shownBy(reply, argv);
        const description = `${name}: ${JSON.stringify(commands)}, unit ${index}`;
        if (expected !== null) assert.equal(outcome, expected, description);
        counts[expected ?? "none"]++;
        const answer = answers[index] ?? assert.fail(description);
        if (reply === null) assert.ok(["denied", "malformed"].includes(answer.outcome), description);
        else if (reply.kind !== "error") {
          // A unit with both kinds of conditions answers as one whose conditions do not hold.
          const hasFailed = expected === "unmet" && conditionsAt(decision.envelope, index) !== null;
          assert.equal(shown(answer.reply), shown(hasFailed ? NIL_ARRAY : reply), description);
        } else {
          // The condition of a command is evaluated before errors that only the command finds, like odd arguments.
          assert.ok(answer.reply.kind === "error" || outcome === "unmet", description);
        }
      }
    }
    const [state, expected] = each.states;
    assert.deepEqual(state, expected, name);
  }
  assert.ok(counts.applied > RUNS && counts.unmet > RUNS / 2, JSON.stringify(counts));
});

test(`a changed key concerns an envelope if any of its units touches it (seed ${seed})`, () => {
  const counts = { first: 0, later: 0, none: 0 };
  for (let run = FIRST; run < FIRST + RUNS; run++) {
    const random = new SeededRandom(seed, run, 1);
    const entries = new RandomTimeline(random).entries(5);
    for (const decision of new RandomDecisions(random, entries).entries(5)) {
      const { commands } = decision.envelope;
      const key = random.oneOf(random.oneOf(commands).slice(1));
      const db = random.below(2);
      if (key === undefined) continue;
      const change = { keys: [{ db, key }], changesDatabase: false, next: null };
      const touching = naiveUnits(decision).map((unit) =>
        (touchesOfUnit(unit, DATABASES) ?? []).some((touch) => touch.db === db && touch.key === key),
      );
      const description = JSON.stringify([commands, db, key]);
      assert.equal(touchTest(change, DATABASES)(decision), touching.includes(true), description);
      counts[touching[0] ? "first" : touching.includes(true) ? "later" : "none"]++;
    }
  }
  for (const [name, count] of Object.entries(counts)) assert.ok(count > RUNS / 4, name);
});
