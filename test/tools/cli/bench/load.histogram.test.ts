/** Compares quantiles from buckets with those of the sorted list of latencies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LatencyHistogram } from "../../../../tools/cli/bench/load.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

/** The number of values from which a random exponent is drawn. */
const STEPS = 2 ** 20;

test("quantiles are accurate to 1.5 %, and never above the longest latency", () => {
  const seed = seedOfRun();
  console.log(`seed: replay with DBSYNC_SEED=${seed}`);
  const random = new SeededRandom(seed);
  const histogram = new LatencyHistogram();
  const values: number[] = [];
  for (let i = 0; i < 10_000; i++) {
    const ms = 0.002 * 2 ** ((20 * random.below(STEPS)) / STEPS);
    values.push(ms);
    histogram.add(ms);
  }
  values.sort((left, right) => left - right);
  for (const share of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.max(0, Math.ceil(share * values.length) - 1)] as number;
    const found = histogram.quantile(share);
    assert.ok(
      found >= exact * 0.999 && found <= exact * 1.015,
      `seed ${seed}: ${share}: ${found} for ${exact}`,
    );
  }
  assert.equal(histogram.max, values.at(-1));
  assert.equal(histogram.count, 10_000);
  assert.ok(Math.abs(histogram.mean - values.reduce((sum, each) => sum + each, 0) / 10_000) < 1e-6);
});

test("a histogram without values has figures of 0 and no bands", () => {
  const histogram = new LatencyHistogram();
  assert.deepEqual([histogram.quantile(0.5), histogram.mean, histogram.max], [0, 0, 0]);
  assert.deepEqual(histogram.bands(), []);
});

test("the bands cover the range from the first value to the last without gaps", () => {
  const histogram = new LatencyHistogram();
  for (const ms of [0, 0.0015, 1, 1.01, 5, 1e9]) histogram.add(ms);
  const bands = histogram.bands();
  assert.equal(
    bands.reduce((sum, { count }) => sum + count, 0),
    6,
  );
  assert.equal(bands[0]?.from, 0.001);
  assert.equal(bands.at(-1)?.count, 1);
  for (const [index, { from, to }] of bands.entries()) {
    assert.ok(Math.abs(to / from - 2) < 1e-9);
    if (index > 0) assert.ok(Math.abs(from - (bands[index - 1]?.to ?? 0)) < 1e-9);
  }
});
