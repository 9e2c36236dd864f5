/** Tests which keys are evicted. */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Evictor } from "../../../../daemon/engine/memory/evictor.js";
import type { Environment } from "../../../../daemon/net/process/clock-and-randomness.js";
import type { Evicting } from "../../../../daemon/options/eviction-policy.js";
import { Database } from "../../../../daemon/store/database.js";
import { KeyUsage } from "../../../../daemon/store/keyspace/key-usage.js";
import { double } from "../../../support/double.js";
import { seed } from "../../../support/seed.js";
import { SeededRandom } from "../../../support/seeded-random.js";
import { nextTurn, until } from "../../../support/until.js";

const KEYS = 1000;

/** Creates a database. Every other key expires, in the order of the numbers. Half of the keys are in database 1. */
function makeDatabase(usage?: KeyUsage): Database {
  const database = new Database(usage === undefined ? {} : { usage });
  database.usage.tick(1);
  for (let i = 0; i < KEYS; i++) {
    const expiry = i % 2 === 0 ? ["PX", String(1000 + i)] : [];
    database.execute(["SET", `k${i}`, "v".repeat(100), ...expiry], {
      at: 1,
      db: i < KEYS / 2 ? 0 : 1,
      id: "u",
    });
  }
  return database;
}

const numbersOf = (database: Database) =>
  database.keyspaces
    .flatMap(({ entries }) => entries.map(({ key }) => Number(key.slice(1))))
    .sort((a, b) => a - b);

const quiet = () => assert.fail("there are still keys");

/** Evicts a few hundred of the keys. @returns the numbers of the remaining ones */
function evict(policy: Evicting, database: Database, ...path: number[]): Set<number> {
  const random = new SeededRandom(seed(), ...path);
  const environment = double<Environment>({
    uptime: () => 0,
    random: () => random.below(2 ** 32) / 2 ** 32,
  });
  const evictor = new Evictor(policy, database, environment);
  evictor.free(60_000, quiet);
  const remaining = new Set(numbersOf(database));
  assert.equal(remaining.size, KEYS - evictor.evicted);
  assert.ok(evictor.evicted > 100 && evictor.evicted < 400, `${evictor.evicted} keys were evicted`);
  return remaining;
}

/** Checks that both halves of the candidates have lost about the same number of keys. */
function assertEven(remaining: ReadonlySet<number>, candidates: readonly number[]): void {
  const half = candidates.length / 2;
  const [low, high] = [candidates.slice(0, half), candidates.slice(half)].map(
    (part) => part.filter((number) => !remaining.has(number)).length,
  ) as [number, number];
  const evicted = low + high;
  // The limit is six standard deviations of a fair coin.
  assert.ok(Math.abs(low - high) < 6 * Math.sqrt(evicted), `${low} and ${high}`);
}

const all = Array.from({ length: KEYS }, (_, i) => i);
const expiring = all.filter((number) => number % 2 === 0);
const staying = all.filter((number) => number % 2 === 1);

test("allkeys-random drops keys of all databases with equal probability, whether they expire or not", () => {
  const remaining = evict("allkeys-random", makeDatabase(), 1);
  assertEven(remaining, all);
  assertEven(remaining, [...expiring, ...staying]);
});

test("volatile-random drops expiring keys with equal probability, and no other keys", () => {
  const remaining = evict("volatile-random", makeDatabase(), 2);
  assert.ok(staying.every((number) => remaining.has(number)));
  assertEven(remaining, expiring);
});

test("volatile-ttl drops the keys that expire first, and no other keys", () => {
  const database = makeDatabase();
  // Removed expiry times must not mislead the policy.
  for (const db of [0, 1]) database.execute(["PERSIST", "k0"], { at: 1, db, id: "u" });
  database.execute(["PEXPIRE", "k2", "1000000"], { at: 1, db: 0, id: "u" });
  const remaining = evict("volatile-ttl", database, 3);
  assert.ok(staying.every((number) => remaining.has(number)));
  assert.ok(remaining.has(0) && remaining.has(2));
  const rest = expiring.filter((number) => number > 2);
  const first = rest.findIndex((number) => remaining.has(number));
  assert.ok(first > 100);
  assert.ok(rest.slice(first).every((number) => remaining.has(number)));
});

test("large values count for more: few keys are evicted if their values are large", () => {
  const database = new Database();
  for (let i = 0; i < 100; i++) {
    const members = Array.from({ length: 200 }, (_, j) => `member ${i} ${j}`);
    database.execute(["SADD", `k${i}`, ...members], { at: 1, db: 0, id: "u" });
  }
  const environment = double<Environment>({ uptime: () => 0, random: () => 0.5 });
  const evictor = new Evictor("allkeys-random", database, environment);
  evictor.free(100_000, quiet);
  assert.ok(evictor.evicted >= 2 && evictor.evicted <= 12, `${evictor.evicted} keys were evicted`);
});

test("many keys are evicted in slices, between which clients are served, until no keys are left", async () => {
  const database = makeDatabase();
  let now = 0;
  const environment = double<Environment>({ uptime: () => now++, random: () => 0 });
  const evictor = new Evictor("allkeys-random", database, environment);
  let exhausted = 0;
  evictor.free(Number.MAX_SAFE_INTEGER, () => exhausted++);
  const atOnce = evictor.evicted;
  assert.ok(atOnce > 0 && atOnce < KEYS);
  await until("no keys are left", () => exhausted > 0, { pause: nextTurn });
  assert.equal(evictor.evicted, KEYS);
  assert.equal(exhausted, 1);
});

/** Reads keys by number, a few milliseconds after they were created. */
function use(database: Database, numbers: readonly number[], at: number): void {
  database.usage.tick(at);
  for (const number of numbers)
    database.execute(["GET", `k${number}`], { at, db: number < KEYS / 2 ? 0 : 1, id: "u" });
}

const chanceOf = (random: SeededRandom) => () => random.below(2 ** 32) / 2 ** 32;
const used = all.filter((number) => number % 5 === 0);

for (const [policy, times] of [
  ["allkeys-lru", 1],
  ["volatile-lru", 1],
  ["allkeys-lfu", 200],
  ["volatile-lfu", 200],
] as const) {
  test(`${policy} keeps keys that were used ${times === 1 ? "recently" : "often"}`, () => {
    const usage = new KeyUsage(times === 1 ? "lru" : "lfu", chanceOf(new SeededRandom(seed(), times)));
    const database = makeDatabase(usage);
    for (let i = 0; i < times; i++) use(database, used, 900);
    const remaining = evict(policy, database, 4);
    const evicted = all.filter((number) => !remaining.has(number));
    if (policy.startsWith("volatile")) assert.ok(evicted.every((number) => number % 2 === 0));
    const evictedThoughUsed = evicted.filter((number) => number % 5 === 0);
    assert.ok(
      evictedThoughUsed.length < evicted.length / 20,
      `${evictedThoughUsed.length} of ${evicted.length}`,
    );
  });
}
