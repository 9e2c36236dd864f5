/** Tests that docs/commands.md is about the commands of the installed redis-server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RedisConnection } from "../support/redis-connection.js";
import { startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { redisCommands } from "./page.js";

test("redisCommands returns the names of redis-server", { skip: skipWithout("redis-server") }, async () => {
  await using server = await startRedis();
  using redis = await RedisConnection.open(server.port);
  const reply = await redis.call("COMMAND", "LIST");
  const names =
    reply.kind === "array" ? reply.items.map((item) => (item.kind === "bulk" ? item.bytes : "")) : [];
  assert.deepEqual(redisCommands().toSorted(), names.toSorted());
});
