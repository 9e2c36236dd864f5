/** Tests the bounded list of the signing keys whose units wait. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mostWaiting } from "../../../../../daemon/cluster/peers/decisions/decision-figures.js";
import { FairQueue } from "../../../../../daemon/engine/backends/fair-queue.js";

test("the five keys with the most waiting units are counted, the first with the most", () => {
  const queue = new FairQueue();
  assert.deepEqual(mostWaiting(queue.counts()), []);
  for (const caller of "aabbbcdddddefffghijklmnop") queue.add({ caller });
  const found = mostWaiting(queue.counts());
  assert.deepEqual(found.slice(0, 4), [
    ["d", 5],
    ["b", 3],
    ["f", 3],
    ["a", 2],
  ]);
  assert.deepEqual([found.length, found[4]?.[1]], [5, 1]);
});
