/**
 * Tests -d redis-cluster with six real processes: slots, commands for all masters, slots that move, and a master that
 * is killed.
 */
import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { pino } from "pino";
import "../../../test/support/all-families.js";
import type { Outcome } from "../../../daemon/engine/backends/backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { parseRedisGroup } from "../../../daemon/options/addresses/redis-addresses.js";
import { bulk, integer } from "../../../protocol/reply.js";
import { skipUnlessFull } from "../../../test/support/amount.js";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { listenAtFreePort } from "../../../test/support/free-port.js";
import { type Node, RedisCluster } from "../../../test/support/redis-cluster.js";
import { askRedis, textOf } from "../../../test/support/redis-connection.js";
import { until } from "../../../test/support/until.js";
import { redisCluster, slotOf } from "../redis-cluster.js";
import type { RedisGroupBackend } from "../server-group.js";
import { CountingLoad } from "./failing-over.js";

const OK = bulk("OK");
/** One key for each master. */
const KEYS = ["b", "c", "a"] as const;

function backendFor(ports: readonly number[], more: { timeout?: number; waitReplicas?: number } = {}) {
  return redisCluster({
    specification: parseRedisGroup(`redis-cluster:${ports.map((port) => `127.0.0.1:${port}`).join(",")}`),
    timeout: 10_000,
    environment: realEnvironment,
    log: pino({ level: "silent" }),
    ...more,
  });
}

