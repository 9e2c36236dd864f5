/**
 * Tests that a claim with its recorded choice has the same reply and the same effect as without, where nothing has
 * arrived in between. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { choicesOf } from "../../../cluster/replica/recorded-choices.js";
import { canonicalState } from "../../../store/canonical-state.js";
import { findCommand } from "../../../store/command-table.js";
import { commandGrammars } from "../../conformance/families.js";
import { Generator } from "../../conformance/grammar.js";
import { shown } from "../../conformance/resp2-fold.js";
import { EPOCH, randomDatabase, randomUnit, SPREAD, shownUnit } from "../../store/random-unit.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";

const CALLS = amount(300, 3000);
const STATES = amount(2, 10);
const seed = seedOfRun();
const claims = commandGrammars.filter(({ name }) => findCommand(name)?.isClaim !== undefined);

test(`a choice changes nothing at the first position (seed ${seed})`, () => {
  let taking = 0;
  for (let state = 0; state < STATES; state++) {
    const random = new SeededRandom(seed, state);
    const g = new Generator({ random, now: EPOCH });
    const database = randomDatabase(g);
    for (let call = 0; call < CALLS; call++) {
      // The other commands refill what the claims take.
      const grammar = random.oneOf(random.chance(0.5) ? claims : commandGrammars);
      const unit = randomUnit(g, grammar, EPOCH + SPREAD + call, `u${call}`.padEnd(36, "-"));
      if (findCommand(grammar.name)?.isClaim === undefined) {
        database.execute(unit.argv, unit);
        continue;
      }
      const { at, db, id, argv } = unit;
      const unsigned = { db, multi: false, conditions: null, commands: [argv] };
      const { choices } = choicesOf(
        unsigned,
        { at, seq: 0 },
        { database, stepsMax: Number.POSITIVE_INFINITY, unitId: () => id },
      );
      const choice = choices?.get(0);
      const [reply, after] = database.tryOut(Number.POSITIVE_INFINITY, (records) => [
        shown(database.execute(argv, unit, records)),
        canonicalState(database),
      ]);
      assert.equal(shown(database.execute(argv, { ...unit, choice })), reply, shownUnit(unit));
      assert.deepEqual(canonicalState(database), after, shownUnit(unit));
      if (choice !== undefined && choice.length > 0) taking++;
    }
  }
  assert.ok(taking > CALLS / 10, `only ${taking} calls took something`);
});
