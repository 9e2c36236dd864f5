/** Tests when the daemon's memory counts as full, with a fake gauge and a clock that the test advances. */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  HeapGauge,
  type MemoryGauge,
  MemoryLimit,
  workingMemoryLimits,
} from "../../../../daemon/engine/memory/memory-limit.js";
import type { Environment } from "../../../../daemon/net/process/clock-and-randomness.js";
import type { EvictionPolicy } from "../../../../daemon/options/eviction-policy.js";
import { Database } from "../../../../daemon/store/database.js";
import { double } from "../../../support/double.js";
import { defaultLimits } from "../../program/in-process.js";

const LIMIT = 1000;
const LOOK_MS = 50;

/** A gauge with live objects and garbage. A collection removes the garbage. */
class FakeGauge implements MemoryGauge {
  readonly heapMax = Number.POSITIVE_INFINITY;
  live = 0;
  garbage = 0;
  collections = 0;

  used(): number {
    return this.live + this.garbage;
  }

  collect(): void {
    this.collections++;
    this.garbage = 0;
  }
}

interface Scene {
  readonly gauge: FakeGauge;
  readonly limit: MemoryLimit;
  /** Advances the clock. */
  readonly wait: (milliseconds: number) => void;
}

async function withLimit(
  check: (scene: Scene) => void,
  database: Database | null = null,
  policy: EvictionPolicy = database === null ? "noeviction" : "allkeys-random",
): Promise<void> {
  let now = 0;
  let next: (() => void) | null = null;
  const environment = double<Environment>({
    uptime: () => now,
    random: () => 0,
    setTimer(milliseconds: number, step: () => void) {
      assert.equal(milliseconds, LOOK_MS);
      next = step;
      return () => {
        next = null;
      };
    },
  });

  const gauge = new FakeGauge();
  const limit = new MemoryLimit({ bytes: LIMIT, policy }, database, gauge, environment);
  const wait = (milliseconds: number) => {
    for (let remaining = milliseconds; remaining > 0; remaining -= LOOK_MS) {
      now += LOOK_MS;
      next?.();
    }
  };

  await limit.start();
  check({ gauge, limit, wait });
  await limit.stop();
  assert.equal(next, null, "the limit has stopped reading the gauge");

  limit.bytes = LIMIT;
  assert.equal(next, null, "a new limit after the stop does not read it again");
}

/** Returns a database with a hundred small keys. */
function filledDatabase(): Database {
  const database = new Database();
  for (let i = 0; i < 100; i++) database.execute(["SET", `k${i}`, "v"], { at: 0, db: i % 3, id: "u" });
  return database;
}

test("garbage above the limit is collected, and nothing is refused", () =>
  withLimit(({ gauge, limit, wait }) => {
    gauge.live = 500;
    wait(1000);
    gauge.garbage = 2000;
    wait(LOOK_MS);
    assert.equal(gauge.collections, 1);
    assert.ok(!limit.isFull);
    assert.ok(!limit.refuses(true));
  }));

test("collections for little garbage are seconds apart", () =>
  withLimit(({ gauge, limit, wait }) => {
    gauge.live = 990;
    wait(LOOK_MS);
    for (let i = 0; i < 100; i++) {
      gauge.garbage = 11 + (i % 50);
      wait(100);
    }
    assert.ok(gauge.collections >= 1 && gauge.collections <= 5, `${gauge.collections} in 10 s`);
    assert.ok(!limit.isFull);
  }));

test("live objects above the limit are detected, immediately if there are many, and commands that need memory are refused", () =>
  withLimit(({ gauge, limit, wait }) => {
    wait(LOOK_MS);
    gauge.live = 1001;
    wait(LOOK_MS);

    assert.ok(limit.isFull);
    assert.ok(limit.refuses(true));
    assert.ok(!limit.refuses(false));

    assert.equal(
      limit.refusal([
        ["GET", "k"],
        ["SET", "k", "v"],
      ])?.code,
      "out-of-memory",
    );
    assert.equal(
      limit.refusal([
        ["GET", "k"],
        ["DEL", "k"],
      ]),
      null,
    );
    assert.equal(
      limit.refusal([["no-such-command"], ["SET"]]),
      null,
      "mistakes in a command are reported as usual",
    );
  }));

test("memory is no longer full after its release, even if V8 has not noticed the release", () =>
  withLimit(({ gauge, limit, wait }) => {
    gauge.live = 1200;
    wait(LOOK_MS);
    assert.ok(limit.refuses(true));
    [gauge.live, gauge.garbage] = [100, 1100];
    wait(10_000);
    assert.equal(gauge.collections, 1, "nothing is collected without a need");
    assert.ok(!limit.refuses(true));
    assert.equal(gauge.collections, 2);
    gauge.live = 1200;
    wait(LOOK_MS);
    assert.ok(limit.isFull);
    gauge.live = 100;
    wait(LOOK_MS);
    assert.ok(!limit.isFull, "one reading of the gauge is enough");
  }));

