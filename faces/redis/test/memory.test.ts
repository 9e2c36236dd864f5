/** Compares the answers while memory is full with the answers of a redis-server above its maxmemory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemoryLimit } from "../../../daemon/engine/memory/memory-limit.js";
import type { Reply } from "../../../protocol/reply.js";
import { double } from "../../../test/support/double.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { startRedis } from "../../../test/support/redis-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { startResp } from "./scene.js";

/** The commands before memory is full, while memory is full, and after memory is free again. */
type Conversation = readonly [before: readonly string[], full: readonly string[], after: readonly string[]];

const CONVERSATIONS: Readonly<Record<string, Conversation>> = {
  "commands that may need memory are refused, and reads and deletions are served": [
    ["SET k 1", "RPUSH l 1 2 3", "HSET h f v"],
    [
      ...[
        "SET k 2",
        "APPEND k x",
        "INCR k",
        "GETSET k 1",
        "RPUSH l 4",
        "HSET h f w",
        "SADD s a",
        "ZADD z 1 a",
      ],
      ...["GET k", "LRANGE l 0 -1", "STRLEN k", "EXISTS k h", "TTL k", "PING", "ECHO x", "DBSIZE"],
      ...["LPOP l", "HDEL h f", "EXPIRE k 100", "PERSIST k", "DEL k", "SET k 3", "NOSUCH", "SET k"],
    ],
    ["SET k 3", "GET k", "FLUSHALL"],
  ],
  "no command can be queued, and the transaction fails": [
    ["SET k 1"],
    ["MULTI", "GET k", "EXEC", "MULTI", "PING", "DISCARD", "GET k", "MULTI", "MULTI", "EXEC"],
    ["MULTI", "GET k", "EXEC", "DEL k"],
  ],
  "a transaction that began before memory was full runs if it needs no memory": [
    ["SET k 1", "MULTI", "GET k", "DEL k"],
    ["EXEC", "GET k"],
    ["GET k"],
  ],
  "a transaction that began before memory was full is refused if it needs memory": [
    ["SET k 1", "MULTI", "DEL k", "SET k 2"],
    ["EXEC", "EXEC", "GET k"],
    ["MULTI", "SET k 1", "EXEC", "DEL k"],
  ],
  "a transaction can be discarded": [["MULTI", "SET k 1"], ["DISCARD", "GET k"], ["GET k"]],
  "RESET ends a transaction": [["MULTI", "SET k 1"], ["RESET", "GET k"], ["GET k"]],
  "a transaction in which a command was refused fails even if memory is free again": [
    ["MULTI"],
    ["SET k 1"],
    ["SET k 1", "EXEC", "GET k"],
  ],
};

async function talk(
  port: number,
  conversation: Conversation,
  fill: (isFull: boolean) => Promise<void>,
): Promise<Reply[]> {
  using client = await RedisConnection.open(port);
  const all: Reply[] = [];
  for (const [part, commands] of conversation.entries()) {
    await fill(part === 1);
    for (const command of commands) client.queue(command.split(" "));
    all.push(...(await client.flush()));
  }
  return all;
}

test("answers while memory is full equal redis-server's", {
  skip: skipWithout("redis-server"),
}, async (t) => {
  let isFull = false;
  const memory = double<MemoryLimit>({
    get isFull() {
      return isFull;
    },
    refuses: (needsMemory) => isFull && needsMemory,
    refusal: () => assert.fail("for signed commands only"),
  });

  await using redis = await startRedis();
  using admin = await RedisConnection.open(redis.port);
  await using ours = await startResp({ memory });

  for (const [name, conversation] of Object.entries(CONVERSATIONS)) {
    await t.test(name, async () => {
      const theirs = await talk(redis.port, conversation, async (full) => {
        await admin.call("CONFIG", "SET", "maxmemory", full ? "1" : "0");
      });
      const ourReplies = await talk(ours.port, conversation, async (full) => {
        isFull = full;
      });
      assert.deepEqual(ourReplies, theirs);
    });
  }
});
