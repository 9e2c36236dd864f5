/** connect-mongo, as in its README: it stores sessions of Express and creates their TTL index. Argument: the port. */
import assert from "node:assert/strict";
import MongoStore from "connect-mongo";
import { MongoClient } from "mongodb";

const url = `mongodb://127.0.0.1:${process.argv[2]}/web`;
const client = new MongoClient(url);
await client.db("web").dropDatabase();
const store = MongoStore.create({ mongoUrl: url, ttl: 3600 });
const called = (name, ...rest) =>
  new Promise((resolve, reject) => {
    store[name](...rest, (problem, result) => (problem ? reject(problem) : resolve(result)));
  });

const cookie = { originalMaxAge: null, expires: null, secure: false };
await called("set", "one", { cookie, views: 1 });
await called("set", "two", { cookie, views: 2 });
assert.equal((await called("get", "one")).views, 1);
await called("touch", "one", { cookie, views: 1, lastModified: new Date(0) });
assert.equal(await called("length"), 2);
await called("destroy", "two");
assert.equal(await called("get", "two"), null);
const sessions = client.db("web").collection("sessions");
const indexes = await sessions.indexes();
assert.ok(
  indexes.some(({ key, expireAfterSeconds }) => key.expires === 1 && expireAfterSeconds === 0),
  JSON.stringify(indexes),
);
// No kind of query returns an expired session.
await called("set", "over", { cookie: { ...cookie, expires: new Date(Date.now() - 1000) } });
assert.equal(await sessions.countDocuments({ _id: "over" }), 0);
assert.equal(await sessions.countDocuments({}), 1);
await store.close();
await client.close();
