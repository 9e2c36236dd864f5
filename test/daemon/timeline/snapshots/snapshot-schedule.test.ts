/** Tests the dates of snapshots: every daemon independently selects the roundest dates. */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { roundestDate, roundnessOf } from "../../../../daemon/timeline/snapshots/snapshot-schedule.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const seed = seedOfRun();
const EPOCH = 1_767_225_600_000;
const RUNS = 2000;

test("the roundest date of a range is the one that the highest power of two divides", () => {
  for (let after = 0; after < 80; after++) {
    for (let upTo = after + 1; upTo < 130; upTo++) {
      const dates = Array.from({ length: upTo - after }, (_, i) => after + 1 + i);
      const max = Math.max(...dates.map(roundnessOf));
      const roundest = dates.filter((date) => roundnessOf(date) === max);
      assert.deepEqual([roundestDate(after, upTo)], roundest, `after ${after}, up to ${upTo}`);
    }
  }
  assert.equal(roundestDate(-1, 1000), 0);
  assert.equal(roundestDate(EPOCH, 2 ** 41 + 12_345), 2 ** 41);
});

test("the roundness of a date is the highest power of two that divides it", () => {
  assert.deepEqual([1, 2, 3, 12, 1024, 2 ** 41, 3 * 2 ** 40].map(roundnessOf), [
    ...[1, 2, 1, 4, 1024],
    ...[2 ** 41, 2 ** 40],
  ]);
});

test("a range without a date has no roundest date", () => {
  for (const [after, upTo] of [
    [5, 5],
    [6, 5],
    [-1, -1],
    [-5, -1],
    [EPOCH, EPOCH - 1],
  ] as const)
    assert.equal(roundestDate(after, upTo), null, `after ${after}, up to ${upTo}`);
});

test(`a daemon whose range contains another daemon's date selects that date, or a rounder one (seed ${seed})`, () => {
  let same = 0;
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const spread = 2 ** random.between(1, 30);
    const range = (): [number, number] => {
      const after = EPOCH + random.below(spread);
      return [after, after + 1 + random.below(spread)];
    };
    const [one, other] = [range(), range()];
    const [ours, theirs] = [one, other].map(([after, upTo]) => roundestDate(after, upTo) as number);
    const isIn = (date: number | undefined, [after, upTo]: [number, number]) =>
      date !== undefined && date > after && date <= upTo;
    assert.ok(isIn(ours, one) && isIn(theirs, other), `run ${run}`);
    if (!isIn(theirs, one)) continue;
    if (isIn(ours, other)) {
      assert.equal(ours, theirs, `run ${run}`);
      same++;
    } else assert.ok(roundnessOf(ours as number) > roundnessOf(theirs as number), `run ${run}`);
  }
  assert.ok(same > RUNS / 20, `${same} of ${RUNS}`);
});

/** Returns the dates that a daemon finds if it checks after each of some steps. */
function datesOf(from: number, to: number, step: () => number): number[] {
  const dates: number[] = [];
  for (let now = from, last = from; now < to; ) {
    now = Math.min(to, now + step());
    const date = roundestDate(last, now);
    if (date !== null) dates.push((last = date));
  }
  return dates;
}

test(`daemons that check at different times all select the round dates, even the slower daemon (seed ${seed})`, () => {
  for (let run = 0; run < 100; run++) {
    const random = new SeededRandom(seed, RUNS, run);
    const unit = 2 ** random.between(4, 12);
    const to = EPOCH + 40 * unit;
    const [fast, slow] = [
      datesOf(EPOCH - random.below(unit), to, () => random.between(1, unit)),
      [] as number[],
    ];
    slow.push(...datesOf(EPOCH - random.below(unit), to, () => random.between(unit / 2, unit)));
    const first = Math.ceil(EPOCH / unit) * unit;
    const round = Array.from({ length: 39 }, (_, i) => first + i * unit).filter((date) => date > EPOCH);
    for (const dates of [fast, slow])
      assert.deepEqual(
        round.filter((date) => !dates.includes(date)),
        [],
        `run ${run}`,
      );
  }
});
