/**
 * Tests that three daemons whose clients write the same documents with MongoDB's driver reach one state, although one
 * of them is killed in the meantime.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BSON, type Collection, type Document, MongoClient, MongoServerError } from "mongodb";
import { until } from "../../../test/support/until.js";
import { startThreeDaemons } from "./three-daemons.js";

const ROUNDS = 25;
/** The number of rounds that are written to one of the daemons before the test kills it. */
const ROUNDS_BEFORE_KILL = 4;

const itemsOf = (client: MongoClient): Collection<Document> => client.db("shop").collection("items");

/** Returns all data that a client can read, as bytes. */
async function stateBy(client: MongoClient): Promise<string> {
  const items = await itemsOf(client).find({}, { promoteValues: false }).sort({ _id: 1 }).toArray();
  const indexes = await itemsOf(client).listIndexes().toArray();
  return BSON.EJSON.stringify({ items, indexes }, { relaxed: false });
}

/**
 * Inserts documents.
 * @param acknowledged  receives the documents whose insertion was acknowledged
 * @throws MongoError  the daemon was killed
 */
async function write(client: MongoClient, writer: number, acknowledged: (id: string) => void): Promise<void> {
  const items = itemsOf(client);
  const counter = "counter" as never;
  for (let n = 0; n < ROUNDS; n++) {
    const id = `${writer}-${n}`;
    await items.insertOne({ _id: id as never, by: writer, n });
    acknowledged(id);
    await items.updateOne(
      { _id: counter },
      { $inc: { sum: 1 }, $push: { ids: id } as never },
      { upsert: true },
    );
    // Only one of the three writers succeeds. The insertions of the other two fail now, or when the order is final.
    await items.insertOne({ mail: `${n}@example`, by: writer }).catch((problem) => {
      if (!(problem instanceof MongoServerError && problem.code === 11000)) throw problem;
    });
    await items.updateMany({ n }, { $set: { seen: writer } });
    if (n % 3 === 0) await items.deleteOne({ by: writer, n: n - 1 });
  }
}

test("documents and indexes are equal on three daemons after concurrent writes, and after one daemon was killed", async () => {
  await using three = await startThreeDaemons();
  const { trio, mongoPorts } = three;
  const clientOf = (index: number) =>
    new MongoClient(`mongodb://127.0.0.1:${mongoPorts[index]}`, { serverSelectionTimeoutMS: 2000 });
  const clients = [0, 1, 2].map(clientOf);
  const client = (index: number) => clients[index] as MongoClient;
  try {
    const makeIndex = () => itemsOf(client(0)).createIndex({ mail: 1 }, { unique: true, sparse: true });
    await until("writes succeed", () =>
      makeIndex().then(
        () => true,
        () => false,
      ),
    );
    await until("all daemons have the collection", async () => {
      const lists = await Promise.all(clients.map((one) => one.db("shop").listCollections().toArray()));
      return lists.every(({ length }) => length === 1);
    });
    const removeNothing = (one: MongoClient) => itemsOf(one).deleteOne({ _id: "nothing" as never });
    await until("all daemons accept writes", () =>
      Promise.all(clients.map(removeNothing)).then(
        () => true,
        () => false,
      ),
    );

    const acknowledged: string[] = [];
    const ofKilled: string[] = [];
    const killed = trio.daemon(2);
    const writing = [0, 1].map((index) => write(client(index), index, (id) => void acknowledged.push(id)));
    const cut = write(client(2), 2, (id) => {
      ofKilled.push(id);
      if (ofKilled.length === ROUNDS_BEFORE_KILL) void trio.end(2, "SIGKILL");
    });

    await assert.rejects(cut);
    await Promise.all(writing);
    await killed.ended();
    await client(2).close();

    await trio.start(2);
    clients[2] = clientOf(2);
    let states: string[] = [];
    await until("all three daemons are equal", async () => {
      states = await Promise.all(clients.map((one) => stateBy(one).catch(() => String(Math.random()))));
      // On a busy machine the driver may find no server in time, and then stays closed.
      if (states[2]?.startsWith("0.")) {
        await client(2).close();
        clients[2] = clientOf(2);
      }
      return (
        states.every((state) => state === states[0]) && ofKilled.every((id) => states[0]?.includes(`"${id}"`))
      );
    });

    const isStored = (id: string) => states[0]?.includes(`"ids"`) && states[0].includes(`"${id}"`);
    assert.deepEqual(
      [...acknowledged, ...ofKilled].filter((id) => !isStored(id)),
      [],
    );

    const majority = { writeConcern: { w: "majority" as const, wtimeoutMS: 60_000 } };
    await itemsOf(client(0)).insertOne({ by: "majority" }, majority);
    await itemsOf(client(1)).insertOne({ by: "all" }, { writeConcern: { w: 3, wtimeoutMS: 60_000 } });
    assert.equal(await itemsOf(client(2)).countDocuments({ by: "all" }), 1);
  } finally {
    await Promise.all(clients.map((one) => one.close()));
  }
});
