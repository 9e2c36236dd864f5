/** Tests what a daemon records of scripts: one unit for each, with the writes of the script. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { integer, type Reply } from "../../../../protocol/reply.js";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { makeFolder, type RunningReplica, startReplica } from "../../../../test/daemon/program/replicas.js";
import { makeKeyPair } from "../../../../test/support/envelope-client.js";
import { RedisConnection } from "../../../../test/support/redis-connection.js";
import { answers } from "../redis-comparison.js";

const app = makeKeyPair();
const respPort = ({ daemon }: RunningReplica) => daemon.addressOf("resp")?.port ?? 0;

async function withDaemon(
  run: (port: number, restarted: () => Promise<number>) => Promise<void>,
  options: readonly string[] = [],
): Promise<void> {
  using folder = makeFolder();
  const args = ["-s", app.file, "--data", folder.path, "--resp", "0", ...options];
  let replica = await startReplica({ args });
  try {
    await run(respPort(replica), async () => {
      await replica.daemon.stop();
      replica = await startReplica({ args });
      return respPort(replica);
    });
  } finally {
    await replica.daemon.stop();
  }
}

test("a script is one unit: its commands have one writer, and the state stays the same after a restart", () =>
  withDaemon(async (port, restarted) => {
    const script =
      "redis.call('set', 'a', 1) redis.call('incr', 'a') redis.call('rpush', 'l', redis.call('get', 'a')) " +
      "for i = 1, 300 do redis.call('sadd', 's', 'm' .. i) end local m = redis.call('spop', 's') redis.call('set', 'popped', m) " +
      "local id = redis.call('xadd', 'log', '*', 'f', 'v') redis.call('set', 'id', id) return {m, id}";
    using client = await RedisConnection.open(port);
    const reply = await client.call("EVAL", script, "0");
    const [member, id] = reply.kind === "array" ? reply.items : [];

    const state = async (one: RedisConnection): Promise<readonly Reply[]> => [
      await one.call("MGET", "a", "popped", "id"),
      await one.call("LRANGE", "l", "0", "-1"),
      await one.call("SISMEMBER", "s", member?.kind === "bulk" ? member.bytes : ""),
      await one.call("XRANGE", "log", "-", "+"),
    ];

    const [values, list, isMember, entries] = await state(client);
    assert.equal(reply.kind, "array");
    assert.deepEqual(values, { kind: "array", items: [{ kind: "bulk", bytes: "2" }, member, id] });
    assert.deepEqual(list, { kind: "array", items: [{ kind: "bulk", bytes: "2" }] });
    assert.deepEqual(isMember, integer(0));
    assert.ok(
      JSON.stringify(entries).includes(JSON.stringify(id)),
      "the entry has the id that the client received",
    );

    const writers = await client.call("WRITERS", "a", "l", "s", "popped", "id", "log");
    assert.equal(
      new Set(writers.kind === "array" ? writers.items.map((item) => JSON.stringify(item)) : []).size,
      1,
    );

    const before = await state(client);
    using again = await RedisConnection.open(await restarted());
    assert.deepEqual(await state(again), before);
  }));

test("an entry of a document has the number that its script received", () =>
  withDaemon(async (port) => {
    using client = await RedisConnection.open(port);
    await client.call("DOC.CREATE", "d");
    const script =
      `redis.call('doc.insert', 'd', 'EX', '1000', 'NOCHECK', '{"a":1}', '{"a":2}') ` +
      `redis.call('doc.insert', 'd', 'KEYS', 'own', '{"a":3}') return redis.call('doc.insert', 'd', '{"a":4}')`;
    const reply = await client.call("EVAL", script, "0");
    const stored = await client.call("DOC.GET", "d");
    const [key] = itemsOf(reply);
    const [, first, , second, ownKey, ownEntry, lastKey, last] = itemsOf(stored);
    assert.deepEqual([first, second, ownKey, ownEntry], ['{"a":1}', '{"a":2}', "own", '{"a":3}']);
    assert.deepEqual([lastKey, last], [key, '{"a":4}']);
  }));

test("an entry that DOC.UPDATE adds in a script has the id that the script received, also after a restart", () =>
  withDaemon(async (port, restarted) => {
    using client = await RedisConnection.open(port);
    await client.call("DOC.CREATE", "d");
    const ids: (ByteString | null)[] = [];
    for (const options of [[], ["LIMIT", "0", "1"], ["KEY", "own"]]) {
      const update = ["DOC.UPDATE", "d", '{"a":1}', "WHERE", '{"a":2}', ...options, "UPSERT"];
      const script = "local answer = redis.call(unpack(ARGV)) return {answer[#answer]}";
      ids.push(...itemsOf(await client.call("EVAL", script, "0", ...update)));
    }

    const stored = await client.call("DOC.GET", "d");
    assert.deepEqual(
      ids,
      itemsOf(stored).filter((_, index) => index % 2 === 0),
    );
    assert.equal(ids.at(-1), "own");

    using again = await RedisConnection.open(await restarted());
    assert.deepEqual(await again.call("DOC.GET", "d"), stored);
  }));

const itemsOf = (reply: Reply): (ByteString | null)[] =>
  reply.kind === "array" ? reply.items.map((item) => (item.kind === "bulk" ? item.bytes : null)) : [];

test("each of several scripts that arrive together sees the writes of the earlier scripts", () =>
  withDaemon(async (port) => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => RedisConnection.open(port)));
    const script =
      "local v = tonumber(redis.call('get', KEYS[1]) or '0') redis.call('set', KEYS[1], v + 1) return v + 1";
    const reply = await Promise.all(
      clients.map((client, i) =>
        i % 4 === 3 ? client.call("INCR", "n") : client.call("EVAL", script, "1", "n"),
      ),
    );
    const numbers = reply.map((reply) => (reply.kind === "integer" ? Number(reply.value) : 0));
    assert.deepEqual(
      numbers.toSorted((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    for (const client of clients) client[Symbol.dispose]();
  }));

test("the writes of a script before its failure stay, as in Redis; a script that changes nothing records nothing", () =>
  withDaemon(async (port) => {
    using client = await RedisConnection.open(port);
    const failed = await client.call("EVAL", "redis.call('set', 'k', 'v') redis.call('incr', 'k')", "0");
    assert.match(failed.kind === "error" ? failed.text : "", /not an integer/);
    assert.deepEqual(await client.call("GET", "k"), { kind: "bulk", bytes: "v" });
    const writer = await client.call("WRITERS", "k");
    await client.call(
      "EVAL",
      "redis.call('set', 'k', 'w', 'NX') redis.call('del', 'none') return redis.call('get', 'k')",
      "0",
    );
    assert.deepEqual(await client.call("WRITERS", "k"), writer);
  }));

test("a script's call that sets what is there already is recorded; one that found its condition unmet is not", () =>
  withDaemon(async (port) => {
    using client = await RedisConnection.open(port);
    const state =
      "SADD s m; ZADD z 1 m; HSET h f v; SET k v; EXPIREAT k 9999999999; SET b a; XADD x 1-1 f v; XGROUP CREATE x g 0".split(
        "; ",
      );
    for (const line of state) await client.call(...line.split(" "));
    const units = async () => {
      const log = JSON.stringify(await client.call("TIMELINE", "LOG")).toLowerCase();
      return log.slice(log.indexOf('"units"'));
    };
    const run = (...lines: string[]) =>
      client.call(
        "EVAL",
        lines.map((line) => `redis.call('${line.split(" ").join("', '")}')`).join(" "),
        "0",
      );
    let after = await units();
    for (const line of [
      "SADD s m",
      "ZADD z 1 m",
      "HSET h f v",
      "HMSET h f v",
      "EXPIREAT k 9999999999",
      "GETEX k EXAT 9999999999",
      "BITFIELD b SET u8 0 97",
      "XSETID x 1-1",
      "XGROUP SETID x g 0",
    ]) {
      const before = after;
      await run(line);
      after = await units();
      assert.notEqual(after, before, line);
    }

    await run("ZADD z NX 2 m", "HSETNX h f w", "SETNX k w", "EXPIRE none 5", "SREM s none", "DEL none");
    await run("GETEX none EX 5", "GETEX b PERSIST", "BITFIELD b INCRBY u8 0 0", "BITFIELD b GET u8 0");
    assert.equal(await units(), after);
  }));

test("during EXEC a script sees the transaction's writes, and all of them are one unit", () =>
  withDaemon(async (port) => {
    const script = "redis.call('append', KEYS[1], '!') return redis.call('get', KEYS[1])";
    const commands = [
      ["MULTI"],
      ["SET", "k", "x"],
      ["EVAL", script, "1", "k"],
      ["GET", "k"],
      ["EXEC"],
      ["WATCH", "k"],
      ["SET", "k", "y"],
      ["MULTI"],
      ["EVAL", script, "1", "k"],
      ["EXEC"],
      ["GET", "k"],
    ];
    assert.equal(
      (await answers(port, commands.map(writeCommand).join(""))).replace(/\$7\r\nthe end\r\n$/, ""),
      "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n$2\r\nx!\r\n$2\r\nx!\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n$1\r\ny\r\n",
    );
  }));
