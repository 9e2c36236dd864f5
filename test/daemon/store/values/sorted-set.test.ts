/** Tests the sorted set: scores by member, members by rank, and the order of scans. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SortedSet } from "../../../../daemon/store/values/sorted-set.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const seed = seedOfRun();

/** Returns members and scores in the order of ranks, by sorting. */
function ordered(scores: ReadonlyMap<string, number>): [string, number][] {
  return [...scores].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
}

test(`a sorted set agrees with a map that is sorted again (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  const scores = new Map<string, number>();
  let zset = new SortedSet();

  for (let step = 0; step < 6000; step++) {
    const member = `m${random.below(400)}`;
    if (random.chance(0.35)) {
      scores.delete(member);
      zset.delete(member);
    } else {
      const score = random.between(-5, 5) / 2;
      scores.set(member, score);
      zset.set(member, score);
    }

    if (step % 300 > 0) continue;
    if (random.chance(0.5)) zset = zset.clone();
    const pairs = ordered(scores);
    assert.deepEqual([...zset.range(0, zset.size)], pairs);
    assert.deepEqual([...zset.reverseRange(0, zset.size)], pairs.toReversed());
    pairs.forEach(([name, score], rank) => {
      assert.equal(zset.rank(name), rank);
      assert.equal(zset.get(name), score);
      assert.deepEqual(zset.at(rank), [name, score]);
    });
    for (const bound of [-9, -1, 0, 0.25, 2.5, 9]) {
      assert.equal(zset.countBelowScore(bound, false), pairs.filter(([, score]) => score < bound).length);
      assert.equal(zset.countBelowScore(bound, true), pairs.filter(([, score]) => score <= bound).length);
    }
    const dense = zset.members.map((name, slot): [string, number] => [name, zset.scores[slot]!]);
    assert.deepEqual(ordered(new Map(dense)), pairs);
  }
});

test("members with equal scores are counted by name, as bytes", () => {
  const zset = new SortedSet();
  for (const member of ["", "a", "b", "\x7f", "\xff"]) zset.set(member, 1);
  assert.ok(zset.hasOneScore());
  assert.equal(zset.countBelowMember("", false), 0);
  assert.equal(zset.countBelowMember("b", false), 2);
  assert.equal(zset.countBelowMember("b", true), 3);
  assert.equal(zset.countBelowMember("\xff\xff", false), 5);
  zset.set("a", 2);
  assert.ok(!zset.hasOneScore());
});

test("the score -0 is stored as 0, and NaN is rejected", () => {
  const zset = new SortedSet();
  zset.set("b", -0);
  zset.set("a", 0);
  assert.ok(Object.is(zset.get("b"), 0));
  assert.equal(zset.rank("a"), 0);
  assert.throws(() => zset.set("c", Number.NaN), /not a number/);
  assert.equal(zset.get("c"), undefined);
});

test("removing an absent member changes nothing", () => {
  const zset = new SortedSet();
  zset.delete("a");
  zset.set("a", 1);
  zset.delete("b");
  assert.deepEqual([...zset.range(0, 9)], [["a", 1]]);
  assert.equal(zset.rank("b"), undefined);
});
