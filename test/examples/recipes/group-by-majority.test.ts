/**
 * Tests the guarantee of docs/consistency.md for a consumer group that is read with `majority`: of two concurrent
 * readers at most one receives an entry, and no entry is lost.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { shareTrio } from "./cut-trio.js";

const trioOfFile = shareTrio();

const CALL_MS = 3000;
const MAJORITY = { policy: "majority" } as const;
const read = (consumer: string, from: string) => ["XREADGROUP", "GROUP", "g", consumer, "STREAMS", "s", from];

test("an entry that no consumer receives by majority stays pending for one of the consumers", async () => {
  await using cut = await trioOfFile();
  const client = cut.client();
  await client.send(["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"]);
  await client.send(["XADD", "s", "*", "n", "1"]);
  await cut.trio.level(60_000);
  cut.areApart = true;
  // Each consumer is the first to read on its daemon, so that daemon delivers the entry to it. Neither has a majority.
  const some = [await cut.reaching([0], { timeout: CALL_MS }), await cut.reaching([1], { timeout: CALL_MS })];
  const results = await Promise.allSettled(some.map((one, i) => one.call(read(`c${i}`, ">"), MAJORITY)));
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  const all = cut.client({ timeout: CALL_MS });
  // Two of three daemons have delivered the entry, each to a different consumer.
  const late = await all.call(read("c2", ">"), MAJORITY).catch(() => null);
  assert.equal(late, null);

  await cut.heal();
  const pending = await Promise.all(
    ["c0", "c1", "c2"].map(async (consumer) => {
      const streams = (await client.call(read(consumer, "0"))) as [string, unknown[]][] | null;
      return streams?.[0]?.[1].length ?? 0;
    }),
  );
  assert.deepEqual(
    pending.toSorted((a, b) => a - b),
    [0, 0, 1],
    "in the final order the entry was delivered to one consumer",
  );
});

test("with all daemons running, no entry is delivered to two concurrent consumers", async () => {
  await using cut = await trioOfFile();
  const consumers = ["c0", "c1", "c2", "c3"];
  const clients = consumers.map(() => cut.client());
  const [client = cut.client()] = clients;
  await client.send(["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"]);

  const delivered: string[] = [];
  for (let round = 0; round < 10; round++) {
    await client.send(["XADD", "s", `${round + 1}-1`, "n", String(round)]);
    await cut.trio.level(60_000);
    const results = await Promise.allSettled(clients.map((one, i) => one.call(read(`c${i}`, ">"), MAJORITY)));
    for (const one of results)
      if (one.status === "fulfilled")
        for (const [, entries] of (one.value ?? []) as [string, [string][]][])
          delivered.push(...entries.map(([id]) => id));
  }
  assert.equal(new Set(delivered).size, delivered.length, "no entry was delivered twice");
});
