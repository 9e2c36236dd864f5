/** Tests Redis clients of daemons with --data and --peer: writes are recorded, and reach the other daemon. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  makeFolder,
  type RunningReplica,
  startReplica,
  startReplicas,
} from "../../../test/daemon/program/replicas.js";
import { knowsSecret } from "../../../test/support/cluster-secret.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { freePort } from "../../../test/support/free-port.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { startRedis } from "../../../test/support/redis-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { nextTurn, until } from "../../../test/support/until.js";
import { exchange } from "./scene.js";

const app = makeKeyPair();
/** The maximum steps of a unit, and of the units of an envelope together. */
const UNIT_STEPS = 10_000;

const respPort = ({ daemon }: RunningReplica) => daemon.addressOf("resp")?.port ?? 0;
const lines = (...commands: readonly string[]) => commands.map((command) => `${command}\r\n`).join("");

test("writes exist after a restart, and a pipeline reads its own writes", async () => {
  using folder = makeFolder();
  const args = ["-s", app.file, "--data", folder.path, "--resp", "0"];
  {
    await using replica = await startReplica({ args });
    const pipeline = lines(
      "SET k 1",
      "INCR k",
      "GET k",
      "LPUSH l a b",
      "LLEN l",
      "SET k x",
      "INCR k",
      "GET k",
    );
    assert.equal(
      await exchange(respPort(replica), pipeline),
      "+OK\r\n:2\r\n$1\r\n2\r\n:2\r\n:2\r\n+OK\r\n-ERR value is not an integer or out of range\r\n$1\r\nx\r\n",
    );
  }

  await using replica = await startReplica({ args });
  assert.equal(
    await exchange(respPort(replica), lines("GET k", "LRANGE l 0 -1")),
    "$1\r\nx\r\n*2\r\n$1\r\nb\r\n$1\r\na\r\n",
  );
});

test("expired keys are counted as removed before anything else is written", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["-s", app.file, "--data", folder.path, "--resp", "0"] });
  using client = await RedisConnection.open(respPort(replica));
  const infoOf = async (section: string) => {
    const reply = await client.call("INFO", section);
    return reply.kind === "bulk" ? reply.bytes : "";
  };

  await client.call("MSET", "stays", "1", "again", "1", "lives", "1");
  await client.call("EXPIRE", "lives", "1000");
  for (const key of ["a", "b", "again"]) await client.call("SET", key, "1", "PX", "1");
  await until("the keys have expired", async () => {
    const reply = await client.call("EXISTS", "a", "b", "again");
    return reply.kind === "integer" && reply.value === 0;
  });

  assert.deepEqual(await client.call("DBSIZE"), { kind: "integer", value: 2 });
  assert.match(await infoOf("keyspace"), /db0:keys=2,expires=1,avg_ttl=9\d{5}\r\n/);
  assert.match(await infoOf("stats"), /\r\nexpired_keys:3\r\n/);

  await client.call("SET", "again", "1");
  assert.deepEqual(await client.call("DBSIZE"), { kind: "integer", value: 3 });
  assert.match(await infoOf("stats"), /\r\nexpired_keys:3\r\n/);
});

test("a transaction is one unit, which depends on its watched keys", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["-s", app.file, "--data", folder.path, "--resp", "0"] });
  const port = respPort(replica);
  assert.equal(
    await exchange(port, lines("MULTI", "SET k 1", "PING", "INCR k", "LPUSH k a", "GET k", "EXEC")),
    "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*5\r\n+OK\r\n+PONG\r\n:2\r\n" +
      "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n$1\r\n2\r\n",
  );
  assert.equal(
    await exchange(port, lines("WATCH k", "SET k 2", "MULTI", "SET k 3", "EXEC", "GET k")),
    "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n$1\r\n2\r\n",
  );
  assert.equal(
    await exchange(
      port,
      lines("WATCH k none", "MULTI", "SET none 1", "EXEC", "WATCH k", "MULTI", "GET k", "EXEC"),
    ),
    "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n2\r\n",
  );
  assert.match(
    await exchange(port, lines("MULTI", "SET a 1", "SELECT 1", "SET a 1", "EXEC", "GET a")),
    /QUEUED\r\n-EXECABORT .* one database\r\n\$-1\r\n$/,
  );
  const reply = await exchange(
    port,
    lines(
      ...["HELLO 3", "SUBSCRIBE c", "MULTI", "PUBLISH c unsaid", "SET a 1", "SELECT 1", "SET a 1", "EXEC"],
      ...["MULTI", "PUBLISH c said", "SET a 1", "EXEC"],
    ),
  );
  assert.doesNotMatch(reply, /unsaid/);
  assert.match(reply, /-EXECABORT .*\$4\r\nsaid\r\n\*2\r\n:1\r\n\+OK\r\n$/s);
});

