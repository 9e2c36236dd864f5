/** Consumes points, blocks, rewards, and uses several keys in one call. Argument: the port. */
import assert from "node:assert/strict";
import { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";

const storeClient = new Redis({ port: Number(process.argv[2]), enableOfflineQueue: false });
await new Promise((resolve) => storeClient.once("ready", resolve));
const limiter = new RateLimiterRedis({ storeClient, points: 5, duration: 600, blockDuration: 600 });

const taken = [];
for (let i = 0; i < 5; i++) taken.push((await limiter.consume("guest")).remainingPoints);
assert.deepEqual(taken, [4, 3, 2, 1, 0]);
const refused = await limiter.consume("guest").then(
  () => assert.fail("a sixth point"),
  (reason) => reason,
);
assert.equal(refused.remainingPoints, 0);
assert.ok(refused.msBeforeNext > 400_000);
assert.equal((await limiter.get("guest")).consumedPoints, 6);

await limiter.consume("other", 3);
await limiter.reward("other", 2);
await limiter.penalty("other", 1);
assert.equal((await limiter.get("other")).consumedPoints, 2);
assert.ok(await limiter.delete("guest"));
assert.equal(await limiter.get("guest"), null);
assert.equal((await limiter.consume("guest")).remainingPoints, 4);
await limiter.block("guest", 100);
await assert.rejects(limiter.consume("guest"), (reason) => reason.remainingPoints === 0);
const both = await Promise.allSettled(Array.from({ length: 8 }, () => limiter.consume("crowd")));
assert.equal(both.filter(({ status }) => status === "fulfilled").length, 5);
storeClient.disconnect();
