/** Tests documents with MongoDB's driver: writing, finding, changing, counting, removing, and MongoDB's error codes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Binary,
  BSON,
  type ClientSession,
  type Collection,
  DBRef,
  type Db,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  MongoBulkWriteError,
  ObjectId,
} from "mongodb";
import { RawClient } from "../../../test/support/raw-client.js";
import { until } from "../../../test/support/until.js";
import { query } from "./bytes/messages.js";
import { clientOf, startMongo } from "./scene.js";

const { deserialize, serialize } = BSON;

/** Runs a test with a collection of an empty database. */
async function withCollection(
  run: (collection: Collection<Document>, database: Db) => Promise<void>,
): Promise<void> {
  await using scene = await startMongo();
  await using client = clientOf(scene.port);
  const database = client.db("shop");
  await run(database.collection("items"), database);
}

const SAMPLE: Document = {
  id: new ObjectId(),
  int: new Int32(-1),
  long: Long.fromString("9007199254740993"),
  double: new Double(3),
  decimal: Decimal128.fromString("1.10"),
  bytes: new Binary(Buffer.from([0, 255, 128]), 0),
  date: new Date(-1),
  text: "é\u0000\u{1f600}",
  list: [new Int32(1), [new Int32(2)], {}],
  inner: { "": null, yes: true, pattern: /a.b/i },
};

test("values are returned unchanged, with their types", () =>
  withCollection(async (items) => {
    const { insertedId } = await items.insertOne({ ...SAMPLE });
    const unpromoted = { promoteValues: false };
    assert.deepEqual(await items.findOne({ _id: insertedId }, unpromoted), { ...SAMPLE, _id: insertedId });
    assert.deepEqual((await items.find({ long: SAMPLE["long"] }).toArray()).length, 1);
  }));

test("documents are sorted, skipped, limited and projected", () =>
  withCollection(async (items) => {
    await items.insertMany(Array.from({ length: 50 }, (_, n) => ({ n: new Int32(n), odd: n % 2 === 1 })));

    const found = await items
      .find({ odd: true, n: { $gte: 5 } }, { projection: { _id: 0, n: 1 } })
      .sort({ n: -1 })
      .skip(2)
      .limit(3)
      .toArray();
    assert.deepEqual(
      found.map(({ n }) => n),
      [45, 43, 41],
    );

    const last = await items.find({}, { hint: { $natural: -1 }, limit: 2 }).toArray();
    assert.deepEqual(
      last.map(({ n }) => n),
      [49, 48],
    );

    assert.equal(await items.countDocuments({ odd: true }), 25);
    assert.equal(await items.estimatedDocumentCount(), 50);
    assert.deepEqual((await items.distinct("odd")).sort(), [false, true]);
  }));

test("the driver's options min, max, returnKey and hint reach the store", () =>
  withCollection(async (items) => {
    await items.insertMany([4, 1, 3, 2].map((n) => ({ _id: n as never, n })));
    await items.createIndex({ n: -1 });
    const found = await items.find({}, { hint: { n: -1 }, min: { n: 3 }, max: { n: 1 } }).toArray();
    assert.deepEqual(
      found.map(({ n }) => n),
      [3, 2],
    );
    const keys = await items.find({}, { hint: { n: -1 }, min: { n: 2 }, returnKey: true }).toArray();
    assert.deepEqual(keys, [{ n: 2 }, { n: 1 }]);
    await assert.rejects(items.find({}, { min: { n: 3 } }).toArray(), { code: 51173 });
    const first = await items.aggregate([{ $limit: 1 }], { hint: { n: -1 } }).toArray();
    assert.deepEqual(first, [{ _id: 4, n: 4 }]);
    await assert.rejects(items.aggregate([], { hint: "none" }).toArray(), { code: 2 });
  }));