test("a transaction that subscribes to many names is answered after all of them, also if it is refused", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["-s", app.file, "--data", folder.path, "--resp", "0"] });
  const names = Array.from({ length: 3000 }, (_, i) => `c${i}`);
  const subscribe = `SUBSCRIBE ${names.join(" ")}`;
  for (const [commands, answer] of [
    [["SET a 1"], "*2\r\n>3\r\n$9\r\nsubscribe\r\n$5\r\nc2999\r\n:3000\r\n+OK\r\n"],
    [["SET a 1", "SELECT 1", "SET a 1"], "-EXECABORT"],
  ] as const) {
    const reply = await exchange(
      respPort(replica),
      lines("HELLO 3", "MULTI", subscribe, ...commands, "EXEC", "ECHO end"),
    );
    const [before = "", after = ""] = reply.split(answer);
    // The last confirmation is in the array of EXEC; that of a refused one is not sent.
    assert.equal(before.split("subscribe\r\n").length - 1, names.length - 1);
    assert.ok(after.endsWith("$3\r\nend\r\n") && !after.includes("subscribe"), after.slice(-200));
  }
});

test("EXEC waits for its pipeline, which creates and deletes a watched key in two envelopes", async () => {
  using folder = makeFolder();
  const limit = ["--max-unit-steps", String(UNIT_STEPS)];
  await using replica = await startReplica({
    args: ["-s", app.file, "--data", folder.path, "--resp", "0", ...limit],
  });
  using client = await RedisConnection.open(respPort(replica));
  await client.call("SADD", "set", ...Array.from({ length: UNIT_STEPS / 2 }, (_, i) => String(i)));
  client.queue(["WATCH", "absent"]);
  client.queue(["SET", "absent", "1"]);
  // These are too much for one envelope, so each command has its own.
  for (let copy = 0; copy < 3; copy++) client.queue(["SUNIONSTORE", `copy${copy}`, "set"]);
  for (const argv of [["DEL", "absent"], ["MULTI"], ["SET", "k", "1"], ["EXEC"], ["EXISTS", "k"]])
    client.queue(argv);
  const replies = await client.flush();
  assert.deepEqual(replies.slice(-2), [{ kind: "nil-array" }, { kind: "integer", value: 0 }]);
});

test("EXEC fails after one unit has created and deleted a watched key, as with redis-server", {
  skip: skipWithout("redis-server"),
}, async () => {
  using folder = makeFolder();
  await using replica = await startReplica({
    args: ["-s", app.file, "--data", folder.path, "--resp", "0"],
  });
  await using redis = await startRedis();
  for (const port of [redis.port, respPort(replica)]) {
    using client = await RedisConnection.open(port);
    using other = await RedisConnection.open(port);
    for (const [name, unit] of [
      ["a transaction", [["MULTI"], ["SET", "absent", "1"], ["DEL", "absent"], ["EXEC"]]],
      ["a script", [["EVAL", "redis.call('SET', KEYS[1], 1) redis.call('DEL', KEYS[1])", "1", "absent"]]],
      ["an exchange of databases", [["SWAPDB", "0", "1"]]],
    ] as const) {
      await client.call("WATCH", "absent");
      for (const argv of unit) await other.call(...argv);
      await client.call("MULTI");
      await client.call("SET", "k", "1");
      const isUntouched = name === "an exchange of databases";
      assert.equal((await client.call("EXEC")).kind, isUntouched ? "array" : "nil-array", name);
    }
  }
});

