/** A cache before a real redis-server, and before a daemon: what is kept, what is not, and what clients notice of it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { array, bulk, error, integer, NIL, OK, status } from "../../../../protocol/reply.js";
import { until } from "../../../client/fake-server.js";
import { makeFolder, until as untilHeld } from "../../../daemon/replicas.js";
import { startDaemon } from "../../../support/daemon-process.js";
import { freePort } from "../../../support/free-port.js";
import { RawClient } from "../../../support/raw-client.js";
import { RedisConnection } from "../../../support/redis-connection.js";
import { startRedis } from "../../../support/redis-server.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { startRespCache } from "./scene.js";

const seed = seedOfRun();

/** A daemon, as servers are started here. @param args  besides --resp */
async function startDaemonServer(args: readonly string[] = []) {
  const port = await freePort();
  const daemon = await startDaemon(["--resp", String(port), ...args]);
  return { port, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
}

const SERVERS = { "redis-server": startRedis, dbsyncd: startDaemonServer };

for (const [name, start] of Object.entries(SERVERS))
  test(`before ${name} what is read is kept until its key changes, whoever changes it and however`, async () => {
    await using redis = await start();
    await using scene = await startRespCache(redis.port);
    using client = await RedisConnection.open(scene.port);
    using direct = await RedisConnection.open(redis.port);
    const { figures } = scene.cache;
    assert.equal(scene.cache.freshness, "told");
    await client.call("SET", "k", "1");
    assert.deepEqual(await client.call("GET", "k"), bulk("1"));
    assert.deepEqual(await client.call("GET", "k"), bulk("1"));
    assert.equal(figures.hits, 1);
    await client.call("SET", "k", "2");
    assert.deepEqual(await client.call("GET", "k"), bulk("2"));
    await client.call("SET", "other", "4");
    // By somebody who does not go by the cache: it is told a moment later.
    for (const [change, due] of [
      [["SET", "k", "3"], bulk("3")],
      [["RENAME", "other", "k"], bulk("4")],
      [["FLUSHALL"], NIL],
    ] as const) {
      // What was written before may be told again, behind the read.
      await untilHeld("it is kept", async () => {
        await client.call("GET", "k");
        return scene.cache.entries > 0;
      });
      const { entries } = scene.cache;
      await direct.call(...change);
      await until(() => scene.cache.entries < entries, "the change is told");
      assert.deepEqual(await client.call("GET", "k"), due);
    }
    // Absence is kept as well, errors are not.
    const before = figures.hits;
    await untilHeld("absence is kept", async () => {
      await client.call("GET", "k");
      return figures.hits > before;
    });
    const { hits } = figures;
    await client.call("LPUSH", "l", "x");
    for (let i = 0; i < 2; i++) assert.equal((await client.call("GET", "l")).kind, "error");
    assert.equal(figures.hits, hits);
  });

test("a pipeline reads its own writes, and answers come in order", async () => {
  await using redis = await startRedis();
  await using scene = await startRespCache(redis.port);
  using client = await RedisConnection.open(scene.port);
  await client.call("GET", "n");
  for (let round = 0; round < 20; round++) {
    for (const argv of [["SET", "n", `${round}`], ["GET", "n"], ["INCR", "n"], ["GET", "n"], ["PING"]])
      client.queue(argv);
    const due = [OK, bulk(`${round}`), integer(round + 1), bulk(`${round + 1}`), status("PONG")];
    assert.deepEqual(await client.flush(), due);
  }
});

test("databases, users and protocols are kept apart", async () => {
  await using redis = await startRedis();
  await using scene = await startRespCache(redis.port);
  using direct = await RedisConnection.open(redis.port);
  await direct.call("ACL", "SETUSER", "ada", "on", ">secret", "~mine:*", "+@all");
  await direct.call("SET", "k", "zero");
  await direct.call("HSET", "h", "f", "v");
  using zero = await RedisConnection.open(scene.port);
  using three = await RedisConnection.open(scene.port);
  using ada = await RedisConnection.open(scene.port);
  using modern = await RedisConnection.open(scene.port);
  assert.deepEqual(await three.call("SELECT", "3"), OK);
  assert.deepEqual(await three.call("SET", "k", "three"), OK);
  assert.deepEqual(
    await ada.call("AUTH", "ada", "wrong"),
    error("WRONGPASS invalid username-password pair or user is disabled."),
  );
  assert.deepEqual(await ada.call("AUTH", "ada", "secret"), OK);
  assert.equal((await modern.call("HELLO", "3")).kind, "map");
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(await zero.call("GET", "k"), bulk("zero"));
    assert.deepEqual(await three.call("GET", "k"), bulk("three"));
    assert.match(JSON.stringify(await ada.call("GET", "k")), /NOPERM/);
    assert.equal((await zero.call("HGETALL", "h")).kind, "array");
    assert.equal((await modern.call("HGETALL", "h")).kind, "map");
  }
  assert.match(JSON.stringify(await three.call("SELECT", "99")), /out of range/);
  assert.deepEqual(await three.call("GET", "k"), bulk("three"));
  // A write in one database is told without it.
  await zero.call("SET", "k", "changed");
  assert.deepEqual(await zero.call("GET", "k"), bulk("changed"));
  assert.deepEqual(await three.call("GET", "k"), bulk("three"));
});