test("projections compute _id, references are compared, and days must exist", () =>
  withCollection(async (items) => {
    const [one, two] = [new DBRef("users", 1 as never), new DBRef("users", 2 as never)];
    await items.insertMany([
      { _id: 1 as never, u: "a", r: one, s: "2023-02-28" },
      { _id: 2 as never, u: "a", r: two, s: "2023-02-30" },
    ]);
    const group = { $group: { _id: "$u", n: { $sum: 1 } } };
    const forms: readonly [pipeline: Document[], result: Document[]][] = [
      [[{ $project: { _id: "$u" } }], [{ _id: "a" }, { _id: "a" }]],
      [[group, { $project: { _id: "$_id", n: 1 } }], [{ _id: "a", n: 2 }]],
      [[group, { $project: { n: 1, _id: { $concat: ["$_id", "!"] } } }], [{ _id: "a!", n: 2 }]],
      [[{ $match: { r: { $in: [one] } } }, { $project: { _id: "$r.$id" } }], [{ _id: 1 }]],
    ];
    for (const [pipeline, result] of forms)
      assert.deepEqual(await items.aggregate(pipeline).toArray(), result, JSON.stringify(pipeline));
    assert.deepEqual(await items.find({}, { projection: { _id: "$s" }, limit: 1 }).toArray(), [
      { _id: "2023-02-28" },
    ]);
    assert.deepEqual(await items.distinct("_id", { r: { $in: [one, two] } }), [1, 2]);
    assert.deepEqual(await items.distinct("_id", { r: { $nin: [one] } }), [2]);
    assert.equal(await items.createIndex({ "r.$id": 1 }), "r.$id_1");
    assert.deepEqual(await items.distinct("_id", { "r.$id": 2 }), [2]);

    const dateOf = (id: number) =>
      items.aggregate([{ $match: { _id: id } }, { $project: { _id: 0, d: { $toDate: "$s" } } }]).toArray();
    assert.deepEqual(await dateOf(1), [{ d: new Date("2023-02-28") }]);
    await assert.rejects(dateOf(2), { code: 241, message: /Error parsing date string '2023-02-30'/ });
  }));

test("documents without _id receive an ObjectId from the server as their first field", () =>
  withCollection(async (items) => {
    await items.insertMany([{ a: 1 }, { a: 2 }], { forceServerObjectId: true });
    const found = await items.find().toArray();
    for (const one of found)
      assert.deepEqual([Object.keys(one)[0], one._id instanceof ObjectId], ["_id", true]);
    assert.notDeepEqual(found[0]?._id, found[1]?._id);
  }));

test("updates report their effects", () =>
  withCollection(async (items) => {
    await items.insertMany([1, 2, 3].map((n) => ({ _id: new Int32(n) as never, n: new Int32(n) })));
    const one = await items.updateOne({ n: 1 }, { $set: { a: 1 }, $inc: { n: new Int32(10) } });
    assert.deepEqual([one.matchedCount, one.modifiedCount, one.upsertedId], [1, 1, null]);
    const many = await items.updateMany({}, { $push: { list: "x" } as never });
    assert.deepEqual([many.matchedCount, many.modifiedCount], [3, 3]);
    const added = await items.updateOne({ kind: "new" }, { $set: { a: 2 } }, { upsert: true });
    assert.deepEqual([added.upsertedCount, added.upsertedId instanceof ObjectId], [1, true]);
    const replaced = await items.replaceOne({ n: 2 }, { whole: true });
    assert.equal(replaced.modifiedCount, 1);

    const before = await items.findOneAndUpdate({ n: 3 }, { $set: { n: "three" } });
    const after = await items.findOneAndUpdate(
      { n: "three" },
      { $set: { b: 1 } },
      { returnDocument: "after" },
    );
    assert.deepEqual([before?.["n"], after?.["n"]], [3, "three"]);

    assert.equal((await items.findOneAndDelete({ n: "three" }))?.["b"], 1);
    assert.equal((await items.deleteMany({ whole: true })).deletedCount, 1);
    assert.equal(await items.countDocuments(), 2);
  }));

