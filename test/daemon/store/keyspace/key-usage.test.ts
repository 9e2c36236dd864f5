/** Tests the recency and the frequency of the use of keys, when they are tracked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../daemon/store/database.js";
import { KeyUsage, type UsageKind } from "../../../../daemon/store/keyspace/key-usage.js";
import type { UndoRecord } from "../../../../daemon/store/keyspace/undo.js";
import type { Reply } from "../../../../protocol/reply.js";
import { amount } from "../../../support/amount.js";
import { hasCode } from "../../../support/installed-families.js";
import { seed } from "../../../support/seed.js";
import { SeededRandom } from "../../../support/seeded-random.js";

const START = 1_790_000_000_000;
const MINUTE = 60_000;
const KEYS = amount(25, 60);

function makeScene(kind: UsageKind) {
  const random = new SeededRandom(seed(), 1);
  const chance = () => random.below(2 ** 32) / 2 ** 32;
  const database = new Database({ usage: new KeyUsage(kind, chance) });
  const state = { now: START };
  const run = (line: string): Reply => {
    database.usage.tick(state.now);
    return database.execute(line.split(" "), { at: state.now, db: 0, id: "u" });
  };
  const numberOf = (line: string): number => {
    const reply = run(line);
    assert.ok(reply.kind === "integer", JSON.stringify(reply));
    return Number(reply.value);
  };
  return { database, state, run, numberOf };
}

test("the idle time counts from the last command that used the key", () => {
  const { state, run, numberOf } = makeScene("lru");
  run("SET k v");
  run("LPUSH l a");
  assert.equal(numberOf("OBJECT IDLETIME k"), 0);
  state.now += 10_999;
  assert.equal(numberOf("OBJECT IDLETIME k"), 10);

  for (const line of [
    "TYPE k",
    "TTL k",
    "EXISTS k",
    "OBJECT ENCODING k",
    "SCAN 0",
    "KEYS *",
    "MEMORY USAGE k",
  ]) {
    run(line);
    assert.equal(numberOf("OBJECT IDLETIME k"), 10, line);
  }

  for (const line of ["GET k", "TOUCH k", "STRLEN k", "MGET none k", "APPEND k x", "SET k v", "COPY k j"]) {
    state.now += 5000;
    assert.ok(numberOf("OBJECT IDLETIME k") >= 5, line);
    run(line);
    assert.equal(numberOf("OBJECT IDLETIME k"), 0, line);
  }

  run("FLUSHALL");
  run("SET k v");
  state.now += 3000;
  assert.equal(numberOf("OBJECT IDLETIME k"), 3);
  assert.equal(run("OBJECT IDLETIME none").kind, "nil");
  assert.match(JSON.stringify(run("OBJECT FREQ k")), /An LFU maxmemory policy is not selected/);
});

test("a key that was not read again is evicted before a key that was, even if both are equally old", () => {
  const { database, state, run } = makeScene("lru");
  run("SET cold v");
  run("SET hot v");
  state.now += 100;
  run("GET hot");
  const worth = (key: string) => {
    const entry = database.keyspaces[0]?.find(key);
    assert.ok(entry !== undefined);
    return database.usage.worth(entry);
  };
  assert.ok(worth("cold") < worth("hot"));
});

/**
 * Returns mean and variance of Redis's counter after a number of hits. Each hit increases a counter with the value c
 * with the probability 1 / (1 + 10 (c - 5)).
 */
function countAfter(hits: number): { mean: number; variance: number } {
  let chances = new Float64Array(256);
  chances[5] = 1;
  for (let hit = 0; hit < hits; hit++) {
    const next = new Float64Array(256);
    for (let count = 5; count < 256; count++) {
      const isRaised = count < 255 ? chances[count]! / (1 + 10 * (count - 5)) : 0;
      next[count]! += chances[count]! - isRaised;
      if (isRaised > 0) next[count + 1]! += isRaised;
    }
    chances = next;
  }
  const mean = chances.reduce((sum, chance, count) => sum + chance * count, 0);
  return { mean, variance: chances.reduce((sum, chance, count) => sum + chance * (count - mean) ** 2, 0) };
}

