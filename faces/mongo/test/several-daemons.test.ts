/**
 * Tests one connection string with three daemons: drivers continue when a daemon is killed, and start when the first
 * daemon is down.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { type Environment, realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { StateName } from "../../../protocol/state-names.js";
import { startReplica } from "../../../test/daemon/program/replicas.js";
import { amount } from "../../../test/support/amount.js";
import { knowsSecret } from "../../../test/support/cluster-secret.js";
import { double } from "../../../test/support/double.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { listenAtFreePort } from "../../../test/support/free-port.js";
import { until } from "../../../test/support/until.js";
import { ALONE, clientOf, startMongo } from "./scene.js";
import { startThreeDaemons } from "./three-daemons.js";

test("the driver fails over between daemons, while it runs and at its start", async () => {
  await using three = await startThreeDaemons();
  const { url } = three;
  await using client = new MongoClient(url, { serverSelectionTimeoutMS: 20_000 });
  const items = client.db("shop").collection<{ _id: number; n: number }>("items");

  const put = (id: number) =>
    until(`${id} is written`, () =>
      items.updateOne({ _id: id }, { $set: { n: id } }, { upsert: true }).then(
        () => true,
        () => false,
      ),
    );
  const untilFound = (id: number) =>
    until(`${id} is found`, async () => (await items.findOne({ _id: id }).catch(() => null))?.n === id);

  await put(1);
  await untilFound(1);
  await three.trio.end(0, "SIGKILL");
  const last = amount(4, 11);
  for (let id = 2; id <= last; id++) {
    await put(id);
    await untilFound(id);
  }

  // The first address of the string is down when this client starts.
  await using late = new MongoClient(url, { serverSelectionTimeoutMS: 20_000 });
  await until(
    "a new client finds all documents",
    async () =>
      (await late
        .db("shop")
        .collection("items")
        .countDocuments({ n: { $gt: 0 } })) === last,
  );
});

test("a greeting waits while a daemon catches up, but only for a limited time", async () => {
  const daemon = {
    ...ALONE,
    condition: { state: "catching-up" as StateName, reason: "" },
    settings: { ...ALONE.settings, peers: double<typeof ALONE.settings.peers>([{}]) },
  };

  let now = 0;
  const checks: (() => void)[] = [];
  const environment: Environment = {
    ...realEnvironment,
    uptime: () => now,
    setTimer(_, step) {
      checks.push(step);
      return () => {};
    },
  };

  await using scene = await startMongo({}, environment, daemon);
  const check = async () => {
    await until("a greeting waits", () => checks.length > 0);
    for (const step of checks.splice(0)) step();
  };
  const connected = () => {
    const client = clientOf(scene.port);
    const failures: Error[] = [];
    client.on("serverHeartbeatFailed", ({ failure }) => failures.push(failure));
    return { client, failures, ready: client.connect() };
  };

  const early = connected();
  await check();
  daemon.condition.state = "live";
  await check();
  await early.ready;
  assert.deepEqual(early.failures, []);

  daemon.condition.state = "catching-up";
  const late = connected();
  await check();
  now += 60_000;
  await check();
  await until("the greeting fails", () => late.failures.length > 0);
  assert.match(String(late.failures[0]), /this daemon is catching up with its peers/);

  daemon.condition.state = "live";
  await late.ready;
  for (const { client } of [early, late]) await client.close();
});

test("drivers do not use a daemon that is catching up", async () => {
  // A peer that accepts connections and sends nothing, so that the daemon keeps catching up.
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket.on("error", () => {})));
  const peer = await listenAtFreePort(silent);
  const key = makeKeyPair();
  try {
    await using replica = await startReplica({
      args: ["-s", key.file, "--peer", `127.0.0.1:${peer}`, "--mongo", "0", ...knowsSecret],
    });
    const url = `mongodb://127.0.0.1:${replica.daemon.addressOf("mongo")?.port}`;
    await using client = new MongoClient(url, { serverSelectionTimeoutMS: 5000 });
    await assert.rejects(client.connect(), /this daemon is catching up with its peers: use another one/);
  } finally {
    for (const socket of sockets) socket.destroy();
    silent.close();
    await once(silent, "close");
  }
});
