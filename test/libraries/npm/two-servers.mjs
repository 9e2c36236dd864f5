/**
 * Libraries for sessions, limits and locks whose programs use two servers at the same moment. Arguments: `peers` or
 * `order`, the ports for Redis clients, then those for MongoDB drivers. Writes what it counted to stdout, as a line of
 * JSON.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Queue, QueueEvents, Worker } from "bullmq";
import MongoStore from "connect-mongo";
import { RedisStore as SessionStore } from "connect-redis";
import { Redis } from "ioredis";
import { MongoClient } from "mongodb";
import mongoose from "mongoose";
import { RedisStore as LimitStore } from "rate-limit-redis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { createClient } from "redis";
import Redlock from "redlock";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { until } from "./until.mjs";

const ROUNDS = 40;
const CALLS = 5;
const mode = process.argv[2];
const ports = process.argv.slice(3).map(Number);
const [redisPorts, mongoPorts] = [ports.slice(0, 2), ports.slice(2)];
const clients = redisPorts.map((port) => new Redis({ port }));
const rounds = Array.from({ length: ROUNDS }, (_, round) => round);
const both = (call) => Promise.all([0, 1].map(call));
const cookie = { originalMaxAge: null, expires: null, secure: false };
const figures = {};

/** Waits until both servers return the same, and returns it. */
async function agreed(read) {
  let values = [];
  const areEqual = async () => {
    values = (await both(read)).map((value) => JSON.stringify(value));
    return values[0] === values[1];
  };
  await until(() => `both servers return the same: ${values.join(" and ")}`, areEqual);
  return JSON.parse(values[0] ?? "null");
}

/** Waits until each server has what was written at the other one before. */
async function settled() {
  await both((i) => clients[i].incr(`settled:${i}`));
  const expected = await both((i) => clients[i].get(`settled:${i}`));
  await until(
    () => "each server has the writes of the other one",
    async () => {
      const seen = await both((i) => clients[1 - i].get(`settled:${i}`));
      return expected.every((value, i) => Number(seen[i]) >= Number(value));
    },
  );
}

/** Returns how often the servers have left each other out: they did not wait before they sent an entry of a stream. */
async function leftOut() {
  if (mode === "order") return { times: 0, isNow: false };
  const statuses = await both((i) => clients[i].call("TIMELINE", "STATUS"));
  const [one, other] = statuses.map((flat) => Number(flat[flat.indexOf("followers-gaps") + 1]));
  return { times: one + other, isNow: /"left-out",1/.test(JSON.stringify(statuses)) };
}

/** Returns the figure `leftOut` of a check that began with this count. */
async function leftOutSince({ times, isNow }) {
  return (await leftOut()).times - times + Number(isNow);
}

/** Two programs store the same session. Afterwards there is one, the same at both servers, and it expires. */
async function checkSessions(name, stores, isExpiring) {
  const set = stores.map((store) => promisify(store.set.bind(store)));
  const get = stores.map((store) => promisify(store.get.bind(store)));
  for (const round of rounds) {
    const id = `${name}${round}`;
    await set[0](id, { cookie, by: "first" });
    await settled();
    assert.equal((await get[1](id)).by, "first");
    await both((i) => set[i](id, { cookie, by: String(i) }));
    await settled();
    const { by } = await agreed((i) => get[i](id));
    assert.ok(by === "0" || by === "1", by);
    assert.ok(await isExpiring(id), `${id} never expires`);
  }
  figures[name] = { sessions: ROUNDS, different: 0, withoutLifetime: 0 };
}

const sessionClients = await Promise.all(
  redisPorts.map((port) => createClient({ url: `redis://127.0.0.1:${port}` }).connect()),
);
const redisStores = sessionClients.map(
  (client) => new SessionStore({ client, prefix: "session:", ttl: 600 }),
);
await checkSessions("connect-redis", redisStores, async (id) => (await clients[0].ttl(`session:${id}`)) > 0);