test("the use count grows as in Redis, the more slowly the higher it is, up to 255", () => {
  const { run, numberOf } = makeScene("lfu");
  for (const [hits, about] of [
    [0, 5],
    [100, 10],
    [1000, 19],
    [10_000, 50],
  ] as const) {
    const { mean, variance } = countAfter(hits);
    assert.equal(Math.round(mean), about);
    let sum = 0;
    for (let i = 0; i < KEYS; i++) {
      run(`SET k${i} v`);
      for (let j = 0; j < hits; j++) run(`GET k${i}`);
      sum += numberOf(`OBJECT FREQ k${i}`);
      run(`DEL k${i}`);
    }
    // The limit is six standard deviations.
    const most = 6 * Math.sqrt(variance / KEYS);
    assert.ok(Math.abs(sum / KEYS - mean) <= most, `${hits} hits: ${sum / KEYS}, not ${mean} ± ${most}`);
  }
  assert.match(
    JSON.stringify(run("SET k v") && run("OBJECT IDLETIME k")),
    /An LFU maxmemory policy is selected/,
  );
});

test("the use count decreases by one a minute, not below 0", () => {
  const { state, run, numberOf } = makeScene("lfu");
  run("SET k v");
  for (let i = 0; i < 1000; i++) run("GET k");
  const count = numberOf("OBJECT FREQ k");
  assert.ok(count > 5);
  state.now += 5 * MINUTE;
  assert.equal(numberOf("OBJECT FREQ k"), count - 5);
  state.now += 1000 * MINUTE;
  assert.equal(numberOf("OBJECT FREQ k"), 0);
  run("GET k");
  assert.ok([0, 1].includes(numberOf("OBJECT FREQ k")));
});

test("the idle time of a key that RESTORE created counts from the time that RESTORE names", {
  skip: !hasCode("RESTORE"),
}, () => {
  const { state, run, numberOf } = makeScene("lru");
  run("SET k v");
  const payload = run("DUMP k");
  assert.ok(payload.kind === "bulk");
  run(`RESTORE j 0 ${payload.bytes} IDLETIME 1000000`);
  assert.equal(numberOf("OBJECT IDLETIME j"), 1_000_000);
  state.now += 5000;
  assert.equal(numberOf("OBJECT IDLETIME j"), 1_000_005);
  run("GET j");
  assert.equal(numberOf("OBJECT IDLETIME j"), 0);
});

test("a key that undo restores counts as used now", () => {
  const { database, state, run, numberOf } = makeScene("lru");
  run("SET k v");
  state.now += 50_000;
  database.usage.tick(state.now);
  const records: UndoRecord[] = [];
  database.execute(["DEL", "k"], { at: state.now, db: 0, id: "u" }, records);
  database.undo(records);
  assert.equal(numberOf("OBJECT IDLETIME k"), 0);
});

test("a command that is applied again is no use of its keys", () => {
  const { database, state, run, numberOf } = makeScene("lru");
  run("SET k v");
  state.now += 50_000;
  run("GET k");
  run("SET j v");
  state.now += 3000;
  database.usage.tick(state.now);

  database.isRedoing = true;
  for (const key of ["k", "j", "new"])
    database.execute(["APPEND", key, "x"], { at: START + 1000, db: 0, id: "u" });
  database.isRedoing = false;

  assert.equal(numberOf("OBJECT IDLETIME k"), 3);
  assert.equal(numberOf("OBJECT IDLETIME j"), 3);
  assert.equal(numberOf("OBJECT IDLETIME new"), 0);
  run("GET j");
  assert.equal(numberOf("OBJECT IDLETIME j"), 0);
});

test("the idle time of keys that were folded before the start counts from the start", () => {
  const { database, state, run, numberOf } = makeScene("lru");
  for (const [key, age] of [
    ["old", 500_000],
    ["older", 900_000],
  ] as const)
    database.execute(["SET", key, "v"], { at: START - age, db: 0, id: "u" });
  database.usage.tick(START);
  state.now += 7000;
  assert.equal(numberOf("OBJECT IDLETIME old"), 7);
  run("GET old");
  assert.equal(numberOf("OBJECT IDLETIME old"), 0);
  assert.equal(numberOf("OBJECT IDLETIME older"), 7);
});
