/**
 * Tests that a daemon that records refuses the features of version 3 before they are recorded, with the feature's name
 * and the commands to send, until an administrator has sent them.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Collection, type Document, MongoClient } from "mongodb";
import { createClient } from "../../../client/public-api.js";
import { makeFolder, type RunningReplica, startReplica, until } from "../../daemon/replicas.js";
import { readStatus } from "../../faults/status.js";
import { makeKeyPair } from "../../support/envelope-client.js";

const app = makeKeyPair();

const REQUIRES =
  "requires version 3 of the semantics: when all daemons run this release, an administrator sends";
const SWITCHES = [2, 3].map(
  (version) => `dbsync send -k root-private.pem --policy all CLUSTER SEMANTICS ${version}`,
);

/** Writes with features of version 3, and the names of these features in errors. */
const LATER: readonly (readonly [string, (items: Collection<Document>) => Promise<unknown>])[] = [
  ["the positional path 'l.$'", (items) => items.updateOne({ l: 2 }, { $set: { "l.$": 3 } })],
  [
    "arrayFilters",
    (items) => items.updateOne({}, { $set: { "l.$[e]": 4 } }, { arrayFilters: [{ e: { $gt: 5 } }] }),
  ],
  ["an update by a pipeline", (items) => items.updateOne({}, [{ $set: { m: { $add: ["$n", 1] } } }])],
  [
    "an update by a pipeline",
    (items) => items.findOneAndUpdate({}, [{ $set: { m: 2 } }], { projection: { _id: 1 } }),
  ],
  ["$bit", (items) => items.updateOne({}, { $inc: { p: 1 }, $bit: { n: { or: 2 } } })],
  ["$expr", (items) => items.updateMany({ $or: [{ $expr: { $gt: ["$n", 9] } }] }, { $set: { q: 1 } })],
  ["$expr", (items) => items.deleteMany({ $expr: { $gt: ["$n", 9] } })],
  ["let", (items) => items.deleteMany({ n: 9 }, { let: { x: 1 } })],
  [
    "'$' in a projection",
    (items) => items.findOneAndUpdate({}, { $set: { q: 2 } }, { projection: { z: { $add: ["$n", 1] } } }),
  ],
  ["expireAfterSeconds", (items) => items.createIndex({ at: 1 }, { expireAfterSeconds: 60 })],
  ["renameCollection", (items) => items.rename("things")],
];

const clientOf = ({ daemon }: RunningReplica): MongoClient =>
  new MongoClient(`mongodb://127.0.0.1:${daemon.userAddress("mongo")?.port}`, {
    serverSelectionTimeoutMS: 5000,
  });

const itemsOf = (client: MongoClient): Collection<Document> => client.db("shop").collection("items");

test("a feature of version 3 is refused, with the commands to send, until an administrator has sent them", async () => {
  const root = makeKeyPair();
  using folder = makeFolder();
  const keys = ["-s", app.file, "--root-key", root.file];
  await using replica = await startReplica({ args: [...keys, "--data", folder.path, "--mongo", "0"] });
  await using byRoot = createClient({ servers: [`127.0.0.1:${replica.port}`], key: root.privateKey });
  await until("its own key may write", async () => {
    const line = replica.log.find(({ msg }) => String(msg).includes("until an administrator"));
    if (line !== undefined) await byRoot.call(String(line["command"]));
    return line !== undefined;
  });
  await using client = clientOf(replica);
  const items = itemsOf(client);
  await items.insertOne({ _id: 1 as never, n: 1, l: [1, 2] });
  const { entries } = await readStatus(byRoot);
  for (const [feature, write] of LATER)
    await assert.rejects(write(items), { message: `${feature} ${REQUIRES} ${SWITCHES.join(", then ")}` });
  assert.equal((await readStatus(byRoot)).entries, entries, "refused writes are not recorded");
  await byRoot.call("CLUSTER SEMANTICS 2");
  for (const [feature, write] of LATER)
    await assert.rejects(write(items), { message: `${feature} ${REQUIRES} ${SWITCHES[1]}` });
  assert.deepEqual(await items.find().toArray(), [{ _id: 1, n: 1, l: [1, 2] }]);
  await byRoot.call("CLUSTER SEMANTICS 3");
  for (const [, write] of LATER) await write(items);
  const things = client.db("shop").collection("things");
  assert.deepEqual(await things.find().toArray(), [{ _id: 1, n: 3, l: [1, 3], m: 2, p: 1, q: 2 }]);
});

test("without an administrator the error states that --root-key is missing, and a sidecar's error names the feature", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({
    args: ["-s", app.file, "--data", join(folder.path, "data"), "--mongo", "0"],
  });
  await using client = clientOf(replica);
  const items = itemsOf(client);
  await items.insertOne({ n: 1 });
  // A value that looks like a later feature is only a value.
  await items.updateOne({ n: 1 }, { $set: { text: "p.$ arrayFilters\0$expr\0" } });
  const update = (target: Collection<Document>) => target.updateOne({ n: 1 }, { $bit: { n: { or: 2 } } });
  await assert.rejects(update(items), /^MongoServerError: \$bit requires version 3 .* have no --root-key/);
  const key = join(folder.path, "private.pem");
  writeFileSync(key, app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  await using sidecar = await startReplica({
    args: ["-d", `dbsync:127.0.0.1:${replica.port}`, "--key", key, "--mongo", "0"],
  });
  await using forwarded = clientOf(sidecar);
  // A sidecar does not know the version of the semantics; its daemons refuse the write.
  await assert.rejects(update(itemsOf(forwarded)), {
    message: `$bit ${REQUIRES} ${SWITCHES.join(", then ")}`,
  });
  assert.equal((await items.findOne())?.["n"], 1);
});
