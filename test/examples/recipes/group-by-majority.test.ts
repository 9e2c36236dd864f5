/**
 * The guarantee of docs/consistency.md about a group that is read by `majority`: of two racing readers, at most
 * one receives the entries, and no entry is lost.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { shareTrio } from "./cut-trio.js";

const trioOfFile = shareTrio();

const CALL_MS = 3000;
const MAJORITY = { policy: "majority" } as const;
const read = (consumer: string, from: string) => ["XREADGROUP", "GROUP", "g", consumer, "STREAMS", "s", from];

test("of two consumers that race by majority one at most is told an entry; who is not told finds it pending", async () => {
  await using cut = await trioOfFile();
  const client = cut.client();
  await client.send(["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"]);
  await client.send(["XADD", "s", "*", "n", "1"]);
  await cut.trio.level(60_000);
  cut.areApart = true;
  // Each is first at one daemon, which delivers the entry to it; neither has a majority.
  const some = [await cut.reaching([0], { timeout: CALL_MS }), await cut.reaching([1], { timeout: CALL_MS })];
  const told = await Promise.allSettled(some.map((one, i) => one.call(read(`c${i}`, ">"), MAJORITY)));
  assert.deepEqual(
    told.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  const all = cut.client({ timeout: CALL_MS });
  // Two of three daemons have delivered it, each to a different consumer.
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
    "in the order of all it was handed to one",
  );
});

test("with all daemons there no entry is told to two of those that race", async () => {
  await using cut = await trioOfFile();
  const consumers = ["c0", "c1", "c2", "c3"];
  const clients = consumers.map(() => cut.client());
  const [client = cut.client()] = clients;
  await client.send(["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"]);
  const seen: string[] = [];
  for (let round = 0; round < 10; round++) {
    await client.send(["XADD", "s", `${round + 1}-1`, "n", String(round)]);
    await cut.trio.level(60_000);
    const told = await Promise.allSettled(clients.map((one, i) => one.call(read(`c${i}`, ">"), MAJORITY)));
    for (const one of told)
      if (one.status === "fulfilled")
        for (const [, entries] of (one.value ?? []) as [string, [string][]][])
          seen.push(...entries.map(([id]) => id));
  }
  assert.equal(new Set(seen).size, seen.length, "none was told twice");
});
