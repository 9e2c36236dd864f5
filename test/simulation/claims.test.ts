/** Repeats runs in which clients take elements from queues at several daemons. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { simulate } from "./simulate.js";

const SEEDS = [211, 313, 321, 169, 122, 298].slice(0, amount(1, 6));

for (const seed of SEEDS)
  test(`an element that a client received is gone, and one that no daemon took is there (seed ${seed})`, async () => {
    const { problems, settings } = await simulate(seed);
    assert.ok(settings.claims > 0);
    assert.deepEqual(problems, []);
  });
