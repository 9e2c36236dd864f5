/**
 * Tests unique indexes of two real daemons whose links are cut: one creates an index, the other one has already
 * accepted equal values. The drivers see the index afterwards, with its reason, until it is created again.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MongoServerError } from "mongodb";
import { ActiveCluster } from "../../../test/support/active-cluster.js";
import { until } from "../../../test/support/until.js";
import { clientOf } from "./scene.js";

interface User {
  readonly _id: number;
  readonly email: string;
  readonly seen?: number;
}

/** Returns the code and the text of the error with which a call fails. */
async function failureOf(call: Promise<unknown>): Promise<{ readonly code: number; readonly text: string }> {
  try {
    await call;
  } catch (problem) {
    if (!(problem instanceof MongoServerError)) throw problem;
    return { code: Number(problem.code), text: problem.message };
  }
  throw new Error("the call has not failed");
}

test("an acknowledged unique index that another daemon's documents contradict stays, and says so", async () => {
  await using cluster = await ActiveCluster.start(2, { hasDocuments: true });
  await using here = clientOf(cluster.mongoPort(0));
  await using there = clientOf(cluster.mongoPort(1));
  const usersOf = (client: typeof here) => client.db("shop").collection<User>("users");
  const users = usersOf(here);
  const others = usersOf(there);
  const both = [users, others];
  const shown = () =>
    Promise.all(both.map(async (one) => (await one.indexes()).find(({ name }) => name === "email_1")));
  const status = async () =>
    (await cluster.answers("TIMELINE", "STATUS")).map((answer) => {
      const flat = answer as unknown[];
      return flat[flat.indexOf("invalid-indexes") + 1];
    });

  cluster.areApart = true;
  await others.insertMany([
    { _id: 1, email: "x" },
    { _id: 2, email: "x" },
  ]);
  assert.equal(await users.createIndex({ email: 1 }, { unique: true }), "email_1");
  cluster.areApart = false;
  await cluster.untilEqual();

  const invalid = 'documents had equal values when it was created: { email: "x" }';
  for (const index of await shown())
    assert.deepEqual({ ...index }, { v: 2, key: { email: 1 }, name: "email_1", unique: true, invalid });
  const reported = [["db", 0, "key", "mongo:shop.users", "index", "email_1"]];
  for (const answer of await status()) assert.deepEqual(answer, reported);

  for (const index of cluster.indices)
    await cluster.untilLogged(
      index,
      "the index email_1 of key mongo:shop.users in database 0 was acknowledged",
    );

  // New duplicates are refused with the reason; other writes succeed, and their replies say so.
  for (const one of both) {
    const { code, text } = await failureOf(one.insertOne({ _id: 3, email: "x" }));
    assert.equal(code, 11000);
    assert.match(
      text,
      /^E11000 duplicate key error collection: shop\.users index: email_1 dup key: \{ email: "x" \}; /,
    );
    assert.match(
      text,
      /index email_1 is invalid \(documents had equal values .*\): remove the cause, and create the/,
    );
  }
  await users.insertOne({ _id: 4, email: "y" });
  assert.equal((await users.updateOne({ _id: 1 }, { $set: { seen: 1 } })).modifiedCount, 1);
  const reply = await here.db("shop").command({ insert: "users", documents: [{ _id: 5, email: "z" }] });
  assert.match(String(reply["warnings"]), /^index email_1 is invalid \(documents had equal values/);
  assert.equal((await users.find({ email: "x" }).toArray()).length, 2);

  // The index survives a restart, and is not created again while the documents are there.
  await cluster.end(1, "SIGKILL");
  await cluster.restart(1);
  await cluster.untilEqual();
  assert.deepEqual(
    (await shown()).map((index) => index?.["invalid"]),
    [invalid, invalid],
  );
  const refused = await failureOf(users.createIndex({ email: 1 }, { unique: true }));
  assert.deepEqual(refused, {
    code: 11000,
    text: 'E11000 duplicate key error collection: shop.users index: email_1 dup key: { email: "x" }',
  });
  assert.deepEqual(
    (await shown()).map((index) => index?.["invalid"]),
    [invalid, invalid],
  );

  // Tools that copy a collection send the definition back.
  const [, listed] = await users.indexes();
  await here.db("shop").command({ createIndexes: "copy", indexes: [listed] });

  // Without the duplicate, the same call makes the index valid.
  await others.deleteOne({ _id: 2 });
  await cluster.untilEqual();
  assert.equal(await users.createIndex({ email: 1 }, { unique: true }), "email_1");
  await cluster.untilEqual();
  for (const index of await shown())
    assert.deepEqual({ ...index }, { v: 2, key: { email: 1 }, name: "email_1", unique: true });
  await until("no daemon reports an invalid index", async () =>
    (await status()).every((answer) => Array.isArray(answer) && answer.length === 0),
  );
});
