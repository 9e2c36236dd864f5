/** Tests Redis clients of two daemon processes: one daemon's clients see the other's writes. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { bulk, integer } from "../../../protocol/reply.js";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { startDaemonHere } from "../../../test/support/daemon-here.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { authorizeDaemons, respPort } from "../../../test/support/resp-trio.js";
import { Trio } from "../../../test/support/trio.js";
import { until } from "../../../test/support/until.js";

/** Two peer daemons that sign for Redis clients. */
let pair: Trio;
before(async () => {
  pair = await Trio.start(["--resp", "0"], 2);
  await authorizeDaemons(pair);
  for (const index of pair.ports.keys()) {
    using client = await RedisConnection.open(await respPort(pair, index));
    const ready = await client.call("INFO", "persistence");
    assert.match(ready.kind === "bulk" ? ready.bytes : "", /\r\nloading:0\r\n/);
  }
});
after(() => pair?.[Symbol.asyncDispose]());

test("a client that waits on one daemon receives data written on the other, and removes it from both", async () => {
  using waiter = await RedisConnection.open(await respPort(pair, 0));
  using pusher = await RedisConnection.open(await respPort(pair, 1));
  using admin = await RedisConnection.open(await respPort(pair, 0));
  const popped = waiter.call("BLPOP", "nothing", "l", "0");
  await until("the client waits", async () => {
    const info = await admin.call("INFO", "clients");
    return info.kind === "bulk" && info.bytes.includes("blocked_clients:1");
  });
  assert.deepEqual(await pusher.call("RPUSH", "l", "a", "b"), integer(2));
  assert.deepEqual(await popped, { kind: "array", items: [bulk("l"), bulk("a")] });
  await until("the element is removed on the other daemon as well", async () => {
    const length = await pusher.call("LLEN", "l");
    return length.kind === "integer" && length.value === 1;
  });
  assert.deepEqual(await admin.call("LRANGE", "l", "0", "-1"), { kind: "array", items: [bulk("b")] });
});

test("WAIT reports how many other daemons have the connection's last write on disk", async () => {
  using client = await RedisConnection.open(await respPort(pair, 0));
  assert.deepEqual(
    await client.call("WAIT", "1", "0"),
    integer(1),
    "this connection has written nothing, and one daemon is connected",
  );
  assert.equal((await client.call("SET", "k", "v")).kind, "status");
  assert.deepEqual(await client.call("WAIT", "1", "0"), integer(1));
  assert.deepEqual(await client.call("WAIT", "0", "0"), integer(1));
  assert.deepEqual(await client.call("WAIT", "2", "30"), integer(1));
  for (const argv of [["MULTI"], ["WAIT", "2", "0"], ["EXEC"]]) client.queue(argv);
  assert.deepEqual((await client.flush()).at(-1), { kind: "array", items: [integer(1)] });

  pair.daemon(1).kill("SIGSTOP");
  for (const argv of [["MULTI"], ["SET", "k", "w"], ["EXEC"], ["WAIT", "1", "50"]]) client.queue(argv);
  assert.deepEqual((await client.flush()).at(-1), integer(0), "a stopped daemon confirms nothing");
  const waited = client.call("WAIT", "1", "0");
  pair.daemon(1).kill("SIGCONT");
  assert.deepEqual(await waited, integer(1));
});

test("WAIT on a daemon without peers returns immediately", async () => {
  using folder = makeFolder();
  for (const args of [[], ["-s", makeKeyPair().file, "--data", folder.path]]) {
    await using daemon = await startDaemonHere(["--resp", "0", ...args]);
    const port = await daemon.portOf("Redis clients");
    using client = await RedisConnection.open(port);
    for (const argv of [
      ["SET", "k", "v"],
      ["WAIT", "1", "0"],
    ])
      client.queue(argv);
    assert.deepEqual((await client.flush()).at(-1), integer(0));
  }
});