test("transactions, waiting and subscriptions have a connection of their own, behind what came before", async () => {
  await using redis = await startRedis();
  await using scene = await startRespCache(redis.port);
  using client = await RedisConnection.open(scene.port);
  using other = await RedisConnection.open(scene.port);
  for (const argv of [["SET", "k", "1"], ["GET", "k"], ["MULTI"], ["INCR", "k"], ["EXEC"], ["GET", "k"]])
    client.queue(argv);
  const replies = await client.flush();
  assert.deepEqual(replies.slice(1), [bulk("1"), OK, status("QUEUED"), array([integer(2)]), bulk("2")]);
  const popped = client.call("BLPOP", "q", "0");
  await other.call("RPUSH", "q", "x");
  assert.deepEqual(await popped, array([bulk("q"), bulk("x")]));
  using heard = await RawClient.open(scene.port);
  heard.send("SUBSCRIBE ch\r\n");
  await heard.read(10);
  await other.call("PUBLISH", "ch", "hello");
  await until(() => heard.received.includes("hello"), "what is published is heard");
});

test("random commands of many clients are answered as without a cache", async () => {
  console.log(`DBSYNC_SEED=${seed}`);
  const random = new SeededRandom(seed);
  await using redis = await startRedis();
  await using scene = await startRespCache(redis.port);
  const clients = [await RedisConnection.open(scene.port), await RedisConnection.open(scene.port)];
  using direct = await RedisConnection.open(redis.port);
  const key = () => `k${random.below(6)}`;
  const commands: (() => string[])[] = [
    () => ["GET", key()],
    () => ["get", key()],
    () => ["MGET", key(), key()],
    () => ["EXISTS", key(), key()],
    () => ["LRANGE", key(), "0", "-1"],
    () => ["HGETALL", key()],
    () => ["TYPE", key()],
    () => ["STRLEN", key()],
    () => ["SET", key(), `${random.below(10)}`],
    () => ["APPEND", key(), "x"],
    () => ["RPUSH", key(), "x"],
    () => ["HSET", key(), "f", `${random.below(10)}`],
    () => ["DEL", key()],
    () => ["RENAME", key(), key()],
    () => ["COPY", key(), key(), "REPLACE"],
    () => (random.chance(0.1) ? ["FLUSHDB"] : ["PING"]),
    () => ["EVAL", "return redis.call('DEL', KEYS[1])", "1", key()],
  ];
  const reads = /^(get|mget|exists|lrange|hgetall|type|strlen)$/i;
  for (let step = 0; step < 3000; step++) {
    const client = clients[random.below(clients.length)] as RedisConnection;
    const argv = (commands[random.below(commands.length)] as () => string[])();
    const answer = await client.call(...argv);
    if (reads.test(argv[0] as string))
      assert.deepEqual(answer, await direct.call(...argv), `step ${step}: ${argv}`);
  }
  assert.ok(scene.cache.figures.hits > 30, `${scene.cache.figures.hits} hits`);
  for (const client of clients) client[Symbol.dispose]();
});

test("before a server that may not tell of changes answers are kept by time, and own writes seen at once", async () => {
  using folder = makeFolder();
  const file = join(folder.path, "users.acl");
  writeFileSync(file, "user default on nopass ~* &* +@all -client|tracking\n");
  await using server = await startDaemonServer(["--acl-file", file]);
  await using scene = await startRespCache(server.port, { cache: { life: 600_000 } });
  assert.equal(scene.cache.freshness, "untold");
  using client = await RedisConnection.open(scene.port);
  await client.call("SET", "k", "1");
  await client.call("GET", "k");
  assert.deepEqual(await client.call("GET", "k"), bulk("1"));
  assert.equal(scene.cache.figures.hits, 1);
  await client.call("SET", "k", "2");
  assert.deepEqual(await client.call("GET", "k"), bulk("2"));
});

