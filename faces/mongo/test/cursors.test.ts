/**
 * Tests long answers in parts: all parts show one state, have a limited size, and are sent only to the client that
 * requested them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Long, type MongoClient } from "mongodb";
import { until } from "../../../test/support/until.js";
import { clientOf, startMongo } from "./scene.js";

const DOCUMENTS = 1000;

/** Inserts the documents 0, 1 and so on into `items`. */
async function insertDocuments(client: MongoClient): Promise<void> {
  const documents = Array.from({ length: DOCUMENTS }, (_, n) => ({ _id: n as never, text: "x".repeat(100) }));
  await client.db("shop").collection("items").insertMany(documents);
}

/** Opens a cursor on `items`. @returns its id */
const openCursor = async (client: MongoClient, batchSize = 1): Promise<Long> => {
  const { cursor } = await client.db("shop").command({ find: "items", batchSize }, { promoteLongs: false });
  return cursor.id;
};

const getMore = (client: MongoClient, id: Long, batchSize?: number) =>
  client
    .db("shop")
    .command({ getMore: id, collection: "items", ...(batchSize === undefined ? {} : { batchSize }) });

test("a client fetches an answer in parts of the requested size, despite later deletions", async () => {
  await using scene = await startMongo();
  await using client = clientOf(scene.port);
  await insertDocuments(client);
  const items = client.db("shop").collection("items");
  const cursor = items.find().batchSize(7);
  const ids = [(await cursor.next())?._id];
  await items.deleteMany({});
  for await (const { _id } of cursor) ids.push(_id);
  assert.deepEqual(
    ids,
    Array.from({ length: DOCUMENTS }, (_, n) => n),
  );
  await assert.rejects(getMore(client, Long.fromNumber(5)), { code: 43 });
});

test("a batch has at most 16 MiB, and at least one document", async () => {
  await using scene = await startMongo();
  await using client = clientOf(scene.port);
  const items = client.db("shop").collection("items");
  for (let n = 0; n < 3; n++) await items.insertOne({ _id: n as never, text: "x".repeat(9_000_000) });
  const { cursor } = await client.db("shop").command({ find: "items" });
  assert.equal(cursor.firstBatch.length, 1);
  assert.deepEqual(
    (await items.find().toArray()).map(({ text }) => text.length),
    [9e6, 9e6, 9e6],
  );
});

test("a closed cursor no longer exists, and a single batch opens no cursor", async () => {
  await using scene = await startMongo();
  await using client = clientOf(scene.port);
  await insertDocuments(client);
  const id = await openCursor(client);
  const { cursorsKilled, cursorsNotFound } = await client
    .db("shop")
    .command({ killCursors: "items", cursors: [id, Long.fromNumber(3)] });
  assert.deepEqual([cursorsKilled.length, cursorsNotFound.length], [1, 1]);
  await assert.rejects(getMore(client, id), { code: 43 });
  const { cursor } = await client.db("shop").command({ find: "items", batchSize: 2, singleBatch: true });
  assert.deepEqual([cursor.firstBatch.length, Number(cursor.id)], [2, 0]);
  assert.equal(scene.listener.bufferedBytes, 0);
});

test("the number and the bytes of cursors are limited, and unused cursors are closed first", async () => {
  await using scene = await startMongo({ limits: { mongoCursors: 50, mongoCursorBytes: 20_000_000 } });
  await using client = clientOf(scene.port);
  await insertDocuments(client);
  const first = await openCursor(client);
  const used = await openCursor(client);
  for (let n = 0; n < 60; n++) {
    await openCursor(client);
    await getMore(client, used, 1);
  }
  await assert.rejects(getMore(client, first), { code: 43 });
  await Promise.all(Array.from({ length: 1000 }, () => openCursor(client)));
  assert.ok(scene.listener.bufferedBytes < 21_000_000, String(scene.listener.bufferedBytes));
});

test("an answer that alone exceeds the limit is refused", async () => {
  await using scene = await startMongo({ limits: { mongoCursorBytes: 100_000 } });
  await using client = clientOf(scene.port);
  await insertDocuments(client);
  await assert.rejects(openCursor(client), { code: 146, message: /--mongo-cursor-bytes/ });
  assert.equal((await client.db("shop").collection("items").find().limit(100).toArray()).length, 100);
});

