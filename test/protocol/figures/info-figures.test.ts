/** Tests the pairs of names and counts in INFO, which any daemon may send to dbsync status and dbsync top. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pairsOf, pairsText } from "../../../protocol/figures/info-figures.js";

test("pairs are read as they are written", () => {
  const pairs = [
    ["50", 12],
    ["more", 0],
  ] as const;
  assert.equal(pairsText(pairs), "50=12,more=0");
  assert.deepEqual(pairsOf(pairsText(pairs)), pairs);
  assert.deepEqual(pairsOf(""), []);
});

test("other parts are skipped, and a long one takes no longer than it is", () => {
  assert.deepEqual(pairsOf("a,=1,b=,c=x,d=2,e=3=4,f=-1"), [["d", 2]]);
  assert.deepEqual(pairsOf("a".repeat(2 ** 22)), []);
});
