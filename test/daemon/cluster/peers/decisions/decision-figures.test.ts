/** Tests the bounded list of the signing keys whose units wait. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mostFrequent } from "../../../../../daemon/cluster/peers/decisions/decision-figures.js";

test("the five keys with the most waiting units are counted, the first with the most", () => {
  assert.deepEqual(mostFrequent([]), []);
  const keys = [..."aabbbcdddddefffghijklmnop"];
  const found = mostFrequent(keys);
  assert.deepEqual(found.slice(0, 4), [
    ["d", 5],
    ["b", 3],
    ["f", 3],
    ["a", 2],
  ]);
  assert.deepEqual([found.length, found[4]?.[1]], [5, 1]);
});
