/** Tests Redis clients of two daemon processes: one daemon's clients see the other's writes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bulk, integer } from "../../../protocol/reply.js";
import { makeFolder } from "../../daemon/program/replicas.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { RedisConnection } from "../../support/redis-connection.js";
import { until } from "../../support/until.js";

interface Served {
  readonly daemon: DaemonProcess;
  readonly port: number;
}

/** Starts two peer daemons with folders, and waits until they are live. */
async function startPair(): Promise<AsyncDisposable & { readonly one: Served; readonly other: Served }> {
  const app = makeKeyPair();
  const folders = [makeFolder(), makeFolder()];
  const ports = [await freePort(), await freePort()];
  const start = async (index: 0 | 1): Promise<Served> => {
    const peer = `127.0.0.1:${ports[1 - index]}`;
    const daemon = await startDaemon([
      ...["-s", app.file, "-p", String(ports[index]), "--peer", peer, ...knowsSecret, "--resp", "0"],
      ...["--data", folders[index]?.path ?? ""],
    ]);
    const port = await daemon.portOf("Redis clients");
    return { daemon, port };
  };
  const [one, other] = await Promise.all([start(0), start(1)]);
  for (const { port } of [one, other]) {
    using client = await RedisConnection.open(port);
    await until("the daemon is live", async () => {
      const info = await client.call("INFO", "replication");
      return info.kind === "bulk" && info.bytes.includes("dbsync_state:live");
    });
    const ready = await client.call("INFO", "persistence");
    assert.match(ready.kind === "bulk" ? ready.bytes : "", /\r\nloading:0\r\n/);
  }
  return {
    one,
    other,
    async [Symbol.asyncDispose]() {
      await Promise.all([one, other].map(({ daemon }) => daemon[Symbol.asyncDispose]()));
      for (const folder of folders) folder[Symbol.dispose]();
    },
  };
}

test("a client that waits on one daemon receives data written on the other, and removes it from both", async () => {
  await using pair = await startPair();
  using waiter = await RedisConnection.open(pair.one.port);
  using pusher = await RedisConnection.open(pair.other.port);
  using admin = await RedisConnection.open(pair.one.port);
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
  await using pair = await startPair();
  using client = await RedisConnection.open(pair.one.port);
  assert.deepEqual(
    await client.call("WAIT", "1", "0"),
    integer(1),
    "nothing was written, and one daemon is connected",
  );
  assert.equal((await client.call("SET", "k", "v")).kind, "status");
  assert.deepEqual(await client.call("WAIT", "1", "0"), integer(1));
  assert.deepEqual(await client.call("WAIT", "0", "0"), integer(1));
  assert.deepEqual(await client.call("WAIT", "2", "30"), integer(1));
  for (const argv of [["MULTI"], ["WAIT", "2", "0"], ["EXEC"]]) client.queue(argv);
  assert.deepEqual((await client.flush()).at(-1), { kind: "array", items: [integer(1)] });

  pair.other.daemon.kill("SIGSTOP");
  for (const argv of [["MULTI"], ["SET", "k", "w"], ["EXEC"], ["WAIT", "1", "50"]]) client.queue(argv);
  assert.deepEqual((await client.flush()).at(-1), integer(0), "a stopped daemon confirms nothing");
  const waited = client.call("WAIT", "1", "0");
  pair.other.daemon.kill("SIGCONT");
  assert.deepEqual(await waited, integer(1));
});

test("WAIT on a daemon without peers returns immediately", async () => {
  using folder = makeFolder();
  for (const args of [[], ["-s", makeKeyPair().file, "--data", folder.path]]) {
    await using daemon = await startDaemon(["--resp", "0", ...args]);
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