test("a cursor that is unused for --mongo-cursor-timeout is closed", async () => {
  await using scene = await startMongo({ limits: { mongoCursorTimeout: 100 } });
  await using client = clientOf(scene.port);
  await insertDocuments(client);
  const id = await openCursor(client);
  await until("the answer is released", () => Promise.resolve(scene.listener.bufferedBytes === 0));
  await assert.rejects(getMore(client, id), { code: 43 });
});

test("a cursor with noCursorTimeout is closed only by the other limits", async () => {
  await using scene = await startMongo({ limits: { mongoCursorTimeout: 100, mongoCursors: 2 } });
  await using client = clientOf(scene.port);
  await insertDocuments(client);
  const { cursor } = await client
    .db("shop")
    .command({ find: "items", batchSize: 1, noCursorTimeout: true }, { promoteLongs: false });
  const lasting: Long = cursor.id;

  const bytes = scene.listener.bufferedBytes;
  for (let n = 0; n < 2; n++) {
    const other = await openCursor(client);
    await until("only the lasting cursor remains", () =>
      Promise.resolve(scene.listener.bufferedBytes === bytes),
    );
    await assert.rejects(getMore(client, other), { code: 43 });
  }

  assert.equal((await getMore(client, lasting, 1))["cursor"].nextBatch.length, 1);
  for (let n = 0; n < 2; n++) await openCursor(client);
  await assert.rejects(getMore(client, lasting), { code: 43 });
  await until("the remaining cursors are closed", () => Promise.resolve(scene.listener.bufferedBytes === 0));
});

test("a cursor belongs to one user and one collection", async () => {
  const users = ["user default off", "user ann on >secret ~* +@all", "user eva on >secret ~* +@all"];
  await using scene = await startMongo({ users });
  await using ann = clientOf(scene.port, "ann:secret");
  await using eva = clientOf(scene.port, "eva:secret");
  await insertDocuments(ann);
  const id = await openCursor(ann);
  await assert.rejects(getMore(eva, id), { code: 43 });
  const { cursorsNotFound } = await eva.db("shop").command({ killCursors: "items", cursors: [id] });
  assert.equal(cursorsNotFound.length, 1);
  await assert.rejects(ann.db("shop").command({ getMore: id, collection: "others" }), { code: 13 });
  assert.equal((await getMore(ann, id))["cursor"].nextBatch.length, DOCUMENTS - 1);
});

test("a user that has lost a permission cannot fetch more of an earlier answer", async () => {
  const users = ["user ann on >secret ~* +@all"];
  await using scene = await startMongo({ users });
  await using ann = clientOf(scene.port, "ann:secret");
  await insertDocuments(ann);
  const items = await openCursor(ann);
  const { cursor } = await ann.db("shop").command({
    aggregate: "items",
    pipeline: [{ $lookup: { from: "secrets", localField: "a", foreignField: "a", as: "s" } }],
    cursor: { batchSize: 1 },
  });
  scene.users.replaceAll(scene.users.changed("ann", ["resetkeys", "~mongo:shop.items"]));
  await assert.rejects(getMore(ann, Long.fromValue(cursor.id)), { code: 13 });
  assert.equal((await getMore(ann, items, 3))["cursor"].nextBatch.length, 3);
  scene.users.replaceAll(scene.users.changed("ann", ["resetkeys", "~mongo:other.*"]));
  await assert.rejects(getMore(ann, items), { code: 13 });
});

test("a user with many cursors does not displace another user's", async () => {
  const users = ["user default off", "user ann on >secret ~* +@all", "user eva on >secret ~* +@all"];
  await using scene = await startMongo({ users, limits: { mongoCursors: 20 } });
  await using ann = clientOf(scene.port, "ann:secret");
  await using eva = clientOf(scene.port, "eva:secret");
  await insertDocuments(ann);
  const id = await openCursor(eva);
  for (let n = 0; n < 60; n++) await openCursor(ann);
  assert.equal((await getMore(eva, id))["cursor"].nextBatch.length, DOCUMENTS - 1);
});
