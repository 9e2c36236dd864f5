/**
 * Tests decisions while members miss some of them. Two of five daemons are cut off while the others decide under plain
 * writes. When their connections return, they receive the newest decisions first, and two daemons that have the earlier
 * ones are cut off. No lock may have a second owner, although a majority is connected at every moment.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../client/public-api.js";
import { amount } from "../support/amount.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";

const DAEMONS = 5;
const ROUNDS = amount(1, 8);
/** Milliseconds for which two daemons are cut off. */
const CUT_MS = amount(1_500, 3_000);
/** Milliseconds between the return of their connections and the loss of those of two other daemons. */
const HEALED_MS: readonly [number, number] = [100, 1_600];
/** The number of locks that are acquired at the same time. */
const LANES = 4;
/** The plain writes of each turn, and their bytes: daemons that were cut off need a moment to receive them. */
const PLAIN_WRITES = 100;
const PLAIN_BYTES = 1_000;
const majority = { policy: "majority" } as const;

/** Tries to own a lock. Returns null if another client owns it, and undefined if that is unknown. */
const acquire = (client: Client, lock: string, owner: string): Promise<unknown> =>
  client.call(["SET", lock, owner, "NX"], { ...majority, timeout: 3_000 }).catch(() => undefined);

/** Acquires locks under plain writes until a time. @returns the locks that it owns */
async function acquireUntil(client: Client, name: string, deadline: number): Promise<string[]> {
  const owned: string[] = [];
  const value = name.padEnd(PLAIN_BYTES);
  const work = async (lane: number): Promise<void> => {
    for (let count = 0; performance.now() < deadline; count++) {
      for (let key = 0; key < PLAIN_WRITES; key++)
        void client.call(["SET", `plain:${key}`, value]).catch(() => {});
      const lock = `${name}:${lane}:${count}`;
      if ((await acquire(client, lock, "P")) === "OK") owned.push(lock);
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, lane) => work(lane)));
  return owned;
}

async function runRound(trio: Trio, random: SeededRandom, round: number): Promise<number> {
  const [a, b, c, d, e] = random.shuffled([0, 1, 2, 3, 4]) as [number, number, number, number, number];
  await using first = trio.client([a, b, c]);
  await using second = trio.client([c, d, e]);

  trio.cutOff([d, e]);
  const owned = await acquireUntil(first, `lock:${round}:cut`, performance.now() + CUT_MS);
  trio.cutOff([]);
  const healedUntil = performance.now() + random.between(...HEALED_MS);
  owned.push(...(await acquireUntil(first, `lock:${round}:healed`, healedUntil)));

  trio.cutOff([a, b]);
  const rivals = await Promise.all(owned.map((lock) => acquire(second, lock, "Q")));
  for (const [index, answer] of rivals.entries())
    assert.notEqual(answer, "OK", `${owned[index]} has two owners`);

  trio.cutOff([]);
  await using all = trio.client();
  await trio.until("all members decide again", async () => (await acquire(all, "probe", "P")) !== undefined);
  await trio.level(60_000);

  for (const lock of owned) {
    await trio.until(`${lock} has its owner`, async () => (await acquire(second, lock, "Q")) === null);
    assert.equal(await second.call(["GET", lock], majority), "P");
  }
  return owned.length;
}

test("a lock has one owner, although members that miss decisions and others are cut off in turn", async () => {
  await using trio = await Trio.make([], DAEMONS);
  await trio.openLinks();
  await trio.startAll();
  await trio.list();
  await trio.untilNoneIsLate();
  const random = new SeededRandom(seed(), 68);
  let owned = 0;
  for (let round = 0; round < ROUNDS; round++) owned += await runRound(trio, random, round);
  assert.ok(owned > 5 * ROUNDS, `${owned} locks`);
});
