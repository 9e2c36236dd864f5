/** Tests the rate limiter for Redis clients of examples/recipes, with one daemon with a timeline. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { RedisRateLimit } from "../../../examples/recipes/redis-rate-limit.js";
import { makeFolder, startReplica } from "../../daemon/program/replicas.js";
import { makeKeyPair } from "../../support/envelope-client.js";

const LIMIT = 6;
const ASKED = 15;
/** The length of a slot. It exceeds the duration of the test. */
const SLOT_MS = 1e12;

test("the limiter for Redis clients admits exactly the limit at one daemon, and its counts expire", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({
    args: ["-s", makeKeyPair().file, "--data", folder.path, "--resp", "0"],
  });
  const port = replica.daemon.addressOf("resp")?.port ?? 0;
  const clients = [new Redis(port), new Redis(port)] as const;
  try {
    const limits = clients.map((client) => new RedisRateLimit(client, LIMIT, SLOT_MS));
    const ask = (_: unknown, i: number) => (limits[i % 2] as RedisRateLimit).admit("ada");
    const admitted = await Promise.all(Array.from({ length: ASKED }, ask));
    assert.equal(admitted.filter(Boolean).length, LIMIT);
    assert.equal(await (limits[0] as RedisRateLimit).admit("grace"), true);
    for (const key of await clients[0].keys("rate:*")) assert.ok((await clients[0].pttl(key)) > 0, key);
    await clients[0].set(`rate:alan:${Math.floor(Date.now() / SLOT_MS)}`, "no number");
    await assert.rejects((limits[0] as RedisRateLimit).admit("alan"), /not an integer/);
  } finally {
    for (const client of clients) client.disconnect();
  }
});
