/** Errors have the fields that drivers read. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { BSON, type Document, MongoClient, type MongoServerError } from "mongodb";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";

const QUERY_FAILURE = 2;
const REPLY_HEADER_BYTES = 36;

describe("MongoDB's clients", { timeout: 120_000 }, () => {
  let daemon: DaemonProcess;
  let port = 0;
  let client: MongoClient;
  before(async () => {
    port = await freePort();
    daemon = await startDaemon(["--mongo", String(port)]);
    client = new MongoClient(`mongodb://127.0.0.1:${port}`);
  });
  after(async () => {
    await client?.close();
    await daemon?.[Symbol.asyncDispose]();
  });
  const failed = async (call: Promise<unknown>): Promise<MongoServerError> =>
    await call.then(
      () => assert.fail("it succeeded"),
      (reason: MongoServerError) => reason,
    );

  test("the answer to a failed OP_QUERY has the flag QueryFailure", async () => {
    const query = BSON.serialize({ $query: {}, nothing: 1 });
    const fixed = Buffer.alloc(4);
    const name = Buffer.from("shop.items\0");
    const limits = Buffer.alloc(8);
    const body = Buffer.concat([fixed, name, limits, query]);

    const header = Buffer.alloc(16);
    header.writeInt32LE(16 + body.length, 0);
    header.writeInt32LE(7, 4);
    header.writeInt32LE(2004, 12);

    const socket = connect(port, "127.0.0.1");
    socket.write(Buffer.concat([header, body]));
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();

    const document = BSON.deserialize(answer.subarray(REPLY_HEADER_BYTES)) as Document;
    assert.ok("$err" in document || document["ok"] === 0, JSON.stringify(document));
    assert.equal(answer.readInt32LE(16) & QUERY_FAILURE, QUERY_FAILURE);
  });

  test("findAndModify reports keyPattern and keyValue if it would duplicate a key", async () => {
    const users = client.db("shop").collection<{ _id: number; mail: string }>("users");
    await users.createIndex({ mail: 1 }, { unique: true });
    await users.insertMany([
      { _id: 1, mail: "a" },
      { _id: 2, mail: "b" },
    ]);
    const reason = await failed(users.findOneAndUpdate({ _id: 2 }, { $set: { mail: "a" } }));
    assert.equal(reason.code, 11_000);
    assert.deepEqual(reason["keyPattern"], { mail: 1 });
    assert.deepEqual(reason["keyValue"], { mail: "a" });
  });

  test("the daemon refuses an _id with a member that begins with $", async () => {
    const items = client.db("shop").collection<{ _id: object }>("items");
    const reason = await failed(items.insertOne({ _id: { $a: 1 } }));
    assert.equal(typeof reason.code, "number");
    assert.equal(await items.countDocuments({}), 0);
  });

  for (const [command, code] of [
    [{ nothingLikeIt: 1 }, 59],
    [{ find: "items", noSuchField: 1 }, 40_415],
    [{ find: "items", tailable: true }, 238],
    [{ find: "items", readConcern: { level: "majority" } }, 148],
    [{ aggregate: "items", pipeline: [{ $nothing: {} }], cursor: {} }, 40_324],
    [{ find: "items", filter: { a: { $nothing: 1 } } }, 2],
  ] as const)
    test(`the daemon refuses ${JSON.stringify(command)} with ${code}`, async () => {
      const reason = await failed(client.db("shop").command(command as unknown as Document));
      assert.equal(reason.code, code, reason.message);
    });
});