test("a duplicate of a unique value fails with error 11000 and its index in the batch", () =>
  withCollection(async (items) => {
    await items.createIndex({ mail: 1 }, { unique: true });
    await items.insertOne({ mail: "a" });
    await assert.rejects(items.insertOne({ mail: "a" }), {
      code: 11000,
      keyPattern: { mail: 1 },
      keyValue: { mail: "a" },
    });

    const batch = ["b", "a", "c"].map((mail) => ({ mail }));
    const ordered = await items.insertMany(batch).catch((problem: MongoBulkWriteError) => problem);
    assert.ok(ordered instanceof MongoBulkWriteError);
    assert.deepEqual([ordered.code, ordered.result.insertedCount], [11000, 1]);

    const insertedDocuments = ["d", "a", "e"].map((mail) => ({ mail }));
    const unordered = await items
      .insertMany(insertedDocuments, { ordered: false })
      .catch((problem: MongoBulkWriteError) => problem);
    assert.ok(unordered instanceof MongoBulkWriteError);
    assert.deepEqual([unordered.result.insertedCount, [unordered.writeErrors].flat()[0]?.index], [2, 1]);
    assert.equal(await items.countDocuments(), 4);

    await assert.rejects(items.updateOne({ mail: "b" }, { $set: { mail: "a" } }), { code: 11000 });
    const indexes = await items.listIndexes().toArray();
    assert.deepEqual(
      indexes.map(({ name, unique }) => [name, unique]),
      [
        ["_id_", undefined],
        ["mail_1", true],
      ],
    );

    await items.dropIndex("mail_1");
    await items.insertOne({ mail: "a" });
  }));

test("an operand with a zero byte in a name never becomes part of a document", () =>
  withCollection(async (items) => {
    await items.insertOne({ _id: 1 as never, a: 1, l: [1] });
    const zero = "b\0c";
    const updates: readonly (Document | Document[])[] = [
      { $rename: { a: zero } },
      [{ $replaceWith: { $setField: { field: zero, input: "$$ROOT", value: 1 } } }],
      [{ $replaceWith: { $arrayToObject: [[[zero, 1]]] } }],
      [{ $set: { x: { $arrayToObject: [[{ k: zero, v: 1 }]] } } }],
    ];
    for (const update of updates)
      await assert.rejects(items.updateOne({}, update as Document), /null byte|may not contain '\\0'/);
    await items.updateOne({ _id: 1 as never }, { $set: { z: zero } });
    assert.deepEqual(await items.findOne(), { _id: 1, a: 1, l: [1], z: zero });
  }));

