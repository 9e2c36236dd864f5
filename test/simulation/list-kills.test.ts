/**
 * Kills a daemon at each step of an agreement on a list, in simulated runs: the result is always one list, once the
 * operator has repeated the order. Source: docs/decisions/0080-members-found-their-list.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { seedOfRun } from "../support/seeded-random.js";
import { KINDS, simulateKill } from "./lists/kills-at-steps.js";

const seed = seedOfRun();
/** A usual run tries every 90th step, a full one every sixth. Each seed chooses others. */
const EVERY = amount(90, 6);
/** The share of the runs that also check that the daemons accept further writes. */
const SERVICE_EVERY = 10;

for (const kind of KINDS)
  test(`run ${seed}: a daemon is killed at each step of an order to ${kind}`, async (t) => {
    const { problems, steps } = await simulateKill(kind, 0, { seed, isSilent: false });
    assert.deepEqual(problems, []);
    const places = new Map<string, number>();
    for (let number = 1 + (seed % EVERY); number <= steps; number += EVERY)
      for (const isSilent of EVERY > 1 ? [number % 2 === 0] : [false, true]) {
        const isServiceChecked = number % SERVICE_EVERY === 0;
        const verdict = await simulateKill(kind, number, { seed, isSilent, isServiceChecked });
        const { killed } = verdict;
        assert.deepEqual(verdict.problems, [], `step ${number} of ${steps}: ${killed}, silent: ${isSilent}`);
        const place = killed?.replace(/^.*, /, "") ?? "none";
        places.set(place, (places.get(place) ?? 0) + 1);
      }
    t.diagnostic(
      `${steps} steps; killed ${[...places].map(([place, count]) => `${place} ${count}`).join(", ")}`,
    );
  });
