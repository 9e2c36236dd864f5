/** Tests that the rules of members hold in a model with faults, and that the model detects the removal of each rule. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../../support/amount.js";
import { seedOfRun } from "../../support/seeded-random.js";
import { CAUGHT } from "./caught.js";
import { REMOVALS, rulesWithout } from "./removals.js";
import { RULES } from "./rules.js";
import { World } from "./world.js";

const SEEDS = amount(60, 600);
/** The distance between the seeds of two tests, so that their runs differ. */
const SEEDS_APART = 1_000_000;

test("all daemons have the same envelopes below each stable point, and the cluster recovers after the faults", () => {
  const first = 1 + (seedOfRun() - 1) * SEEDS_APART;
  for (let seed = first; seed < first + SEEDS; seed++) {
    const { problems } = new World(seed, RULES).run();
    const repeat = `node dist/test/simulation/members/main.js --seed ${seed}`;
    assert.deepEqual(problems, [], repeat);
  }
});

test("the same seed produces the same run", () => {
  assert.deepEqual(new World(7, RULES).run(), new World(7, RULES).run());
});

test("for each rule there is a seed that detects its removal", () => {
  assert.deepEqual(Object.keys(CAUGHT).sort(), Object.keys(REMOVALS).sort());
});

for (const [name, seed] of Object.entries(CAUGHT))
  test(`a run without the rule "${name}" finds a problem`, () => {
    const { problems } = new World(seed, rulesWithout(name)).run();
    const search = `node dist/test/simulation/members/main.js --removals --without "${name}" --seeds 50000`;
    assert.notDeepEqual(problems, [], `find another seed with: ${search}`);
  });