test("a pipeline groups, unwinds and joins", () =>
  withCollection(async (items) => {
    await items.insertMany(["a", "b", "a"].map((kind, n) => ({ kind, n: new Int32(n), tags: ["x", "y"] })));
    const grouped = await items
      .aggregate([
        { $group: { _id: "$kind", sum: { $sum: "$n" }, all: { $push: "$n" } } },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    assert.deepEqual(
      grouped.map(({ _id, sum, all }) => [_id, sum, all.length]),
      [
        ["a", 2, 2],
        ["b", 1, 1],
      ],
    );
    const joined = [
      { $unwind: "$tags" },
      { $lookup: { from: "items", localField: "kind", foreignField: "kind", as: "same" } },
    ];
    assert.equal((await items.aggregate(joined).toArray()).length, 6);
  }));

test("collections and databases are listed, created and dropped", async () => {
  await using scene = await startMongo();
  await using client = clientOf(scene.port);
  const db = client.db("shop");
  await db.createCollection("empty");
  await db.collection("full").insertOne({ a: 1 });
  assert.deepEqual((await db.listCollections().toArray()).map(({ name }) => name).sort(), ["empty", "full"]);
  assert.deepEqual(
    (await client.db().admin().listDatabases()).databases.map(({ name }) => name),
    ["shop"],
  );

  await assert.rejects(db.createCollection("full"), { code: 48 });
  await assert.rejects(db.renameCollection("empty", "full"), { code: 48 });
  assert.equal(await db.collection("full").countDocuments(), 1);

  await db.renameCollection("empty", "full", { dropTarget: true });
  assert.equal(await db.collection("full").countDocuments(), 0);

  await db.collection("full").drop();
  await db.dropDatabase();
  assert.deepEqual((await client.db().admin().listDatabases()).databases, []);
});

const createIndex = (options: Document): Document => ({
  createIndexes: "a",
  indexes: [{ key: { a: 1 }, name: "a", ...options }],
});

test("the error for an unsupported feature names the feature", async () => {
  await using scene = await startMongo();
  await using client = clientOf(scene.port);
  const db = client.db("shop");
  const refused: readonly [Document, number, RegExp][] = [
    [{ mapReduce: "a" }, 59, /mapReduce/],
    [{ find: "a", filtr: {} }, 40415, /'find\.filtr'/],
    [{ find: "a", collation: { locale: "de" } }, 238, /'collation' of find .*: store .* in lower case$/],
    [{ find: "a", tailable: true }, 238, /'tailable' .* watch\(\)/],
    [createIndex({ partialFilterExpression: { a: 1 } }), 238, /'partialFilterExpression' .* sparse index$/],
    [{ aggregate: "a", pipeline: [{ $collStats: {} }], cursor: {} }, 238, /\$collStats .* command collStats/],
    [{ find: "a", filter: { $where: "1" } }, 238, /\$where/],
    [{ find: 1 }, 73, /collection name/],
    [{ find: "" }, 73, /namespace/],
    [{ find: "a", limit: "x" }, 2, /limit|number/],
    [{ find: "a", batchSize: -1 }, 2, /batchSize/],
    [{ find: "a", readConcern: { level: "majority" } }, 148, /majority/],
    [{ find: "a", readConcern: { level: "snapshot" } }, 123, /replica set/],
    [{ find: "a", txnNumber: 1, startTransaction: true }, 238, /transactions .*: put related data into one/],
    [{ commitTransaction: 1, txnNumber: 1, autocommit: false }, 238, /transactions are not supported/],
    [{ insert: "a", documents: [{ a: 1 }], txnNumber: 1 }, 20, /^Transaction numbers/],
    [{ insert: "a", documents: [] }, 16, /batch sizes/],
    [{ insert: "a", documents: [1] }, 14, /is not a document/],
    [{ insert: "a", documents: [{ a: 1 }], writeConcern: { w: 2 } }, 2, /not replicated/],
    [{ insert: "a", documents: [{ a: 1 }], writeConcern: { w: "two" } }, 79, /two/],
    [{ insert: "a", documents: [{ a: 1 }], writeConcern: { j: true } }, 2, /--data/],
    [{ collStats: "a", apiVersion: "1", apiStrict: true }, 323, /collStats is not in API Version 1/],
    [{ explain: { ping: 1 } }, 59, /unknown command: ping/],
    [{ explain: { find: "a" }, verbosity: "all" }, 9, /verbosity string must be one of/],
    [{ collMod: "a" }, 59, /no such command: 'collMod': drop the index/],
    [
      { createIndexes: "a", indexes: [{ key: { s: "text" }, name: "s" }] },
      67,
      /kinds of indexes .*: use \$regex/,
    ],
    [{ find: "a", projection: { "a.$": 1 } }, 238, /\$elemMatch/],
    [{ renameCollection: "shop.none", to: "shop.b" }, 26, /does not exist/],
    [{ update: "a", updates: [{ q: {}, u: {}, w: 1 }] }, 40415, /'update\.updates\.w'/],
    [{ aggregate: "a", pipeline: [] }, 9, /cursor/],
    [{ aggregate: "a", pipeline: [], cursor: {}, explain: true }, 238, /explain/],
    [{ aggregate: 1, pipeline: [], cursor: {} }, 73, /collection/],
    [{ create: "a", capped: true }, 238, /expireAfterSeconds, because capped collections are not supported$/],
    [
      { create: "a", size: 9, max: 9, capped: true },
      238,
      /'size' of create .* only capped collections .*Seconds$/,
    ],
    [{ create: "a", max: 9 }, 238, /'max' of create .* only capped collections/],
    [
      { convertToCapped: "a", size: 9 },
      59,
      /^no such command: 'convertToCapped': capped collections are not/,
    ],
    [{ profile: 0 }, 59, /^no such command: 'profile': no profile is stored; see dbsync top/],
    [
      { createUser: "a", pwd: "b", roles: [] },
      59,
      /'createUser': users are defined in the file of --acl-file/,
    ],
    [{ noCommand: 1 }, 59, /^no such command: 'noCommand'$/],
    [{ find: "a", showRecordId: true }, 238, /'showRecordId' of find .*: use _id/],
    [{ find: "a", awaitData: true }, 238, /'awaitData' of find .*: .* watch\(\)/],
    [createIndex({ weights: { a: 2 } }), 238, /'weights' .*: text indexes are not supported; use \$regex/],
    [createIndex({ textIndexVersion: 3 }), 238, /'textIndexVersion' .*: text indexes are not supported/],
    [createIndex({ min: -180 }), 238, /'min' of createIndexes.indexes .*: indexes of places .* GEOSEARCH/],
    [createIndex({ key: { "$**": 1 } }), 67, /'\$\*\*' is not supported.*: create an index for each field$/],
    [createIndex({ key: { a: "2dsphere" } }), 67, /GEOSEARCH/],
    [createIndex({ hidden: true }), 238, /'hidden' .*: drop the index$/],
    [{ ping: 1, apiVersion: "2" }, 322, /apiVersion/],
    [{ find: "a", readConcern: { lvel: "local" } }, 40415, /'readConcern\.lvel'/],
    [{ find: "a", readConcern: { afterOpTime: { t: 1 } } }, 238, /'afterOpTime' of readConcern/],
    [createIndex({ expireAfterSeconds: -1 }), 67, /expireAfterSeconds/],
    [{ aggregate: "a", pipeline: [{ $facet: {} }], cursor: {} }, 238, /one pipeline for each facet/],
    [
      createIndex({ partialFilterExpression: { a: 1 } }),
      238,
      /'partialFilterExpression' of createIndexes.indexes/,
    ],
    [createIndex({ collation: { locale: "de" } }), 238, /'collation' of createIndexes.indexes/],
    [createIndex({ expireAfterSecond: 5 }), 40415, /'createIndexes.indexes.expireAfterSecond'/],
  ];

  for (const [command, code, words] of refused)
    await assert.rejects(db.command(command), (problem: { code?: number; message?: string }) => {
      assert.equal(problem.code, code, `${JSON.stringify(command)}: ${problem.message}`);
      assert.match(problem.message ?? "", words);
      return true;
    });

  assert.deepEqual(
    await db
      .command({ find: "a", collation: { locale: "simple" }, let: {}, tailable: false })
      .then(({ ok }) => ok),
    1,
  );
});

test("a user may access only the collections that its rules permit", async () => {
  const users = [
    "user default off",
    "user ann on >secret ~mongo:shop.* +@all",
    "user eva on >secret %R~mongo:shop.items +@read",
  ];
  await using scene = await startMongo({ users });
  await using ann = clientOf(scene.port, "ann:secret");
  await using eva = clientOf(scene.port, "eva:secret");
  await ann.db("shop").collection("items").insertOne({ a: 1 });
  assert.equal((await eva.db("shop").collection("items").find().toArray()).length, 1);
  await assert.rejects(ann.db("other").collection("items").insertOne({ a: 1 }), { code: 13 });
  await assert.rejects(eva.db("shop").collection("items").insertOne({ a: 1 }), { code: 13 });
  await assert.rejects(eva.db("shop").collection("orders").find().toArray(), { code: 13 });
});

test("a transaction fails with the daemon's message, which the driver does not replace", async () => {
  await using scene = await startMongo();
  await using client = clientOf(scene.port);
  const items = client.db("shop").collection("transactions");
  const message =
    "transactions are not supported by this server: put related data into one document, or write it with one bulkWrite on a collection";
  const write = (session: ClientSession) => () => items.insertOne({ n: 1 }, { session });
  await assert.rejects(
    client.withSession((session) => session.withTransaction(write(session))),
    { message },
  );
  await assert.rejects(
    client.withSession((session) => session.withTransaction(() => items.findOne({}, { session }))),
    { message },
  );
  assert.equal(await items.countDocuments(), 0);
});

test("sessions and unacknowledged writes are accepted", async () => {
  await using scene = await startMongo();
  await using client = clientOf(scene.port);
  const items = client.db("shop").collection("items");
  await client.withSession(async (session) => {
    await items.insertOne({ a: 1 }, { session });
    assert.equal(await items.countDocuments({}, { session }), 1);
  });
  await items.insertOne({ a: 2 }, { writeConcern: { w: 0 } });
  await until("the unacknowledged insert arrives", async () => (await items.countDocuments()) >= 2);
  await items.insertOne({ a: 3 }, { writeConcern: { w: "majority" } });
});

test("an _id with operator fields is refused, and the other documents are reported with their indexes", () =>
  withCollection(async (items) => {
    const bad = () => ({ _id: { $a: 1 } }) as unknown as Document;
    await assert.rejects(items.insertOne(bad()), {
      code: 52,
      message: /'\$'-prefixed fields: \$a is not valid/,
    });
    await items.insertOne({ _id: 2 } as unknown as Document);

    const written = async (ordered: boolean, from: number) => {
      const documents = [from, 2, bad(), from + 1, bad()].map((one) =>
        typeof one === "number" ? ({ _id: one } as unknown as Document) : one,
      );
      const failure: unknown = await items
        .insertMany(documents, { ordered })
        .catch((problem: unknown) => problem);
      assert.ok(failure instanceof MongoBulkWriteError);
      const errors = Array.isArray(failure.writeErrors) ? failure.writeErrors : [failure.writeErrors];
      return { n: failure.insertedCount, errors: errors.map(({ index, code }) => [index, code]) };
    };

    assert.deepEqual(await written(true, 10), { n: 1, errors: [[1, 11000]] });
    assert.deepEqual(await written(false, 20), {
      n: 2,
      errors: [
        [1, 11000],
        [2, 52],
        [4, 52],
      ],
    });

    assert.equal(await items.countDocuments(), 4);
  }));

test("a document above 16 MiB is one write error, and the remaining documents are inserted", () =>
  withCollection(async (items, database) => {
    const max = 16 * 1024 * 1024;
    const sized = (bytes: number, id: object) => {
      const empty = BSON.calculateObjectSize({ ...id, text: "" });
      return { ...id, text: "x".repeat(bytes - empty) };
    };
    const inserted = async (ordered: boolean, from: number, large: Document) => {
      const documents = [{ _id: from }, large, { _id: from + 1 }];
      const { n, writeErrors = [] } = await database.command({ insert: "items", documents, ordered });
      const errors = writeErrors as readonly { index: number; code: number; errmsg: string }[];
      for (const { errmsg } of errors)
        assert.match(errmsg, /^object to insert too large. size in bytes: \d+, max size: 16777216$/);
      return [n, errors.map(({ index, code }) => [index, code])];
    };

    assert.deepEqual(await inserted(true, 10, sized(max + 1, { _id: 1 })), [1, [[1, 10334]]]);
    assert.deepEqual(await inserted(false, 20, sized(max + 1, { _id: 1 })), [2, [[1, 10334]]]);
    // With the _id that the server adds, the document is too large.
    assert.deepEqual(await inserted(false, 30, sized(max, {})), [2, [[1, 10334]]]);
    assert.deepEqual(await inserted(false, 40, sized(max, { _id: 1 })), [3, []]);

    const replaced = await items.replaceOne({ _id: 10 as never }, sized(max - 9, {}));
    assert.equal(replaced.modifiedCount, 1);
    await assert.rejects(items.updateOne({ _id: 1 as never }, { $set: { more: 1 } }), { code: 17419 });
    assert.equal(await items.countDocuments(), 8);
  }));

test("an upsert inserts no document whose _id has operator fields", () =>
  withCollection(async (items, database) => {
    const id = { $a: 1 };
    const ways: readonly (readonly [query: Document, update: Document])[] = [
      [{ a: 1 }, { _id: id }],
      [{ a: 1 }, { $set: { _id: id } }],
      [{ a: 1 }, { $setOnInsert: { _id: id } }],
      [{ _id: { $eq: id } }, { $set: { a: 2 } }],
      [{ $and: [{ a: 1 }, { _id: { $eq: id } }] }, { $set: { b: 2 } }],
    ];

    for (const [query, update] of ways) {
      const updates = [
        { q: query, u: update, upsert: true },
        { q: { a: 1 }, u: { $set: { b: 1 } } },
      ];
      const { writeErrors } = await database.command({ update: "items", updates, ordered: false });
      assert.deepEqual(
        (writeErrors as readonly Document[] | undefined)?.map(({ index, code }) => [index, code]),
        [[0, 52]],
        JSON.stringify([query, update]),
      );

      const found = { findAndModify: "items", query, update, upsert: true };
      await assert.rejects(database.command(found), { code: 52, codeName: "DollarPrefixedFieldName" });
    }
    assert.equal(await items.countDocuments(), 0);

    // Upserts insert unless a document matches.
    await database.command({
      update: "items",
      updates: [{ q: { a: 1 }, u: { _id: { a: 1 } }, upsert: true }],
    });
    assert.equal(await items.countDocuments({ _id: { a: 1 } as never }), 1);
  }));

test("a duplicate that findAndModify or the creation of an index finds is reported with its key", () =>
  withCollection(async (items) => {
    await items.createIndex({ name: 1 }, { unique: true });
    await items.insertMany([{ name: "ann" }, { name: "ben", age: 1 }, { age: 1 }]);
    const expected = { code: 11000, keyPattern: { name: 1 }, keyValue: { name: "ann" } };
    for (const change of [
      items.findOneAndUpdate({ name: "ben" }, { $set: { name: "ann" } }),
      items.findOneAndReplace({ name: "nobody" }, { name: "ann" }, { upsert: true }),
    ])
      await assert.rejects(change, ({ code, keyPattern, keyValue }: typeof expected) => {
        assert.deepEqual({ code, keyPattern, keyValue }, expected);
        return true;
      });
    await assert.rejects(items.createIndex({ age: 1 }, { unique: true }), {
      code: 11000,
      keyPattern: { age: 1 },
      keyValue: { age: 1 },
    });
  }));

test("an error reply to an OP_QUERY message has the flag QueryFailure, and its text in $err", async () => {
  await using scene = await startMongo();
  using client = await RawClient.open(scene.port);
  const queried = async (collection: string, command: Document) => {
    client.send(query(collection, Buffer.from(serialize(command)).toString("latin1")));
    const head = Buffer.from(await client.read(4), "latin1");
    const bytes = Buffer.from(await client.read(head.readInt32LE(0) - 4), "latin1");
    return { flags: bytes.readInt32LE(12), answer: deserialize(bytes.subarray(32)) };
  };
  const greeted = await queried("admin.$cmd", { isMaster: 1 });
  assert.deepEqual([greeted.flags, greeted.answer["ok"]], [8, 1]);
  for (const [collection, command] of [
    ["shop.$cmd", { find: "items" }],
    ["shop.items", {}],
  ] as const) {
    const { flags, answer } = await queried(collection, command);
    assert.deepEqual([flags, answer["ok"], answer["code"]], [8 | 2, 0, 59]);
    assert.equal(answer["$err"], answer["errmsg"]);
  }
});
