/** Tests what the timeouts of decisions follow, and their bounds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Timeouts } from "../../../../../daemon/cluster/peers/decisions/timeouts.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import { idOf, listOf } from "./simulated-members.js";

const TICK_MS = 25;

/** The timeouts of the member `a` of a list, with the round trips to the other ones. */
class Measuring {
  now = 0;
  readonly timeouts: Timeouts;
  readonly #list;
  readonly #roundTrip;

  constructor(
    trips: Readonly<Record<string, number | null>> = { b: 1, c: 1 },
    majorityTimeoutMs: number = PEERING_LIMITS.majorityTimeoutMs,
  ) {
    this.timeouts = new Timeouts(() => this.now, majorityTimeoutMs);
    const byId = new Map(Object.entries(trips).map(([name, trip]) => [idOf(name), trip]));
    this.#list = listOf(1, ["a", ...Object.keys(trips)]);
    this.#roundTrip = (id: string): number | null => byId.get(id) ?? null;
  }

  /** Ticks for a time. @param every  milliseconds between two ticks */
  run(milliseconds: number, every = TICK_MS): void {
    for (const end = this.now + milliseconds; this.now < end; ) this.tick(every);
  }

  /** @returns the milliseconds before the tick in which the process did not run */
  tick(after = TICK_MS): number {
    this.now += after;
    return this.timeouts.tick(idOf("a"), this.#list, this.#roundTrip);
  }

  /** Stores promises or votes, one after the other. */
  save(milliseconds: number, times = 1): void {
    for (let time = 0; time < times; time++) {
      this.timeouts.saving();
      this.run(milliseconds, Math.min(milliseconds, TICK_MS));
      this.timeouts.saved();
    }
  }

  get all(): number[] {
    const { patienceMs, rankMs, repeatMs, objectAfterMs, leaveMs, answerMs } = this.timeouts;
    return [patienceMs, rankMs, repeatMs, objectAfterMs, leaveMs, answerMs].map(Math.round);
  }
}

const SHORTEST = [400, 60, 250, 150, 10, 600];

test("each timeout has a minimum, with which a fast machine works", () => {
  const measuring = new Measuring();
  assert.deepEqual(measuring.all, SHORTEST);
  measuring.run(10_000);
  measuring.save(3, 100);
  measuring.run(1_000, 30);
  assert.deepEqual(measuring.all, SHORTEST);
});

test("each timeout has a maximum, however long everything takes", () => {
  const measuring = new Measuring({ b: 60_000, c: 60_000 });
  measuring.run(30_000, 5_000);
  measuring.save(60_000, 3);
  assert.deepEqual(measuring.all, [6_400, 600, 2_000, 1_000, 50, 1_500]);
});

test("one write counts as the longest one, and the others as the mean, which are forgotten", () => {
  const measuring = new Measuring({ b: 0, c: 0 });
  measuring.save(100, 200);
  measuring.save(1_000);
  const { timeouts } = measuring;
  const mean = 100 + 900 / 16;
  assert.equal(Math.round(timeouts.patienceMs), Math.round(1_000 + 3 * mean));
  measuring.run(60_000);
  assert.equal(Math.round(timeouts.patienceMs), Math.round(500 + 3 * mean));
  measuring.save(1, 200);
  measuring.run(600_000);
  assert.deepEqual(measuring.all, SHORTEST);
});

test("a write that is under way counts with the time that it has taken", () => {
  const measuring = new Measuring({ b: 0, c: 0 });
  measuring.timeouts.saving();
  measuring.run(2_000);
  assert.equal(Math.round(measuring.timeouts.patienceMs), 2_000);
  measuring.timeouts.saving();
  measuring.timeouts.saved();
  measuring.run(1_000);
  assert.ok(measuring.timeouts.patienceMs >= 2_000, "the first one, which is stored");
});

test("the round trip is the one within which a majority answers, and counts up to a limit", () => {
  const patienceWith = (trips: Readonly<Record<string, number | null>>): number => {
    const measuring = new Measuring(trips);
    measuring.run(10_000);
    return Math.round(measuring.timeouts.patienceMs);
  };
  assert.equal(patienceWith({ b: 300, c: 300 }), 900);
  assert.equal(patienceWith({ b: 300, c: 60_000 }), 900, "one of three lies");
  assert.equal(patienceWith({ b: 300, c: null }), 900, "one is not connected");
  assert.equal(patienceWith({ b: null, c: null }), 400, "no majority is connected");
  assert.equal(patienceWith({ b: 200, c: 300, d: 60_000, e: 60_000 }), 900, "two of five lie");
  assert.equal(patienceWith({ b: 60_000, c: 60_000 }), 3_000);
});

test("the delay of ticks counts, up to a limit, also if other calls are made between them", () => {
  const measuring = new Measuring({ b: 0, c: 0 });
  measuring.run(60_000, 125);
  assert.equal(Math.round(measuring.timeouts.patienceMs), 600);
  measuring.tick(100_000);
  assert.ok(measuring.timeouts.patienceMs < 1_200);

  const busy = new Measuring({ b: 0, c: 0 });
  for (let stall = 0; stall < 100; stall++) {
    busy.tick(325);
    busy.run(20, 1);
  }
  assert.ok(busy.timeouts.patienceMs >= 1_000, `${busy.timeouts.patienceMs}`);
});

test("members have one and a half times as long to answer as the longest answer or round trip took", () => {
  const measuring = new Measuring({ b: 0, c: 0 });
  const { timeouts } = measuring;
  for (const [milliseconds, expected] of [
    [300, 600],
    [800, 1_200],
    [1_001, 1_200],
    [1_000, 1_500],
  ] as const) {
    timeouts.answered(milliseconds);
    assert.equal(timeouts.answerMs, expected, `${milliseconds}`);
  }

  measuring.run(600_000);
  assert.equal(timeouts.answerMs, 600);

  const slow = new Measuring({ b: 600, c: 600 });
  slow.run(1_000);
  assert.equal(Math.round(slow.timeouts.answerMs), 900);
});

test("members have at least the time of --majority-timeout to answer, which may exceed the usual maximum", () => {
  for (const milliseconds of [100, 600, 15_000]) {
    const { timeouts } = new Measuring({}, milliseconds);
    assert.equal(timeouts.answerMs, milliseconds);
    timeouts.answered(1_000);
    assert.equal(timeouts.answerMs, Math.max(milliseconds, 1_500));
  }
});

test("at most four intervals between two ticks count as waiting", () => {
  const measuring = new Measuring();
  assert.equal(measuring.tick(5_000), 0, "there was no tick before");
  assert.deepEqual(
    [25, 1, 100, 101, 3_000].map((after) => measuring.tick(after)),
    [0, 0, 0, 1, 2_900],
  );
});

test("after a suspension, a process reads for a while", () => {
  const measuring = new Measuring();
  measuring.run(1_000, 300);
  assert.equal(measuring.timeouts.isReading, false, "it only runs late");
  measuring.tick(400);
  assert.equal(measuring.timeouts.isReading, true);
  measuring.run(75);
  assert.equal(measuring.timeouts.isReading, true);
  measuring.run(25);
  assert.equal(measuring.timeouts.isReading, false);
});
