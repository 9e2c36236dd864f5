/** Compares the ranked tree with a sorted array and linear search. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RankedTree } from "../../../../daemon/store/values/ranked-tree.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

type Pair = [string, number];

const STEPS = 12_000;
const CHECK_EVERY = 400;

const seed = seedOfRun();

/** Pairs in a sorted array. */
class NaiveTree {
  pairs: Pair[] = [];

  insert(score: number, member: string): void {
    const index = this.pairs.findIndex(([other, otherScore]) => {
      return score < otherScore || (score === otherScore && member < other);
    });
    this.pairs.splice(index < 0 ? this.pairs.length : index, 0, [member, score]);
  }

  delete(score: number, member: string): void {
    const index = this.pairs.findIndex(([other, otherScore]) => other === member && score === otherScore);
    this.pairs.splice(index, 1);
  }
}

function assertEqual(tree: RankedTree, naive: NaiveTree, random: SeededRandom): void {
  const { pairs } = naive;
  assert.equal(tree.size, pairs.length);
  assert.deepEqual([...tree.range(0, pairs.length)], pairs);

  const from = random.below(pairs.length + 1);
  const to = random.between(from, pairs.length);
  assert.deepEqual([...tree.range(from, to)], pairs.slice(from, to));
  assert.deepEqual([...tree.reverseRange(from, to)], pairs.slice(from, to).reverse());

  const score = random.between(-1, 11);
  assert.equal(
    tree.countBefore((other) => other < score),
    pairs.filter(([, other]) => other < score).length,
  );

  const pair = pairs[random.below(pairs.length + 1)];
  if (pair === undefined) return;
  const rank = tree.countBefore((other, name) => other < pair[1] || (other === pair[1] && name < pair[0]));
  assert.equal(pairs.indexOf(pair), rank);
}

test(`a ranked tree contains what a sorted array contains, while it grows and shrinks (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  let tree = new RankedTree();
  const naive = new NaiveTree();
  for (let step = 0; step < STEPS; step++) {
    const isGrowing = Math.floor(step / (STEPS / 4)) % 2 === 0;
    if (random.chance(isGrowing ? 0.8 : 0.15) || naive.pairs.length === 0) {
      const pair: Pair = [`m${step}`, random.below(10)];
      tree.insert(pair[1], pair[0]);
      naive.insert(pair[1], pair[0]);
    } else {
      const [member, score] = random.oneOf(naive.pairs);
      tree.delete(score, member);
      naive.delete(score, member);
    }
    if (step % CHECK_EVERY === 0 || naive.pairs.length < 3) assertEqual(tree, naive, random);
    if (random.below(CHECK_EVERY) === 0) tree = tree.clone();
  }
});

test("a ranked tree that is filled in order and emptied from either end stays correct", () => {
  for (const takeFirst of [true, false]) {
    const tree = new RankedTree();
    const naive = new NaiveTree();
    const random = new SeededRandom(seed, Number(takeFirst));
    for (let score = 0; score < 5000; score++) {
      tree.insert(score, "m");
      naive.pairs.push(["m", score]);
    }
    while (naive.pairs.length > 0) {
      const [member, score] = (takeFirst ? naive.pairs.shift() : naive.pairs.pop()) as Pair;
      tree.delete(score, member);
      if (naive.pairs.length % 500 === 0) assertEqual(tree, naive, random);
    }
    assert.equal(tree.size, 0);
  }
});

test("a clone shares nothing with its original", () => {
  const tree = new RankedTree();
  for (let score = 0; score < 1000; score++) tree.insert(score, "m");
  const copy = tree.clone();
  for (let score = 0; score < 1000; score += 2) tree.delete(score, "m");
  assert.equal(copy.size, 1000);
  assert.deepEqual(
    Array.from(copy.range(0, 3), ([, score]) => score),
    [0, 1, 2],
  );
  assert.equal(tree.size, 500);
});
