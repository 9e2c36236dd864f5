/**
 * Tests that `redis-cli --rdb` copies all keys of a daemon, and that a redis-server that starts from the copy has the
 * same data.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { Reply } from "../../../protocol/reply.js";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { startRedis } from "../../../test/support/redis-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { lines } from "./redis-comparison.js";
import { exchange, startResp } from "./scene.js";

const skip = skipWithout("redis-server");
const run = promisify(execFile);

const FILLED = [
  ...["SET s value", "SET later value PX 90000000", "RPUSH l a b c", "SADD t x y", "HSET h f v g w"],
  ...[
    "ZADD z 1.5 a 2 b",
    "XADD m 1-1 f v",
    "PFADD p a b",
    `SET long ${"x".repeat(70_000)}`,
    "SELECT 3",
    "SET s other",
  ],
];
const ASKED = [
  ...[
    "GET s",
    "LRANGE l 0 -1",
    "SORT t ALPHA",
    "HGET h g",
    "ZRANGE z 0 -1 WITHSCORES",
    "XRANGE m - +",
    "PFCOUNT p",
  ],
  ...["STRLEN long", "PEXPIRETIME later", "DBSIZE", "SELECT 3", "GET s", "DBSIZE"],
];

async function answersOf(port: number): Promise<readonly Reply[]> {
  using client = await RedisConnection.open(port);
  for (const line of ASKED) client.queue(line.split(" "));
  return await client.flush();
}

test("redis-cli --rdb writes a file with which redis-server starts", { skip }, async () => {
  using folder = makeFolder();
  await using scene = await startResp();
  await exchange(scene.port, lines(...FILLED));
  const file = join(folder.path, "dump.rdb");
  await run("redis-cli", ["-p", String(scene.port), "--rdb", file]);
  await using redis = await startRedis({ args: ["--dir", folder.path] });
  assert.deepEqual(await answersOf(redis.port), await answersOf(scene.port));
});

test("a replica, and keys that cannot be represented in Redis, receive an error instead of a file", {
  skip,
}, async () => {
  await using scene = await startResp();
  assert.match(await exchange(scene.port, lines("SYNC")), /^-ERR a daemon has no replicas: .*--rdb/);
  assert.match(await exchange(scene.port, lines("PSYNC ? -1")), /^-ERR a daemon has no replicas/);
  await exchange(scene.port, lines("DOC.CREATE d"));
  assert.match(
    await exchange(scene.port, lines("REPLCONF rdb-only 1", "SYNC")),
    /^\+OK\r\n-ERR key 'd' of database 0: a document has no form in Redis/,
  );
  using folder = makeFolder();
  const file = join(folder.path, "dump.rdb");
  await assert.rejects(run("redis-cli", ["-p", String(scene.port), "--rdb", file]));
});
