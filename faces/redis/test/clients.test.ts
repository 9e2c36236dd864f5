/** Tests common Redis clients. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Redis } from "ioredis";
import { redisCli } from "../../../test/support/redis-cli.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { startResp } from "./scene.js";

const skip = skipWithout("redis-server");

test("redis-cli works with RESP2, RESP3 and pipes", { skip }, async () => {
  await using scene = await startResp();
  assert.equal(await redisCli(scene.port, ["set", "k", "v"]), "OK\n");
  assert.equal(await redisCli(scene.port, ["-3", "hset", "h", "f", "1"]), "1\n");
  assert.equal(await redisCli(scene.port, ["-3", "--json", "hgetall", "h"]), '{"f":"1"}\n');
  const commands = Array.from({ length: 1000 }, (_, i) => `SET k${i} ${i}\r\n`).join("");
  assert.match(await redisCli(scene.port, ["--pipe"], commands), /errors: 0, replies: 1000/);
  assert.equal(await redisCli(scene.port, ["dbsize"]), "1002\n");
  assert.equal(await redisCli(scene.port, ["-n", "3", "dbsize"]), "0\n");
});

test("redis-benchmark runs against the listener", { skip }, async () => {
  await using scene = await startResp();
  const child = spawn("redis-benchmark", [
    ...["-p", String(scene.port), "-n", "500", "-c", "5", "-P", "4", "-q"],
    ...["-t", "set,get,incr,lpush,rpop,sadd,hset,zadd,mset"],
  ]);
  const [code] = await once(child, "close");
  assert.equal(code, 0);
});

test("ioredis runs commands, pipelines and transactions", async () => {
  await using scene = await startResp({ users: ["user default off", "user ann on >secret ~* +@all"] });
  const redis = new Redis({
    port: scene.port,
    username: "ann",
    password: "secret",
    db: 2,
    enableReadyCheck: false,
  });
  try {
    assert.equal(await redis.set("k", "1"), "OK");
    assert.equal(await redis.incr("k"), 2);
    const results = await redis.pipeline().get("k").lpush("k", "a").hset("h", { a: 1 }).exec();
    assert.deepEqual(
      results?.map(([problem, value]) => problem?.message ?? value),
      ["2", "WRONGTYPE Operation against a key holding the wrong kind of value", 1],
    );
    await redis.watch("k");
    assert.deepEqual(await redis.multi().incr("k").hgetall("h").exec(), [
      [null, 3],
      [null, { a: "1" }],
    ]);
    await redis.watch("k");
    await redis.set("k", "9");
    assert.equal(await redis.multi().incr("k").exec(), null);
    assert.deepEqual(await redis.getBuffer("k"), Buffer.from("9"));
  } finally {
    redis.disconnect();
  }
});
