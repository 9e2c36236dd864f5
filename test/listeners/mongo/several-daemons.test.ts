/**
 * Tests one connection string with three daemons: drivers continue when a daemon is killed, and start when the first
 * daemon is down.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { startReplica, until } from "../../daemon/replicas.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { listenAtFreePort } from "../../support/free-port.js";
import { ThreeDaemons } from "./three-daemons.js";

test("the driver fails over between daemons, while it runs and at its start", async () => {
  await using three = await ThreeDaemons.start();
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
  three.kill(0);
  for (let id = 2; id < 12; id++) {
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
        .countDocuments({ n: { $gt: 0 } })) === 11,
  );
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
    const url = `mongodb://127.0.0.1:${replica.daemon.userAddress("mongo")?.port}`;
    await using client = new MongoClient(url, { serverSelectionTimeoutMS: 500 });
    await assert.rejects(client.connect(), /this daemon is catching up with its peers: use another one/);
  } finally {
    for (const socket of sockets) socket.destroy();
    silent.close();
    await once(silent, "close");
  }
});
