/**
 * Runs part of the simulation. DBSYNC_SEED chooses the first seed, DBSYNC_SEEDS the number of seeds, for exploration:
 * worlds.test.ts runs fixed ones.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOfRun } from "../support/seeded-random.js";
import { assertWorldsPass } from "./processes.js";
import { simulate } from "./simulate.js";

const RUNS = Number(process.env["DBSYNC_SEEDS"] ?? 1);
const first = seedOfRun();

test("a seed produces the same run each time", async () => {
  const traces: string[][] = [[], []];
  for (const trace of traces) {
    const { problems } = await simulate(first, { print: (line) => trace.push(line) });
    assert.deepEqual(problems, []);
  }
  assert.deepEqual(traces[1], traces[0]);
});

test(`daemons end up equal and keep their promises in ${RUNS} runs from seed ${first}`, {
  skip: RUNS === 1 ? "the first test has checked the only run" : false,
}, async () => {
  await assertWorldsPass(first, RUNS);
});