if (mongoPorts.length > 0) {
  const url = (port) => `mongodb://127.0.0.1:${port}/web?directConnection=true`;
  const stores = mongoPorts.map((port) => MongoStore.create({ mongoUrl: url(port), ttl: 3600 }));
  const mongo = new MongoClient(url(mongoPorts[0]));
  const sessions = mongo.db("web").collection("sessions");
  await checkSessions("connect-mongo", stores, async (_id) => {
    const found = await sessions.find({ _id }).toArray();
    assert.equal(found.length, 1);
    return found[0].expires instanceof Date;
  });
  await Promise.all([...stores, mongo].map((each) => each.close()));
}

/** Two programs count calls with one key. @param count  returns the count that a program is told */
async function checkLimiter(name, count, total, ttl) {
  const result = { calls: 0, notCounted: 0, withoutLifetime: 0 };
  for (const round of rounds) {
    const key = `${name}:${round}`;
    await both(async (i) => {
      for (let call = 0; call < CALLS; call++) await count(i, key);
    });
    await settled();
    result.calls += 2 * CALLS;
    result.notCounted += 2 * CALLS - (await agreed((i) => total(i, key)));
    if ((await ttl(key)) < 0) result.withoutLifetime++;
  }
  figures[name] = result;
  assert.equal(result.withoutLifetime, 0);
}

const limitStores = clients.map((client) => {
  const store = new LimitStore({ sendCommand: (...argv) => client.call(...argv), prefix: "limit:" });
  store.init({ windowMs: 600_000 });
  return store;
});
await checkLimiter(
  "express-rate-limit",
  (i, key) => limitStores[i].increment(key),
  async (i, key) => (await limitStores[i].get(key)).totalHits,
  (key) => clients[0].ttl(`limit:${key}`),
);
const limiters = clients.map(
  (storeClient) => new RateLimiterRedis({ storeClient, points: 1000, duration: 600, keyPrefix: "flexible" }),
);
await checkLimiter(
  "rate-limiter-flexible",
  (i, key) => limiters[i].consume(key),
  async (i, key) => (await limiters[i].get(key)).consumedPoints,
  (key) => clients[0].ttl(`flexible:${key}`),
);

const REMOVALS = 5 * ROUNDS;
/** Counts in a hash that also has the window, as Laravel's Redis::throttle does. */
const COUNT_IN_WINDOW = `
  if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('HSET', KEYS[1], 'end', 2000, 'count', 1)
    redis.call('EXPIRE', KEYS[1], 1000)
    return 1
  end
  if tonumber(redis.call('HGET', KEYS[1], 'end')) < 1000 then return 0 end
  return redis.call('HINCRBY', KEYS[1], 'count', 1)`;

/** A program removes the hash of a limiter while the other one counts in it. */
async function checkRemovals() {
  const result = { removals: REMOVALS, partialHashes: 0 };
  for (let round = 0; round < REMOVALS; round++) {
    const key = `throttle:${round}`;
    await clients[0].eval(COUNT_IN_WINDOW, 1, key);
    await settled();
    await both((i) => (i === 0 ? clients[0].del(key) : clients[1].eval(COUNT_IN_WINDOW, 1, key)));
    await settled();
    const held = await agreed((i) => clients[i].hgetall(key));
    if ("count" in held && !("end" in held)) result.partialHashes++;
  }
  figures["a limiter's hash that is removed"] = result;
}
await checkRemovals();

/** Two programs lock the same resource. */
async function checkLocks(name, locks) {
  let [twoOwners, noOwner] = [0, 0];
  for (const round of rounds) {
    const held = await both((i) => locks[i].lock(`${name}:${round}`, 100_000).catch(() => null));
    if (held.every((lock) => lock !== null)) twoOwners++;
    if (held.every((lock) => lock === null)) noOwner++;
    await Promise.all(held.map((lock) => lock?.unlock().catch(() => null)));
    await settled();
  }
  figures[name] = { locks: ROUNDS, twoOwners, noOwner };
}
await checkLocks(
  "redlock, each with one server",
  clients.map((client) => new Redlock([client], { retryCount: 0 })),
);
await checkLocks(
  "redlock with both servers",
  clients.map(() => new Redlock(clients, { retryCount: 0 })),
);

