/**
 * Tests real daemons that were stopped, are killed at random moments, or are unreachable. In the end all daemons have
 * all entries.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Client, DbsyncError } from "../../client/public-api.js";
import { amount } from "../support/amount.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";

/** The timeout in milliseconds. It is long because the machine may be busy. */
const LEVEL_MS = 120_000;
/** The number of concurrent calls. The client sends several calls in one envelope. */
const AT_ONCE = 500;
const KEYS = amount(2000, 8000);
const KEYS_OF_KILLED = amount(2000, 10_000);
const KILLS = amount(1, 4);
const WRITES_IN_FLIGHT = amount(500, 2000);

/** Sets each key `from` … `to - 1` to its number. */
async function setNumbers(client: Client, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, to - start) }, (_, index) => start + index);
    await Promise.all(numbers.map((number) => client.call(["SET", `n:${number}`, number])));
  }
}

async function sizes(): Promise<unknown[]> {
  const replies: unknown[] = [];
  for (const index of trio.ports.keys()) {
    await using client = trio.client([index]);
    replies.push(await client.call("DBSIZE"));
  }
  return replies;
}

let trio: Trio;
before(async () => {
  trio = await Trio.start();
});
after(() => trio[Symbol.asyncDispose]());

test("a daemon that missed thousands of commands catches up after its restart", async (t) => {
  await using client = trio.client([0, 1]);
  await setNumbers(client, 0, 100);
  await trio.level(LEVEL_MS);
  await trio.end(2, "SIGKILL");
  await setNumbers(client, 100, KEYS);
  await trio.start(2);
  t.diagnostic(`level after ${Math.round(await trio.level(LEVEL_MS))} ms`);
  assert.deepEqual(await sizes(), [KEYS, KEYS, KEYS]);
});

test("a daemon that is killed repeatedly while it catches up has all entries in the end", async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`replay with DBSYNC_SEED=${seed}`);
  const random = new SeededRandom(seed);

  await trio.end(2, "SIGKILL");
  await using client = trio.client([0, 1]);
  await setNumbers(client, KEYS, KEYS + KEYS_OF_KILLED);

  for (let kills = 0; kills < KILLS; kills++) {
    await trio.start(2);
    const lived = random.below(400);
    await new Promise((resolve) => setTimeout(resolve, lived));
    await trio.end(2, "SIGKILL");
  }

  await trio.start(2);
  await trio.level(LEVEL_MS);
  const all = KEYS + KEYS_OF_KILLED;
  assert.deepEqual(await sizes(), [all, all, all]);
});

test("a write to one daemon reaches all daemons, in either direction", async () => {
  for (const index of trio.ports.keys()) {
    await using client = trio.client([index]);
    await client.multi([
      ["INCR", "visits"],
      ["RPUSH", "visitors", `${index}`],
    ]);
    await trio.level(LEVEL_MS);
  }
  for (const index of trio.ports.keys()) {
    await using client = trio.client([index]);
    assert.deepEqual(await client.call("LRANGE visitors 0 -1"), ["0", "1", "2"]);
    assert.equal(await client.send("GET visits"), "3");
  }
});

test("a daemon that receives SIGTERM during writes loses no acknowledged write", async () => {
  await using client = trio.client([0]);
  const outcomes = new Map<string, "acknowledged" | "unknown" | "not-applied">();
  let isOver = false;
  const writer = async (name: number) => {
    for (let number = 0; !isOver; number++) {
      const key = `${name}:${number}`;
      try {
        await client.send(["SET", key, key]);
        outcomes.set(key, "acknowledged");
      } catch (problem) {
        assert.ok(problem instanceof DbsyncError);
        outcomes.set(key, problem.effect);
        isOver = true;
      }
    }
  };

  const writers = Promise.all(Array.from({ length: 64 }, (_, name) => writer(name)));
  await trio.until("writes are in flight", async () => outcomes.size > WRITES_IN_FLIGHT);
  const { code } = await trio.end(0, "SIGTERM");
  assert.equal(code, 0);
  await writers;
  await trio.start(0);
  await trio.level(LEVEL_MS);

  await using reader = trio.client([0]);
  for (const [key, outcome] of outcomes) {
    const value = await reader.send(["GET", key]);
    if (outcome === "acknowledged") assert.equal(value, key);
    if (outcome === "not-applied") assert.equal(value, null, key);
  }
});
