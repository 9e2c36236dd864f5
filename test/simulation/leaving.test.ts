/**
 * Lets connected members leave the list, in random runs with faults. The name of a test contains its seed; DBSYNC_SEED
 * chooses the first one, and DBSYNC_SEEDS their number. Source: docs/decisions/0080-members-found-their-list.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { seedOfRun } from "../support/seeded-random.js";
import { simulateLeaving } from "./lists/leaving.js";

const first = seedOfRun();
const RUNS = Number(process.env["DBSYNC_SEEDS"] ?? amount(2, 30));

for (const seed of Array.from({ length: RUNS }, (_, index) => first + index))
  test(`run ${seed}: a connected member leaves the list, and has handed over what it accepted`, async (t) => {
    const { problems, crashes, tookMs } = await simulateLeaving(seed);
    const steps = [...crashes].map(([step, count]) => `${step} ${count}`).join(", ");
    t.diagnostic(`${tookMs / 1000} s; crashes: ${steps}`);
    assert.deepEqual(problems, []);
  });
