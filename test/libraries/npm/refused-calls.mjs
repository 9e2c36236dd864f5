/**
 * Runs one call of a library that needs a command which a sidecar refuses, and prints what the program sees: the
 * exception, the value, the error of an event handler, or that the promise is still pending after some time.
 * Arguments: the call, and the port.
 */
import { createServer } from "node:http";

/** Milliseconds after which a call counts as hanging, also on a busy machine. */
const WAIT_MS = 20_000;
/** A script that writes a key on which the members do not decide. */
const SCRIPT = "return redis.call('set', 'undecided', '1')";
const [name, given] = process.argv.slice(2);
const port = Number(given);
const connection = { host: "127.0.0.1", port };

const events = [];
const onEvent = (kind) => (problem) => events.push(`${kind}: ${problem?.message ?? problem}`);
process.on("unhandledRejection", onEvent("unhandled rejection"));

async function ioredis(options = {}) {
  const { Redis } = await import("ioredis");
  const redis = new Redis({ port, maxRetriesPerRequest: null, ...options });
  redis.on("error", onEvent("error"));
  return redis;
}
async function nodeRedis(options = {}) {
  const { createClient } = await import("redis");
  const client = createClient({ socket: { port }, ...options });
  client.on("error", onEvent("error"));
  return await client.connect();
}
async function bullQueue() {
  const { default: Queue } = await import("bull");
  const queue = new Queue("bull", { redis: connection });
  queue.on("error", onEvent("error"));
  return queue;
}
async function beeQueue(settings = {}) {
  const { default: Queue } = await import("bee-queue");
  const queue = new Queue(`bee${process.pid}`, { redis: connection, ...settings });
  queue.on("error", onEvent("error"));
  return queue;
}
async function socketIo(adapterOf) {
  const { Server } = await import("socket.io");
  const server = new Server(createServer(), { adapter: await adapterOf() });
  server.emit("said", "hello");
  return await server.fetchSockets();
}