describe("-d redis-cluster", () => {
  let cluster: RedisCluster;
  let backend: RedisGroupBackend;
  const run = async (...argv: string[]): Promise<Outcome> => await backend.execute(argv);

  before(async () => {
    cluster = await RedisCluster.start();
    backend = backendFor(cluster.ports.slice(0, 2));
    await backend.start();
  });
  after(async () => {
    await backend?.stop();
    await cluster?.[Symbol.asyncDispose]();
  });

  test("slots are the same as in Redis", async () => {
    const [{ port }] = cluster.nodes as [Node];
    for (const key of [...KEYS, "", "{user:7}.name", "a{}b{c}", "{", "x{{y}}z", "\xff\x00"])
      assert.deepEqual(await askRedis(port, "CLUSTER", "KEYSLOT", key), integer(slotOf(key)), key);
  });

  test("each command is sent to the master of its key, whichever nodes were configured", async () => {
    assert.deepEqual(
      KEYS.map((key) => Math.floor((slotOf(key) * 3) / 16_384)),
      [0, 1, 2],
    );
    for (const key of KEYS) assert.deepEqual(await run("SET", key, `of ${key}`), OK);
    for (const [i, key] of KEYS.entries())
      assert.equal(await textOf((cluster.nodes[i] as Node).port, "GET", key), `of ${key}`);
    await until("the backend is up", async () => backend.up);
    assert.equal(
      backend.server,
      cluster.ports
        .slice(0, 3)
        .map((port) => `127.0.0.1:${port}`)
        .join(","),
    );
    await run("FLUSHALL");
  });

  test("a command with keys in several slots is refused, and the refusal names the keys", async () => {
    const outcome = await run("MSET", "a", "1", "b", "2");
    assert.ok(outcome.kind === "error");
    assert.match(
      outcome.text,
      /^CROSSSLOT .*a in 15495, b in 3300; give their names the same part in braces/,
    );

    assert.deepEqual(await run("MSET", "{a}1", "1", "{a}2", "2"), OK);
    const both = await backend.executeTogether([
      ["SET", "a", "1"],
      ["SET", "b", "1"],
    ]);
    assert.ok(both.kind === "error" && both.text.startsWith("CROSSSLOT "), JSON.stringify(both));
    assert.deepEqual(await run("GET", "a"), { kind: "nil" });

    const one = await backend.executeTogether([
      ["INCR", "{a}n"],
      ["INCR", "{a}n"],
    ]);
    assert.deepEqual(one, { kind: "array", items: [integer(1), integer(2)] });
    await run("FLUSHALL");
  });

  test("a command for all masters runs on all of them, and a command for a single server is refused", async () => {
    const names = Array.from({ length: 200 }, (_, i) => `key:${i}`);
    await Promise.all(names.map((name) => run("SET", name, "v")));
    assert.deepEqual(await run("DBSIZE"), integer(200));

    const listed = await run("KEYS", "*");
    assert.ok(listed.kind === "array");
    assert.deepEqual(
      listed.items.map((item) => (item.kind === "bulk" ? item.bytes : "")).sort(),
      names.sort(),
    );

    const found = new Set<string>();
    for (let cursor = "0"; ; ) {
      const page = await run("SCAN", cursor, "COUNT", "20");
      assert.ok(page.kind === "array" && page.items[0]?.kind === "bulk" && page.items[1]?.kind === "array");
      for (const item of page.items[1].items) if (item.kind === "bulk") found.add(item.bytes);
      cursor = page.items[0].bytes;
      if (cursor === "0") break;
    }
    assert.equal(found.size, 200);

    const drawn = await run("RANDOMKEY");
    assert.ok(drawn.kind === "bulk" && names.includes(drawn.bytes));

    // FLUSHALL removes the keys of earlier commands, not of later ones, although the test does not wait for replies.
    const outcomes = await Promise.all([
      ...names.map((name) => run("SET", name, "w")),
      run("FLUSHALL"),
      ...KEYS.map((key) => run("SET", key, "new")),
    ]);
    assert.ok(
      outcomes.every((outcome) => outcome.kind === "bulk"),
      JSON.stringify(outcomes),
    );
    assert.deepEqual(await run("DBSIZE"), integer(3));

    for (const argv of [["INFO"], ["CONFIG", "GET", "*"], ["SWAPDB", "0", "1"]]) {
      const outcome = await run(...argv);
      assert.ok(
        outcome.kind === "error" && /names no key that selects a server/.test(outcome.text),
        JSON.stringify(outcome),
      );
    }

    assert.deepEqual(await run("PING"), bulk("PONG"));
    const selected = await run("SELECT", "1");
    assert.ok(selected.kind === "error" && /SELECT is not allowed in cluster mode/.test(selected.text));

    const script = "return redis.call('INCR', KEYS[1])";
    const loaded = await run("SCRIPT", "LOAD", script);
    assert.ok(loaded.kind === "bulk");
    for (const key of KEYS)
      assert.deepEqual(await run("EVALSHA", loaded.bytes, "1", `{${key}}n`), integer(1), key);

    const waiting = run("BLPOP", "queue", "0");
    await run("RPUSH", "queue", "v");
    assert.deepEqual(await waiting, { kind: "array", items: [bulk("queue"), bulk("v")] });
    await run("FLUSHALL");
  });

  test("a script cannot redirect the daemon to a server of its choice", async () => {
    let visits = 0;
    const server = createServer(() => visits++);
    await listenAtFreePort(server);
    const { port } = server.address() as AddressInfo;
    const other = backendFor(cluster.ports.slice(0, 1), { timeout: 500 });
    await other.start();
    await until("the backend is up", async () => other.up);
    const script = `return {err = 'MOVED ${slotOf("a")} 127.0.0.1:${port}'}`;
    const outcome = await other.execute(["EVAL", script, "1", "a"]);
    await other.stop();
    server.close();
    assert.ok(outcome.kind === "failed" && outcome.code === "database-down", JSON.stringify(outcome));
    assert.equal(visits, 0);
  });

  test("a slot moves while its keys are written, and no command is lost, repeated or reordered", async () => {
    const tag = "{b}";
    const slot = String(slotOf("b"));
    const [from, to] = [await cluster.masterOf(Number(slot)), cluster.nodes[1] as Node];
    const [fromId, toId] = [await cluster.idOf(from), await cluster.idOf(to)];
    const counters = Array.from({ length: 40 }, (_, i) => `${tag}:${i}`);
    let isMoved = false;
    let rounds = 0;
    const writing = (async () => {
      for (; !isMoved || rounds < 5; rounds++) {
        // Three commands of each kind are sent in one turn, because redirected commands must keep their order.
        const sent = counters.flatMap((key) => [
          run("INCR", key),
          run("APPEND", `${key}:log`, `${rounds},`),
          run("INCR", key),
        ]);
        for (const [i, outcome] of (await Promise.all(sent)).entries())
          if (i % 3 !== 1) assert.deepEqual(outcome, integer(2 * rounds + (i % 3 === 0 ? 1 : 2)));

        const together = await backend.executeTogether([
          ["INCR", `${tag}:t`],
          ["INCR", `${tag}:t`],
        ]);
        assert.deepEqual(together, {
          kind: "array",
          items: [integer(2 * rounds + 1), integer(2 * rounds + 2)],
        });
      }
    })();

    await textOf(to.port, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromId);
    await textOf(from.port, "CLUSTER", "SETSLOT", slot, "MIGRATING", toId);
    await until(
      "the slot is empty",
      async () => {
        const keys = await askRedis(from.port, "CLUSTER", "GETKEYSINSLOT", slot, "10");
        assert.ok(keys.kind === "array");
        const names = keys.items.map((item) => (item.kind === "bulk" ? item.bytes : ""));
        if (names.length === 0) return true;
        await askRedis(from.port, "MIGRATE", "127.0.0.1", String(to.port), "", "0", "5000", "KEYS", ...names);
        return false;
      },
      { mayFail: true },
    );
    for (const { port } of [to, from, cluster.nodes[2] as Node])
      await textOf(port, "CLUSTER", "SETSLOT", slot, "NODE", toId);

    isMoved = true;
    await writing;
    const log = Array.from({ length: rounds }, (_, i) => `${i},`).join("");
    for (const key of counters) assert.equal(await textOf(to.port, "GET", `${key}:log`), log);
    await run("FLUSHALL");
  });

  test("after a master is killed under load, acknowledged writes exist and no write was applied twice", {
    skip: skipUnlessFull,
  }, async () => {
    const list = `redis-cluster:${cluster.ports.map((port) => `127.0.0.1:${port}`).join(",")}`;
    await using daemon = await startDaemon(["-d", list, "--wait-replicas", "1", "--backend-timeout", "6s"]);
    await using load = new CountingLoad(daemon, 60);
    await load.more(600);

    const killed = await cluster.masterOf(slotOf("a"));
    killed.kill("SIGKILL");
    await until(
      "a replica has become the master",
      async () => (await cluster.masterOf(slotOf("a"), killed)) !== killed,
      { mayFail: true },
    );

    // The old master returns as a replica; without a replica no write would be confirmed.
    await cluster.startAgain(killed);
    await load.servesAgain();
    await load.more(1_000);
    await load.check();
  });
});