/** A plain command, which no script contains. */
let twoOwners = 0;
for (const round of rounds) {
  const answers = await both((i) => clients[i].set(`plain:${round}`, i, "PX", 100_000, "NX"));
  if (answers.every((answer) => answer === "OK")) twoOwners++;
}
figures["SET NX"] = { locks: ROUNDS, twoOwners };

/** Two programs save the same document at the same version, as mongoose's optimisticConcurrency does. */
async function checkVersions() {
  const open = (port) =>
    mongoose.createConnection(`mongodb://127.0.0.1:${port}/shop?directConnection=true`).asPromise();
  const connections = await Promise.all(mongoPorts.map(open));
  const schema = () => new mongoose.Schema({ by: Number }, { optimisticConcurrency: true });
  const models = connections.map((connection) => connection.model("Item", schema()));
  const result = { saves: 0, reportedAsModified: 0, tookEffect: 0 };
  for (const round of rounds) {
    const { _id } = await models[0].create({ by: 2 + round });
    const saved = await both(async (i) => {
      let item = null;
      await until(
        () => `server ${i} has the document`,
        async () => (item = await models[i].findById(_id)) !== null,
      );
      item.by = i;
      return item;
    });
    const answers = await both((i) =>
      saved[i].save().then(
        () => true,
        () => false,
      ),
    );
    await settled();
    result.saves += 2;
    result.reportedAsModified += answers.filter((isModified) => isModified).length;
    result.tookEffect += await agreed(async (i) => (await models[i].findById(_id).lean()).__v);
  }
  figures["mongoose's versions"] = result;
  await Promise.all(connections.map((connection) => connection.close()));
}
if (mongoPorts.length > 0) await checkVersions();