test("refused commands cause no collections, however low the limit is", () =>
  withLimit(({ gauge, limit, wait }) => {
    gauge.live = 100_000;
    limit.bytes = 1;
    const { collections } = gauge;
    for (let i = 0; i < 300; i++) {
      gauge.garbage += 1000;
      assert.ok(limit.refuses(true));
      if (i % 100 === 99) wait(LOOK_MS);
    }
    assert.equal(gauge.collections, collections);
  }));

test("when most keys are gone the memory is measured immediately, but only once", () => {
  const keyspace = { size: 100 };
  const database = double<Database>({ keyspaces: [keyspace] });
  return withLimit(
    ({ gauge, limit, wait }) => {
      gauge.live = 1200;
      wait(LOOK_MS);
      keyspace.size = 60;
      assert.ok(limit.refuses(true));
      assert.equal(gauge.collections, 1, "a few missing keys cause no collection");
      keyspace.size = 0;
      assert.ok(limit.refuses(true));
      assert.ok(limit.refuses(true));
      assert.equal(gauge.collections, 2, "the second refusal causes no collection");
      keyspace.size = 100;
      limit.bytes = LIMIT;
      [keyspace.size, gauge.live, gauge.garbage] = [0, 100, 1100];
      assert.ok(!limit.refuses(true));
    },
    database,
    "noeviction",
  );
});

test("a limit that is raised or removed takes effect immediately", () =>
  withLimit(({ gauge, limit, wait }) => {
    gauge.live = 1200;
    wait(LOOK_MS);
    assert.ok(limit.isFull);
    limit.bytes = 2000;
    assert.ok(!limit.isFull);
    limit.bytes = 1000;
    assert.ok(limit.isFull);
    limit.bytes = 0;
    assert.ok(!limit.isFull);
  }));

test("keys are evicted until there is space, and commands are refused only when no keys are left", () => {
  const database = filledDatabase();
  const keys = () => database.keyspaces.reduce((sum, { size }) => sum + size, 0);
  return withLimit(({ gauge, limit, wait }) => {
    gauge.live = 2000;
    wait(LOOK_MS);
    assert.ok(!limit.isFull);
    assert.ok(keys() < 99 && keys() > 80, `${keys()} keys remain`);
    assert.equal(limit.evicted, 100 - keys());
    gauge.live = 200_000;
    wait(10_000);
    assert.equal(keys(), 0);
    assert.equal(limit.evicted, 100);
    assert.ok(limit.refuses(true));
  }, database);
});

test("a new eviction policy applies immediately if the daemon stores keys", async () => {
  await withLimit(({ gauge, limit, wait }) => {
    assert.ok(limit.policies.includes("volatile-ttl"));
    limit.policy = "noeviction";
    gauge.live = 1100;
    wait(LOOK_MS);
    assert.ok(limit.isFull);
    limit.policy = "allkeys-random";
    assert.ok(!limit.isFull);
    const { evicted } = limit;
    assert.ok(evicted > 0 && evicted < 100, `${evicted} keys were evicted`);
    limit.policy = "volatile-ttl";
    assert.deepEqual([limit.evicted, limit.policy], [evicted, "volatile-ttl"]);
    assert.ok(limit.isFull, "none of the keys expires");
  }, filledDatabase());
  await withLimit(({ limit }) => {
    assert.deepEqual(limit.policies, ["noeviction"]);
    limit.policy = "allkeys-random";
    assert.equal(limit.policy, "noeviction");
  });
});

test("memory of evicted keys that V8 itself collects does not hide growth", () =>
  withLimit(({ gauge, limit, wait }) => {
    gauge.live = 1400;
    wait(LOOK_MS);
    assert.ok(limit.evicted > 0);
    gauge.live = 1010;
    wait(LOOK_MS);
    assert.equal(gauge.collections, 1);
    gauge.live = 1140;
    wait(LOOK_MS);
    assert.equal(gauge.collections, 2);
  }, filledDatabase()));

test("the default for queries is bounded, however much memory the machine has", () => {
  const bytesOf = (limits: Partial<typeof defaultLimits>) =>
    workingMemoryLimits({ ...defaultLimits, ...limits }).bytes / 2 ** 20;
  assert.ok(bytesOf({}) >= 64 && bytesOf({}) <= 384, `${bytesOf({})} MiB`);
  assert.equal(bytesOf({ maxmemory: 512 * 2 ** 20 }), 128);
  assert.equal(bytesOf({ workMemory: 2 ** 30 }), 1024);
});

test("the gauge of this process counts allocated memory until it is released", () => {
  const gauge = new HeapGauge();
  gauge.collect();
  const before = gauge.used();
  let held: string[] | null = Array.from({ length: 100_000 }, (_, i) => `${i} is held`.repeat(4));
  let buffer: Buffer | null = Buffer.alloc(10_000_000);
  assert.ok(gauge.used() - before > 14_000_000);
  assert.ok(held.length + buffer.length > 0);
  held = null;
  buffer = null;
  gauge.collect();
  assert.ok(gauge.used() - before < 2_000_000, `${gauge.used() - before} bytes remain`);
  assert.ok(gauge.heapMax > gauge.used());
});