test("a server that dies is told of, empties the cache, and is found again", async () => {
  const first = await startRedis();
  await using scene = await startRespCache(first.port);
  using client = await RedisConnection.open(scene.port);
  await client.call("SET", "k", "old");
  await untilHeld("it is kept", async () => {
    await client.call("GET", "k");
    return scene.cache.entries === 1;
  });
  await first.stop();
  await until(() => scene.cache.entries === 0, "what cannot be kept fresh is gone");
  assert.match(JSON.stringify(await client.call("GET", "k")), /NOTAPPLIED|MAYBEAPPLIED/);
  await using second = await startRedis({ port: first.port });
  using direct = await RedisConnection.open(second.port);
  await direct.call("SET", "k", "new");
  let answer = await client.call("GET", "k");
  while (answer.kind === "error") {
    await new Promise((resolve) => setTimeout(resolve, 5));
    answer = await client.call("GET", "k");
  }
  assert.deepEqual(answer, bulk("new"));
});

test("a server that hangs is given up in time, and a client that reads nothing ends alone", async () => {
  await using redis = await startRedis();
  await using scene = await startRespCache(redis.port, {
    upstream: { replyTimeout: 3000 },
    clients: { maxOutputBytes: 4 << 20 },
  });
  using client = await RedisConnection.open(scene.port);
  await client.call("SET", "big", "x".repeat(1 << 20));
  using deaf = await RawClient.open(scene.port);
  deaf.socket.pause();
  deaf.send("*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n".repeat(200));
  assert.equal((await client.call("GET", "big")).kind, "bulk");
  await until(() => {
    if (!deaf.socket.destroyed) deaf.send("\r\n");
    deaf.socket.resume();
    return deaf.ended;
  }, "it is closed");
  redis.kill("SIGSTOP");
  assert.match(JSON.stringify(await client.call("SET", "k", "1")), /MAYBEAPPLIED no answer in 3000 ms/);
  redis.kill("SIGCONT");
});

test("who goes while an answer is awaited leaves no connection behind, and a wrong password is nobody else's trouble", async () => {
  await using redis = await startRedis();
  await using scene = await startRespCache(redis.port);
  using direct = await RedisConnection.open(redis.port);
  const count = async () =>
    String(((await direct.call("CLIENT", "LIST")) as { bytes: string }).bytes).split("\n").length;
  const before = await count();
  using reader = await RedisConnection.open(scene.port);
  using chooser = await RawClient.open(scene.port);
  using one = await RedisConnection.open(scene.port);
  using other = await RedisConnection.open(scene.port);
  await reader.call("SELECT", "5");
  await direct.call("CLIENT", "PAUSE", "300");
  const refused = [one, other].map((client) => client.call("AUTH", "ada", "wrong"));
  chooser.send("SELECT 6\r\n");
  reader.queue(["GET", "k"]);
  void reader.flush();
  await until(() => scene.cache.figures.misses === 1, "the read is under way");
  // At once: of who only sends no more the answers are still awaited.
  chooser.socket.resetAndDestroy();
  reader[Symbol.dispose]();
  for (const answer of await Promise.all(refused)) assert.equal(answer.kind, "error");
  await untilHeld("what they used is closed", async () => (await count()) === before);
  assert.deepEqual(
    scene.lines.filter(({ level }) => level === "warn"),
    [],
  );
});

test("an answer that is too long is the trouble of who asked for it", async () => {
  await using redis = await startRedis();
  await using scene = await startRespCache(redis.port, { upstream: { maxReplyBytes: 100_000 } });
  using client = await RedisConnection.open(scene.port);
  using other = await RedisConnection.open(scene.port);
  using direct = await RedisConnection.open(redis.port);
  await direct.call("SETRANGE", "long", "1000000", "x");
  await other.call("GET", "k");
  const { entries } = scene.cache;
  const [long, writes] = await Promise.all([client.call("GET", "long"), other.call("INCR", "n")]);
  assert.deepEqual(long, error("ERR the answer is longer than any may be"));
  assert.deepEqual(writes, integer(1));
  assert.equal(scene.cache.entries, entries);
});
