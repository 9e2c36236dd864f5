/** One connection string with three daemons: drivers go on when a daemon is killed, and begin when the first one is down. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { makeFolder, until } from "../../daemon/replicas.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { skipWithout } from "../../support/requirements.js";
import { run } from "../../support/run-program.js";

const PROGRAM = `
import sys, pymongo
client = pymongo.MongoClient(sys.argv[1], serverSelectionTimeoutMS=20000)
items = client.shop.items
items.insert_one({"_id": "python"})
for attempt in range(200):
    if items.find_one({"_id": "python"}):
        sys.exit(0)
sys.exit("it is not there")
`;

test("drivers fail over between daemons, while they run and at their start", async () => {
  const app = makeKeyPair();
  const ports = [await freePort(), await freePort(), await freePort()];
  const mongo = [await freePort(), await freePort(), await freePort()];
  const daemons: DaemonProcess[] = [];
  const folders = ports.map(makeFolder);
  try {
    for (const [i, own] of ports.entries())
      daemons.push(
        await startDaemon([
          ...["-s", app.file, "-p", String(own), "--data", folders[i]?.path ?? "", ...knowsSecret],
          ...ports.filter((other) => other !== own).flatMap((peer) => ["--peer", `127.0.0.1:${peer}`]),
          ...["--mongo", String(mongo[i])],
        ]),
      );
    const url = `mongodb://${mongo.map((port) => `127.0.0.1:${port}`).join(",")}/`;
    await using client = new MongoClient(url, { serverSelectionTimeoutMS: 20_000 });
    const items = client.db("shop").collection<{ _id: number; n: number }>("items");
    const put = (id: number) =>
      until(`${id} is written`, () =>
        items.updateOne({ _id: id }, { $set: { n: id } }, { upsert: true }).then(
          () => true,
          () => false,
        ),
      );
    const seen = (id: number) =>
      until(`${id} is found`, async () => (await items.findOne({ _id: id }).catch(() => null))?.n === id);
    await put(1);
    await seen(1);
    daemons[0]?.kill("SIGKILL");
    for (let id = 2; id < 12; id++) {
      await put(id);
      await seen(id);
    }
    // The first address of the string is down when these begin.
    await using late = new MongoClient(url, { serverSelectionTimeoutMS: 20_000 });
    await until(
      "a client that begins now finds all",
      async () =>
        (await late
          .db("shop")
          .collection("items")
          .countDocuments({ n: { $gt: 0 } })) === 11,
    );
    if (!skipWithout("python3-pymongo")) {
      const { code, stderr } = await run("/usr/bin/python3", ["-c", PROGRAM, url]);
      assert.equal(code, 0, stderr);
    }
  } finally {
    for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
    for (const folder of folders) folder[Symbol.dispose]();
  }
});