/** Two programs insert the same value of a unique index. */
async function checkUnique() {
  const clients = mongoPorts.map(
    (port) => new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`),
  );
  const users = clients.map((client) => client.db("shop").collection("users"));
  await users[0].createIndex({ mail: 1 }, { unique: true });
  await settled();
  const result = { races: ROUNDS, bothInserted: 0, documents: 0 };
  for (const round of rounds) {
    const answers = await both((by) =>
      users[by].insertOne({ mail: `${round}`, by }).then(
        () => true,
        () => false,
      ),
    );
    if (answers.every((isInserted) => isInserted)) result.bothInserted++;
    await settled();
    result.documents += await agreed((i) => users[i].countDocuments({ mail: `${round}` }));
  }
  figures["unique index"] = result;
  await Promise.all(clients.map((client) => client.close()));
}
if (mongoPorts.length > 0) await checkUnique();

/** The jobs of a queue, of which at most some are pending, and the milliseconds in which they are added. */
const JOBS = { count: 1_000, pending: 50, addedMs: 15_000 };

/**
 * A follower at the first server receives the events of jobs that workers of both servers complete. An event is missed
 * if it is in the stream and the follower has received a later one, but not this one. On a busy machine, there are
 * fewer jobs.
 */
async function checkEvents(name, workerPorts) {
  const before = await leftOut();
  const at = (port) => ({ connection: { host: "127.0.0.1", port, maxRetriesPerRequest: null } });
  const queues = redisPorts.map((port) => new Queue(name, at(port)));
  const events = new QueueEvents(name, { ...at(redisPorts[0]), lastEventId: "0" });
  for (const each of [...queues, events]) each.setMaxListeners(2 * JOBS.count);
  await events.waitUntilReady();
  const completed = new Set();
  let marker = null;
  events.on("completed", ({ jobId }) => completed.add(jobId));
  events.on("marker", (_, id) => (marker = id));
  const workers = workerPorts.map((port) => new Worker(name, async () => {}, at(port)));
  for (const worker of workers) worker.on("error", () => {});

  let [jobs, returned] = [0, 0];
  const problems = [];
  const addOne = async (number) => {
    const job = await queues[0].add("job", { number });
    await job.waitUntilFinished(events);
    returned++;
  };
  for (const endsAt = performance.now() + JOBS.addedMs; jobs < JOBS.count && performance.now() < endsAt; ) {
    if (jobs - returned < JOBS.pending) addOne(jobs++).catch((problem) => problems.push(problem.message));
    await setTimeout(10);
  }
  await until(
    () => `the ${jobs} jobs of ${name} are completed: ${problems.join(", ")}`,
    async () => (await queues[0].getCompletedCount()) === jobs,
  );

  const stream = `bull:${name}:events`;
  await until(
    () => `the follower of ${name} receives a later event`,
    async () => {
      await clients[0].xadd(stream, "*", "event", "marker");
      await setTimeout(100);
      return marker !== null;
    },
  );
  const entries = (await clients[0].xrange(stream, "-", "+")).map(([, fields]) => fields);
  const jobOf = (fields) => fields[fields.indexOf("jobId") + 1];
  const inStream = new Set(entries.filter((fields) => fields.includes("completed")).map(jobOf));
  const missed = [...inStream].filter((id) => !completed.has(id)).length;
  if (missed === 0)
    await until(
      () =>
        `the waits of ${name} return: ${returned} of ${jobs}, ${inStream.size} events, ${problems.join(", ")}`,
      () => returned === jobs,
    );
  figures[name] = { jobs, returned, missed, leftOut: await leftOutSince(before) };
  await Promise.all([...workers, events, ...queues].map((each) => each.close()));
}
await checkEvents("QueueEvents and a worker at one server", [redisPorts[0]]);
await checkEvents("QueueEvents and a worker at two servers", [redisPorts[1]]);
await checkEvents("QueueEvents and workers at both servers", redisPorts);

/** Each of two servers of socket.io sends messages to the clients of both, through a stream. */
async function checkStreamsAdapter() {
  const MESSAGES = 300;
  const before = await leftOut();
  const servers = await both(async (i) => {
    const client = new Redis({ port: redisPorts[i] });
    const http = createServer();
    const server = new Server(http, { adapter: createAdapter(client) });
    await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
    return { server, client, url: `http://127.0.0.1:${http.address().port}` };
  });
  const sockets = servers.map(({ url }) => io(url, { transports: ["websocket"] }));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
  const received = sockets.map(() => new Set());
  for (const [i, socket] of sockets.entries()) socket.on("said", (words) => received[i].add(words));
  /** Sends messages until one of each server has reached the clients of both: they have what was sent before. */
  const untilReceived = (words) =>
    until(
      () => `the clients receive ${words} from both servers`,
      async () => {
        for (const [i, { server }] of servers.entries()) server.emit("said", `${words} ${i}`);
        await setTimeout(100);
        return received.every((each) => each.has(`${words} 0`) && each.has(`${words} 1`));
      },
    );
  await untilReceived("first");
  await both(async (i) => {
    for (let number = 0; number < MESSAGES; number++) {
      servers[i].server.emit("said", `${i} ${number}`);
      await setTimeout(5);
    }
  });
  await untilReceived("last");
  figures["socket.io's streams adapter"] = {
    messages: 2 * MESSAGES,
    received: Math.min(...received.map((words) => [...words].filter((one) => /^\d/.test(one)).length)),
    leftOut: await leftOutSince(before),
  };
  for (const socket of sockets) socket.close();
  for (const { server, client } of servers) {
    await server.close();
    client.disconnect();
  }
}
await checkStreamsAdapter();

for (const client of clients) client.disconnect();
await Promise.all(sessionClients.map((client) => client.close()));
console.log(JSON.stringify(figures));
