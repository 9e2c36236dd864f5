/** Tests unmodified Redis clients with a sidecar and three daemons. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { createClient } from "../../../client/dbsync-send.js";
import { shown } from "../../../test/conformance/resp2-fold.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { until } from "../../../test/support/until.js";
import { type SidecarScene, startPlain, startScene, untilAll } from "./scene.js";

describe("one sidecar", () => {
  let scene: SidecarScene;
  before(async () => {
    scene = await startScene({ args: ["-p", "0"] });
  });
  after(() => scene[Symbol.asyncDispose]());
  beforeEach(async () => {
    using redis = await RedisConnection.open(scene.port);
    assert.deepEqual(await redis.call("FLUSHALL"), { kind: "status", text: "OK" });
    await untilAll(scene, ["DBSIZE"], 0);
  });

  test("a pipeline is sent in order, with few signatures, and its replies have the right types", async () => {
    using redis = await RedisConnection.open(scene.port);
    const counts = 500;
    for (let i = 0; i < counts; i++) redis.queue(["INCR", "n"]);
    redis.queue(["GET", "n"]);
    redis.queue(["ZADD", "z", "1.5", "m"]);
    redis.queue(["ZSCORE", "z", "m"]);

    const replies = await redis.flush();
    for (let i = 0; i < counts; i++) assert.deepEqual(replies[i], { kind: "integer", value: i + 1 });
    assert.deepEqual(replies.slice(counts), [
      { kind: "bulk", bytes: String(counts) },
      { kind: "integer", value: 1 },
      { kind: "bulk", bytes: "1.5" },
    ]);

    await redis.call("HELLO", "3");
    const [score] = [await redis.call("ZSCORE", "z", "m")];
    assert.equal(score?.kind, "double");
    assert.equal((await redis.call("HGETALL", "none")).kind, "map");
    await untilAll(scene, ["GET", "n"], String(counts));
  });

  test("databases, transactions and watched keys use one envelope, and a conflict is nil", async () => {
    using ann = await RedisConnection.open(scene.port);
    using bob = await RedisConnection.open(scene.port);
    await ann.call("SELECT", "3");
    await bob.call("SELECT", "3");

    for (const argv of [["MULTI"], ["SET", "k", "1"], ["INCR", "k"], ["LPUSH", "k", "x"], ["EXEC"]])
      ann.queue(argv);
    const transaction = (await ann.flush()).at(-1);
    assert.equal(transaction?.kind, "array");
    assert.deepEqual(transaction?.kind === "array" ? transaction.items.map(({ kind }) => kind) : [], [
      "status",
      "integer",
      "error",
    ]);

    assert.equal((await ann.call("WATCH", "k")).kind, "status");
    await bob.call("SET", "k", "bob");
    for (const argv of [["MULTI"], ["SET", "k", "ann"], ["EXEC"]]) ann.queue(argv);
    assert.equal((await ann.flush()).at(-1)?.kind, "nil-array");
    assert.deepEqual(await ann.call("GET", "k"), { kind: "bulk", bytes: "bob" });

    await ann.call("WATCH", "k");
    for (const argv of [["MULTI"], ["SET", "k", "ann"], ["EXEC"]]) ann.queue(argv);
    assert.equal((await ann.flush()).at(-1)?.kind, "array");
    assert.deepEqual(await bob.call("GET", "k"), { kind: "bulk", bytes: "ann" });

    await bob.call("SELECT", "0");
    assert.deepEqual(await bob.call("GET", "k"), { kind: "nil" });
  });

  test("reads of a consumer group are sent once, and deliver each entry", async () => {
    using redis = await RedisConnection.open(scene.port);
    const entries = 10;
    const count = { kind: "bulk", bytes: String(entries) } as const;
    await redis.call("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM");
    for (let i = 1; i <= entries; i++) await redis.call("XADD", "s", `1-${i}`, "f", "v");
    const read = ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "s", ">"] as const;
    const ids = [];
    for (let i = 0; i < entries; i++) ids.push(/\b1-\d+/.exec(shown(await redis.call(...read)))?.[0]);
    assert.deepEqual(
      ids,
      Array.from({ length: entries }, (_, i) => `1-${i + 1}`),
    );
    assert.equal((await redis.call(...read)).kind, "nil-array");
    const pending = await redis.call("XPENDING", "s", "g");
    assert.equal(shown(pending), `[:${entries} "1-1" "1-${entries}" [["c" ${shown(count)}]]]`);
  });

  test("a scan returns all keys in one page, whatever COUNT is, and other cursors are refused", async () => {
    using redis = await RedisConnection.open(scene.port);
    const names = Array.from({ length: 700 }, (_, n) => `n${n}`);
    await redis.call("MSET", ...names.flatMap((name) => [name, "v"]));
    await redis.call("HSET", "hash", ...names.flatMap((name) => [name, "v"]));
    await redis.call("SADD", "set", ...names);
    await redis.call("ZADD", "zset", ...names.flatMap((name, n) => [String(n), name]));

    const found = async (...argv: string[]) => {
      const reply = await redis.call(...(argv as [string]));
      assert.equal(reply.kind, "array", JSON.stringify(reply));
      const [cursor, items] = reply.kind === "array" ? reply.items : [];
      assert.deepEqual(cursor, { kind: "bulk", bytes: "0" });
      return items?.kind === "array" ? items.items.length : -1;
    };

    assert.equal(await found("SCAN", "0", "COUNT", "10", "MATCH", "n*"), 700);
    assert.equal(await found("SCAN", "0", "TYPE", "set"), 1);
    assert.equal(await found("HSCAN", "hash", "0", "COUNT", "1"), 1400);
    assert.equal(await found("SSCAN", "set", "0"), 700);
    assert.equal(await found("ZSCAN", "zset", "0", "MATCH", "n69?"), 20);

    for (const argv of [
      ["SCAN", "690"],
      ["HSCAN", "hash", "690"],
      ["SSCAN", "set", "7"],
    ]) {
      const reply = await redis.call(...(argv as [string]));
      assert.match(reply.kind === "error" ? reply.text : "", /^ERR invalid cursor: a scan through/);
    }

    for (const argv of [["MULTI"], ["SCAN", "690"], ["SCAN", "0"], ["EXEC"]]) redis.queue(argv);
    const executed = (await redis.flush()).at(-1);
    const items = executed?.kind === "array" ? executed.items : [];
    assert.deepEqual(
      items.map(({ kind }) => kind),
      ["error", "array"],
    );

    assert.equal((await redis.call("SCAN", "0", "COUNT", "0")).kind, "error");
    assert.equal((await redis.call("SCAN", "x")).kind, "error");
  });

  test("commands of version 1 are signed and sent as well", async () => {
    await using client = createClient({ servers: `127.0.0.1:${scene.sidecar.port}`, key: false });
    assert.equal(await client.send("SET k v"), "OK");
    assert.equal(await client.send("GET k"), "v");
    await untilAll(scene, ["GET", "k"], "v");
  });
});

test("an unknown key, and unreachable daemons, cause an error that names each daemon", async () => {
  await using scene = await startPlain({ isKeyUnknown: true });
  const { port } = await scene.sidecar();
  using redis = await RedisConnection.open(port);

  const refused = await redis.call("SET", "k", "v");
  assert.equal(refused.kind, "error");
  assert.match(
    refused.kind === "error" ? refused.text : "",
    /^NOTAPPLIED No daemon accepted the command: .*unknown-key.*fingerprint/,
  );

  for (const daemon of scene.daemons) await daemon.stop();
  // The sidecar may not have noticed yet that the last daemon has stopped.
  await until("the error reports that the daemons are unreachable", async () => {
    const failed = await redis.call("SET", "k", "v");
    const text = failed.kind === "error" ? failed.text : "";
    return /^NOTAPPLIED No daemon answered: .*is dbsyncd running there/.test(text);
  });
  assert.deepEqual(await redis.call("PING"), { kind: "status", text: "PONG" });
});
