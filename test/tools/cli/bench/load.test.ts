/** Tests the loads of `dbsync bench`, on a clock that advances when it is read. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Environment, Timer } from "../../../../client/shared/client-environment.js";
import { DbsyncError } from "../../../../client/shared/errors.js";
import { figuresOf, formatFigures, loadCommand } from "../../../../tools/cli/bench/bench.js";
import { Load, type LoadPlan } from "../../../../tools/cli/bench/load.js";
import { double } from "../../../support/double.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const seed = seedOfRun();
console.log(`seed: replay with DBSYNC_SEED=${seed}`);

/** Milliseconds by which the clock advances each time it is read. */
const STEP_MS = 0.01;

class Clock {
  time = 1_000;
  timers = 0;
  readonly #random = new SeededRandom(seed);
  now = () => (this.time += STEP_MS);
  random = () => this.#random.below(2 ** 30) / 2 ** 30;
  setTimer(ms: number, fire: () => void): Timer {
    this.timers++;
    const immediate = setImmediate(() => {
      this.time += ms;
      this.timers--;
      fire();
    });
    const cancel = () => {
      clearImmediate(immediate);
      this.timers--;
    };
    return { cancel, hold: () => {} };
  }
}

const plan = (changes: Partial<LoadPlan>): LoadPlan => ({
  send: async () => "OK",
  callers: 1,
  rate: null,
  seconds: 1,
  ...changes,
});

describe("the closed loop", () => {
  test("has as many calls in flight as callers, and no more", async () => {
    const clock = new Clock();
    let [flying, most, calls] = [0, 0, 0];
    const send = async () => {
      calls++;
      most = Math.max(most, ++flying);
      await new Promise(setImmediate);
      clock.time += 1;
      flying--;
    };
    const { latencies, failed, pending, ms } = await new Load(
      plan({ send, callers: 7 }),
      double<Environment>(clock),
    ).run();
    assert.deepEqual([most, latencies.count, failed, pending], [7, calls, 0, 0]);
    assert.ok(ms >= 1_000 && ms < 1_100, `${ms}`);
  });

  test("counts failures by the stage at which daemons failed, and continues", async () => {
    const clock = new Clock();
    const outcome = (stage: "connect" | "timeout") =>
      ({ address: "a:1", status: "failed", stage, detail: "", effect: "unknown", ms: 1 }) as const;
    let calls = 0;
    const send = async () => {
      clock.time += 10;
      const outcomes = [outcome("connect"), outcome("timeout"), outcome("timeout")];
      if (calls++ % 2 === 0) throw new DbsyncError("all-failed", "", { outcomes });
      if (calls === 2) throw new DbsyncError("busy", "");
    };
    const { errors, failed } = await new Load(plan({ send }), double<Environment>(clock)).run();
    const counts = [...errors].map(([reason, { count }]) => [reason, count]);
    assert.deepEqual(counts, [
      ["connect", failed - 1],
      ["timeout", failed - 1],
      ["busy", 1],
    ]);
    assert.ok(failed > 40 && failed < 60);
  });

  test("ends when it is stopped", async () => {
    const clock = new Clock();
    const send = async () => {
      clock.time += 1;
      if (clock.time > 1_100) load.stop();
    };
    const load = new Load(plan({ send, seconds: 1_000 }), double<Environment>(clock));
    assert.ok((await load.run()).ms < 200);
  });
});

describe("the open loop", () => {
  test("makes calls at its rate, at random times", async () => {
    const clock = new Clock();
    const times: number[] = [];
    const send = async () => void times.push(clock.time);
    const { latencies } = await new Load(
      plan({ send, rate: 100, seconds: 50 }),
      double<Environment>(clock),
    ).run();
    assert.ok(Math.abs(latencies.count - 5_000) < 400, `seed ${seed}: ${latencies.count} instead of 5,000`);
    const gaps = times.slice(1).map((time, index) => time - (times[index] as number));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    // For exponential intervals the deviation equals the mean.
    assert.ok(Math.abs(deviation / mean - 1) < 0.15, `seed ${seed}: ${deviation} to ${mean}`);
  });

  test("measures the latency of a call from its scheduled time, even if the call is sent late", async () => {
    const clock = new Clock();
    let isFirst = true;
    const send = async () => {
      // The program itself is delayed, so requests that arrive during the delay cannot be sent.
      if (isFirst) clock.time += 500;
      isFirst = false;
    };
    const { latencies } = await new Load(plan({ send, rate: 1_000 }), double<Environment>(clock)).run();
    // Half of all requests arrive during the delay, evenly distributed.
    const share = latencies.quantile(0.75);
    assert.ok(share > 150 && share < 350, `seed ${seed}: ${share}`);
    assert.ok(latencies.max >= 490);
  });

  test("ends immediately when stopped, even long before the next call, and leaves no timer", async () => {
    const clock = new Clock();
    const load = new Load(plan({ rate: 0.001, seconds: 1e6 }), double<Environment>(clock));
    const run = load.run();
    load.stop();
    await run;
    assert.equal(clock.timers, 0);
  });
});

describe("the report", () => {
  test("contains all figures, even if no call was answered", async () => {
    const send = () => Promise.reject(new DbsyncError("all-failed", "no\n  daemon"));
    const clock = new Clock();
    const result = await new Load(plan({ send, seconds: 0.01 }), double<Environment>(clock)).run();
    const figures = figuresOf(result);
    assert.equal(figures.throughput, 0);
    const text = formatFigures(figures, result.latencies);
    assert.match(text, /latency +no answer\nfailed +[\d,]+ of [\d,]+\n/);
    assert.match(
      text,
      /failed at +calls +first error\n +all-failed +[\d,]+ +No daemon answered: no daemon\n$/,
    );
  });
});

describe("a command for bench", () => {
  const random = new SeededRandom(seed);
  const make = (text: string) =>
    loadCommand(text, { keys: 3, value: "v".repeat(4), random: () => random.below(1_000) / 1_000 });

  test("contains random keys and the value in place of every placeholder", () => {
    const { make: next } = make('HSET "user __rand__" f__rand__ __value__ __value____value__');
    for (let i = 0; i < 100; i++) {
      const [name, key, field, ...values] = next();
      assert.equal(name, "HSET");
      assert.match(key ?? "", /^user [012]$/);
      assert.match(field ?? "", /^f[012]$/);
      assert.deepEqual(values, ["vvvv", "vvvvvvvv"]);
    }
  });

  test("may be `set`, `get` or `mixed`, which reads more often than it writes", () => {
    assert.equal(make("set").make()[0], "SET");
    assert.equal(make("get").make()[0], "GET");
    const names = Array.from({ length: 2_000 }, () => make("mixed").make()[0]);
    const writes = names.filter((name) => name === "SET").length;
    assert.ok(writes > 120 && writes < 300, `seed ${seed}: ${writes}`);
  });

  test("must have a name and must be text", () => {
    assert.throws(() => make("  "), DbsyncError);
    assert.throws(() => make('SET k "\\xff"'), /must be text/);
  });
});
