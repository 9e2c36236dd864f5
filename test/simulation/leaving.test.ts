/**
 * Lets connected members leave the list, in random runs with faults. The name of a test contains its seed; DBSYNC_SEED
 * chooses the first one. Source: docs/decisions/0080-members-found-their-list.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { seedOfRun } from "../support/seeded-random.js";
import { simulateLeaving } from "./lists/leaving.js";

const first = seedOfRun();

for (const seed of Array.from({ length: amount(6, 200) }, (_, index) => first + index))
  test(`run ${seed}: a connected member leaves the list, and has handed over what it accepted`, async (t) => {
    const { problems, crashes, tookMs } = await simulateLeaving(seed);
    const steps = [...crashes].map(([step, count]) => `${step} ${count}`).join(", ");
    t.diagnostic(`${tookMs / 1000} s; crashes: ${steps}`);
    assert.deepEqual(problems, []);
  });
