/**
 * mongoose at three servers: programs save a document at the same version, and insert the same unique value. Arguments:
 * the number of rounds, and the ports. Writes what it counted to stdout, as a line of JSON.
 */
import assert from "node:assert/strict";
import mongoose from "mongoose";
import { until } from "./until.mjs";

const [rounds, ...ports] = process.argv.slice(2).map(Number);
const AT_ONCE = 4;
/** The milliseconds between two attempts: a server may be down for a while. */
const PAUSE_MS = 100;
const figures = {
  saves: 0,
  reportedAsModified: 0,
  unknown: 0,
  inserts: 0,
  reportedAsInserted: 0,
  unknownInserts: 0,
};

const connections = await Promise.all(
  ports.map((port) =>
    mongoose
      .createConnection(`mongodb://127.0.0.1:${port}/shop?directConnection=true`, { autoIndex: false })
      .asPromise(),
  ),
);
const items = connections.map((connection) =>
  connection.model(
    "Item",
    new mongoose.Schema({ round: Number, by: Number }, { optimisticConcurrency: true }),
  ),
);
const users = connections.map((connection) =>
  connection.model("User", new mongoose.Schema({ mail: { type: String, unique: true }, by: Number })),
);

/** Calls until the call succeeds. */
async function insist(call) {
  for (let attempt = 1; ; attempt++)
    try {
      return await call();
    } catch (error) {
      if (attempt === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
}

const isRefused = (error) => /NOTAPPLIED/.test(error.message);

/** Each program reads the document and saves a change. */
async function save(round) {
  const { _id } = await insist(() => items[0].create({ round, by: -1 }));
  const saved = await Promise.all(
    items.map(async (model, by) => {
      let item = null;
      const isThere = async () => (item = await insist(() => model.findById(_id))) !== null;
      await until(() => `server ${by} has the document`, isThere, PAUSE_MS);
      return Object.assign(item, { by });
    }),
  );
  await Promise.all(
    saved.map(async (item) => {
      figures.saves++;
      try {
        await item.save();
        figures.reportedAsModified++;
      } catch (error) {
        if (error.name !== "VersionError" && !isRefused(error)) figures.unknown++;
      }
    }),
  );
}

/** Each program inserts the same value. */
async function insert(round) {
  await Promise.all(
    users.map(async (model, by) => {
      figures.inserts++;
      try {
        await model.create({ mail: `${round}@example`, by });
        figures.reportedAsInserted++;
      } catch (error) {
        if (error.code !== 11000 && !isRefused(error)) figures.unknownInserts++;
      }
    }),
  );
}

await insist(() => connections[0].dropDatabase());
// Each program creates the index, as mongoose does at its start.
await Promise.all(users.map((model) => insist(() => model.createIndexes())));
const left = Array.from({ length: rounds }, (_, round) => round);
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let round = left.shift(); round !== undefined; round = left.shift())
      await Promise.all([save(round), insert(round)]);
  }),
);

/** Waits until all servers return the same. */
async function agreed(read) {
  let found = [];
  const areEqual = async () => {
    found = await Promise.all(ports.map((_, i) => insist(() => read(i))));
    const [first, ...rest] = found.map((one) => JSON.stringify(one));
    return rest.every((one) => one === first);
  };
  await until(() => "all servers return the same", areEqual, PAUSE_MS);
  return found[0];
}

// A write after all others, after which each server has them.
await insist(() => items[0].create({ round: -1, by: -1 }));
await agreed((i) => items[i].countDocuments({ round: -1 }));
const versions = await agreed((i) =>
  items[i]
    .find({ round: { $gte: 0 } })
    .sort("_id")
    .lean(),
);
figures.tookEffect = versions.reduce((sum, { __v }) => sum + __v, 0);
const mails = await agreed((i) => users[i].find().sort("_id").lean());
figures.documents = mails.length;
figures.duplicates = mails.length - new Set(mails.map(({ mail }) => mail)).size;
for (const model of users) {
  const index = (await model.collection.listIndexes().toArray()).find(({ name }) => name === "mail_1");
  assert.deepEqual([index?.unique, index?.invalid], [true, undefined], JSON.stringify(index));
}
figures.indexes = users.length;
console.log(JSON.stringify(figures));
await Promise.all(connections.map((connection) => connection.close()));
