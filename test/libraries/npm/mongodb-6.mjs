/** The previous major version of MongoDB's driver: the first examples of its manual. Argument: the port. */
import assert from "node:assert/strict";
import { Long, MongoBulkWriteError, MongoClient, ObjectId } from "mongodb-6";

const client = new MongoClient(`mongodb://127.0.0.1:${process.argv[2]}/?retryWrites=true&w=majority`);
const db = client.db("driver6");
await db.dropDatabase();
const movies = db.collection("movies");

const { insertedId } = await movies.insertOne({
  title: "Metropolis",
  year: 1927,
  big: Long.fromString("9007199254740993"),
});
assert.ok(insertedId instanceof ObjectId);
const many = Array.from({ length: 500 }, (_, n) => ({
  title: `Film ${n}`,
  year: 1900 + (n % 100),
  tags: ["a", `t${n % 3}`],
}));
assert.equal((await movies.insertMany(many)).insertedCount, 500);
const one = await movies.findOne({ title: /^Metro/ }, { projection: { _id: 0, year: 1 } });
assert.deepEqual(one, { year: 1927 });
let seen = 0;
for await (const { year } of movies
  .find({ year: { $lt: 1950 } })
  .sort({ year: -1, title: 1 })
  .batchSize(20)) {
  assert.ok(year < 1950);
  seen++;
}
assert.equal(seen, 251);
const { matchedCount, modifiedCount } = await movies.updateMany(
  { year: 1950 },
  { $set: { old: true }, $inc: { views: 2 } },
);
assert.deepEqual([matchedCount, modifiedCount], [5, 5]);
const upserted = await movies.updateOne({ title: "M" }, { $setOnInsert: { year: 1931 } }, { upsert: true });
assert.ok(upserted.upsertedId instanceof ObjectId);
const groups = await movies
  .aggregate([
    { $match: { tags: { $exists: true } } },
    { $unwind: "$tags" },
    { $group: { _id: "$tags", count: { $sum: 1 }, first: { $min: "$year" } } },
    { $sort: { _id: 1 } },
  ])
  .toArray();
assert.deepEqual(
  groups.map(({ _id, count }) => [_id, count]),
  [
    ["a", 500],
    ["t0", 167],
    ["t1", 167],
    ["t2", 166],
  ],
);

await movies.createIndex({ title: 1 }, { unique: true });
const bulk = await movies
  .bulkWrite(
    [
      { insertOne: { document: { title: "M" } } },
      { updateOne: { filter: { title: "Film 1" }, update: { $push: { tags: "x" } } } },
      { deleteOne: { filter: { title: "Film 2" } } },
      { replaceOne: { filter: { title: "Film 3" }, replacement: { title: "Film three" } } },
    ],
    { ordered: false },
  )
  .catch((problem) => problem);
assert.ok(bulk instanceof MongoBulkWriteError);
assert.deepEqual([bulk.code, bulk.result.modifiedCount, bulk.result.deletedCount], [11000, 2, 1]);
assert.equal((await movies.findOneAndDelete({ title: "Film three" }))?.title, "Film three");
assert.equal(await movies.countDocuments(), 500);
assert.equal((await movies.distinct("year")).length, 101 - 1);
const session = client.startSession();
// A daemon with peers announces itself as one of several servers without sessions.
const { logicalSessionTimeoutMinutes } = await db.command({ hello: 1 });
if (logicalSessionTimeoutMinutes === undefined)
  await assert.rejects(movies.insertOne({ title: "in a session" }, { session }), /sessions/);
else {
  await movies.insertOne({ title: "in a session" }, { session });
  await assert.rejects(
    session.withTransaction(() => movies.insertOne({ title: "in a transaction" }, { session })),
    { code: 238, message: /transactions are not supported/ },
  );
}
await session.endSession();
assert.deepEqual(
  (await db.listCollections().toArray()).map(({ name }) => name),
  ["movies"],
);
assert.deepEqual(
  (await movies.indexes()).map(({ name }) => name),
  ["_id_", "title_1"],
);
await movies.drop();
await client.close();