test("EXEC succeeds although a watched key that had expired was removed, as with redis-server", {
  skip: skipWithout("redis-server"),
}, async () => {
  using folder = makeFolder();
  await using recorded = await startReplica({
    args: ["-s", app.file, "--data", folder.path, "--resp", "0"],
  });
  await using plain = await startReplica({ args: ["--resp", "0"] });
  await using redis = await startRedis();

  for (const port of [redis.port, respPort(recorded), respPort(plain)]) {
    using client = await RedisConnection.open(port);
    using other = await RedisConnection.open(port);
    for (const removal of ["DEL", "EXISTS", "DEL", "EXISTS"]) {
      const at = Date.now() + 2;
      await client.call("SET", "stale", "1", "PXAT", String(at));
      await until("the key has expired", () => Date.now() > at, { pause: nextTurn });

      await client.call("WATCH", "stale");
      await other.call(removal, "stale");
      await client.call("MULTI");
      await client.call("PING");
      assert.equal((await client.call("EXEC")).kind, "array", removal);
    }
  }
});

test("a transaction with more commands than an envelope may contain is refused with a specific error", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["-s", app.file, "--data", folder.path, "--resp", "0"] });
  const answerTo = async (writes: number, reads: number) => {
    const commands = [...Array(writes).fill("INCR n"), ...Array(reads).fill("GET n")];
    const all = await exchange(respPort(replica), lines("DEL n", "MULTI", ...commands, "EXEC", "GET n"));
    return all.slice(all.lastIndexOf("+QUEUED\r\n") + "+QUEUED\r\n".length);
  };
  assert.match(await answerTo(4000, 96_000), /^\*100000\r\n[^-]*\$4\r\n4000\r\n$/);
  assert.equal(
    await answerTo(4000, 96_001),
    "-EXECABORT Transaction discarded: on a daemon that records commands, a transaction that writes may have at most 100000 commands\r\n$-1\r\n",
  );
  assert.match(await answerTo(0, 5000), /^\*5000\r\n/);
});

test("a daemon whose data is incomplete answers reads, and gives the reason why it refuses writes", async () => {
  using folder = makeFolder();
  const peer = `127.0.0.1:${await freePort()}`;
  const args = ["-s", app.file, "--data", folder.path, "--peer", peer, ...knowsSecret, "--resp", "0"];
  await using replica = await startReplica({ args });
  assert.match(
    await exchange(respPort(replica), lines("SET k 1")),
    /^-LOADING This daemon accepts no writes yet: it has started, and /,
  );
  assert.equal(await exchange(respPort(replica), lines("GET k")), "$-1\r\n");
  assert.match(await exchange(respPort(replica), lines("INFO persistence")), /\r\nloading:1\r\n/);
});

test("a peer returns the daemon's write, and the daemon sends a stable answer", async () => {
  await using pair = await startReplicas(2, [
    // The daemons soon consider an order final.
    ...["-s", app.file, "--resp", "0", "--window", "1s,500ms", "--tail-seconds", "5s"],
  ]);
  const [one, other] = pair.map(respPort) as [number, number];
  assert.equal(await exchange(one, lines("SET k v")), "+OK\r\n");
  using reader = await RedisConnection.open(other);
  await until("the other daemon has the write", async () => {
    const reply = await reader.call("GET", "k");
    return reply.kind === "bulk" && reply.bytes === "v";
  });
  assert.equal(
    await exchange(
      one,
      lines("DBSYNC REPLY stable", "INCR n", "GET n", "DBSYNC REPLY provisional", "INCR n"),
    ),
    "+OK\r\n:1\r\n$1\r\n1\r\n+OK\r\n:2\r\n",
  );
  assert.match(await exchange(one, lines("DBSYNC REPLY later")), /^-ERR syntax error/);
});