const CALLS = {
  "redlock lock": async () => {
    const { default: Redlock } = await import("redlock");
    const redlock = new Redlock([await ioredis()]);
    redlock.on("clientError", onEvent("clientError"));
    return await redlock.lock("lock", 60_000);
  },
  "BullMQ add": async () => {
    const { Queue } = await import("bullmq");
    return await new Queue("bullmq", { connection }).add("job", {});
  },
  "BullMQ worker": async () => {
    const { Worker } = await import("bullmq");
    const worker = new Worker("bullmq", async () => {}, { connection });
    return await new Promise((_, reject) => worker.on("error", reject));
  },
  "BullMQ QueueEvents": async () => {
    const { QueueEvents } = await import("bullmq");
    const queueEvents = new QueueEvents("bullmq", { connection });
    return await new Promise((_, reject) => queueEvents.on("error", reject));
  },
  "bull add": async () => (await bullQueue()).add({}),
  "bull process": async () => (await bullQueue()).process(async () => {}),
  "bee-queue ready": async () => (await beeQueue()).ready(),
  "bee-queue save": async () => (await beeQueue()).createJob({}).save(),
  "bee-queue save, without events": async () =>
    (await beeQueue({ getEvents: false, isWorker: false })).createJob({}).save(),
  "bee-queue process": async () => (await beeQueue()).process(async () => {}),
  "node-resque enqueue": async () => {
    const { Queue } = await import("node-resque");
    const queue = new Queue({ connection: { redis: await ioredis() } }, {});
    await queue.connect();
    return await queue.enqueue("resque", "job", []);
  },
  "node-resque worker": async () => {
    const { Worker } = await import("node-resque");
    const worker = new Worker({ connection: { redis: await ioredis() }, queues: ["resque"] }, {});
    worker.on("error", onEvent("error"));
    await worker.connect();
    return await worker.start();
  },
  "Bottleneck schedule": async () => {
    const { default: Bottleneck } = await import("bottleneck");
    const limiter = new Bottleneck({ datastore: "ioredis", clientOptions: { port }, maxConcurrent: 1 });
    limiter.on("error", onEvent("error"));
    return await limiter.schedule(async () => "ran");
  },
  "rate-limiter-flexible consume": async () => {
    const { RateLimiterRedis } = await import("rate-limiter-flexible");
    const storeClient = await ioredis();
    return await new RateLimiterRedis({ storeClient, points: 5, duration: 60 }).consume("user");
  },
  "rate-limit-redis increment": async () => {
    const { RedisStore } = await import("rate-limit-redis");
    const redis = await ioredis();
    const store = new RedisStore({ sendCommand: (...words) => redis.call(...words) });
    store.init({ windowMs: 60_000 });
    return await store.increment("user");
  },
  "connect-redis set": async () => {
    const { RedisStore } = await import("connect-redis");
    const store = new RedisStore({ client: await nodeRedis() });
    const session = { cookie: { originalMaxAge: null } };
    return await store.set("session", session);
  },
  "socket.io redis-adapter, ioredis": () =>
    socketIo(async () => {
      const { createAdapter } = await import("@socket.io/redis-adapter");
      return createAdapter(await ioredis(), await ioredis());
    }),
  "socket.io redis-adapter, node-redis": () =>
    socketIo(async () => {
      const { createAdapter } = await import("@socket.io/redis-adapter");
      return createAdapter(await nodeRedis(), await nodeRedis());
    }),
  "socket.io sharded adapter, ioredis": () =>
    socketIo(async () => {
      const { createShardedAdapter } = await import("@socket.io/redis-adapter");
      return createShardedAdapter(await ioredis(), await ioredis());
    }),
  "socket.io sharded adapter, node-redis": () =>
    socketIo(async () => {
      const { createShardedAdapter } = await import("@socket.io/redis-adapter");
      return createShardedAdapter(await nodeRedis(), await nodeRedis());
    }),
  "socket.io streams adapter": () =>
    socketIo(async () => {
      const { createAdapter } = await import("@socket.io/redis-streams-adapter");
      return createAdapter(await ioredis());
    }),
  "node-redis client-side cache": async () => {
    const client = await nodeRedis({ RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0 } });
    const other = await nodeRedis();
    await other.set("cached", "old");
    await client.get("cached");
    await other.set("cached", "new");
    // The sidecar's clients read what it has acknowledged.
    return await client.get("cached");
  },
  "node-redis subscribe": async () => (await nodeRedis()).subscribe("news", () => {}),
  "node-redis publish": async () => (await nodeRedis()).publish("news", "one"),
  "node-redis eval": async () => (await nodeRedis()).eval(SCRIPT),
  "node-redis multi eval": async () => (await nodeRedis()).multi().set("key", "1").eval(SCRIPT).exec(),
  "node-redis blPop": async () => (await nodeRedis()).blPop("list", 1),
  "ioredis subscribe": async () => (await ioredis()).subscribe("news"),
  "ioredis eval": async () => (await ioredis()).eval(SCRIPT, 0),
  "ioredis defineCommand": async () => {
    const redis = await ioredis();
    redis.defineCommand("one", { numberOfKeys: 0, lua: SCRIPT });
    return await redis.one();
  },
  "ioredis pipeline eval": async () => (await ioredis()).pipeline().set("key", "1").eval(SCRIPT, 0).exec(),
  "ioredis blpop": async () => (await ioredis()).blpop("list", 1),
  "ioredis xread block": async () => (await ioredis()).xread("BLOCK", 1, "STREAMS", "stream", "$"),
  "ioredis monitor": async () => (await ioredis()).monitor(),
};

const since = performance.now();
const pending = new Promise((resolve) => setTimeout(resolve, WAIT_MS, { pending: true }));
const found = await Promise.race([
  pending,
  CALLS[name]().then(
    (returned) => ({ returned: returned ?? null }),
    (problem) => ({ threw: `${problem.name}: ${problem.message}` }),
  ),
]);
const ms = Math.round(performance.now() - since);
// An error that no promise has reports itself shortly after.
await new Promise((resolve) => setTimeout(resolve, 200));
const seen = new Set();
const shown = (_, value) => {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value !== "object" || value === null) return value;
  // Queues and jobs contain themselves.
  return seen.has(value) ? undefined : seen.add(value) && value;
};
console.log(JSON.stringify({ ...found, events: [...new Set(events)].slice(0, 3), ms }, shown));
process.exit();
