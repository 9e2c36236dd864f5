/**
 * Founds, forces and changes lists that the members sign, in random runs with faults. The name of a test contains its
 * seed; DBSYNC_SEED chooses the first one, and DBSYNC_SEEDS their number. Source:
 * docs/decisions/0080-members-found-their-list.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { seedOfRun } from "../support/seeded-random.js";
import { simulateChangingAddresses } from "./lists/changing-addresses.js";
import { simulateForcing } from "./lists/forcing.js";
import { simulateFounding } from "./lists/founding.js";

const first = seedOfRun();
const seeds = (few: number, full: number): readonly number[] =>
  Array.from(
    { length: Number(process.env["DBSYNC_SEEDS"] ?? amount(few, full)) },
    (_, index) => first + index,
  );

for (const seed of seeds(3, 50))
  test(`run ${seed}: daemons found a list, or report what they wait for`, async (t) => {
    const { problems, trouble, crashes, losses } = await simulateFounding(seed);
    const steps = [...crashes].map(([step, count]) => `${step} ${count}`).join(", ");
    t.diagnostic(`${trouble}; ${losses} lost folders; crashes: ${steps}`);
    assert.deepEqual(problems, []);
  });

for (const seed of seeds(2, 25))
  test(`run ${seed}: the remaining members of a list force a new one`, async (t) => {
    const { problems, forcedCase, returned } = await simulateForcing(seed);
    t.diagnostic(`${forcedCase}; ${returned} daemons return`);
    assert.deepEqual(problems, []);
  });

for (const seed of seeds(2, 50))
  test(`run ${seed}: lists with a common member follow each other while addresses change`, async (t) => {
    const { problems, used } = await simulateChangingAddresses(seed);
    t.diagnostic(`${used} lists`);
    assert.deepEqual(problems, []);
  });
