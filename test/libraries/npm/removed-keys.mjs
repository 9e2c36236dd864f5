/**
 * Libraries whose data a program removes at one server while a program at another server uses it. Arguments: the phase,
 * and the ports of two servers. The phases are `begin`; `use`, while the link between the servers is cut: the first
 * server's program removes, then the second one's uses; and `end`. Writes what it found to stdout, as a line of JSON.
 */
import { setTimeout } from "node:timers/promises";
import Bee from "bee-queue";
import Bottleneck from "bottleneck";
import Bull from "bull";
import { Job, Queue } from "bullmq";
import { Redis } from "ioredis";
import { RedisStore } from "rate-limit-redis";
import { RateLimiterRedis } from "rate-limiter-flexible";

const [phase, ...ports] = process.argv.slice(2);
const clients = ports.map((port) => new Redis({ port: Number(port) }));
const connections = ports.map((port) => ({
  host: "127.0.0.1",
  port: Number(port),
  maxRetriesPerRequest: null,
}));
/** Longer than the resolution of the servers' clocks. */
const LATER_MS = 20;

/** Returns an answer, or the error's text without its position in the script. */
const outcomeOf = (answer) =>
  answer.then(
    (value) => value ?? null,
    (problem) => String(problem.message).replace(/ script: .*/, ""),
  );

const groups = ports.map((port) => {
  const options = { id: "group", datastore: "ioredis", clientOptions: { port: Number(port) } };
  const group = new Bottleneck.Group({ ...options, maxConcurrent: 5, timeout: 600_000 });
  return group.on("error", () => {});
});
const schedule = (i) => {
  const limiter = groups[i].key("user");
  limiter.on("error", () => {});
  return limiter.schedule(async () => "ran");
};

const flexible = clients.map(
  (storeClient) => new RateLimiterRedis({ storeClient, points: 100, duration: 600, keyPrefix: "flexible" }),
);
const stores = clients.map((client) => {
  const store = new RedisStore({ sendCommand: (...argv) => client.call(...argv), prefix: "limit:" });
  store.init({ windowMs: 600_000 });
  return store;
});
const queues = connections.map((connection) => new Queue("mq", { connection }));
const bulls = connections.map((redis) => new Bull("bull", { redis }));
const bees = ports.map(
  (port) => new Bee("jobs", { redis: { port: Number(port) }, isWorker: false, getEvents: false }),
);

/** Each library: its calls of the three phases, and the key that may be partial. */
const libraries = {
  Bottleneck: {
    key: "b_group-user_settings",
    begin: () => schedule(0),
    remove: () => groups[0].deleteKey("user"),
    use: () => schedule(1),
    end: () => schedule(1),
  },
  "rate-limiter-flexible": {
    key: "flexible:user",
    begin: () => flexible[0].consume("user", 5),
    remove: () => flexible[0].delete("user"),
    use: async () => (await flexible[1].consume("user")).consumedPoints,
    end: async () => (await flexible[1].consume("user")).consumedPoints,
  },
  "rate-limit-redis": {
    key: "limit:user",
    begin: () => stores[0].increment("user"),
    remove: () => stores[0].resetKey("user"),
    use: async () => (await stores[1].increment("user")).totalHits,
    end: async () => (await stores[1].increment("user")).totalHits,
  },
  BullMQ: {
    key: "bull:mq:mine",
    begin: () => queues[0].add("mail", { to: "ann" }, { jobId: "mine" }),
    remove: () => queues[0].remove("mine"),
    use: async () => {
      const job = await Job.fromId(queues[1], "mine");
      await job.updateProgress(50);
    },
    // A job with this id is a duplicate until it is removed again.
    end: async () => {
      const waiting = async () => {
        await queues[0].add("mail", { to: "ann" }, { jobId: "mine" });
        return await queues[0].getWaitingCount();
      };
      const before = await waiting();
      await queues[0].remove("mine");
      return [before, await waiting()];
    },
  },
  bull: {
    key: "bull:bull:mine",
    begin: () => bulls[0].add({ to: "ann" }, { jobId: "mine" }),
    remove: async () => (await bulls[0].getJob("mine")).remove(),
    use: async () => (await bulls[1].getJob("mine")).progress(50),
    end: async () => {
      const waiting = async () => {
        await bulls[0].add({ to: "ann" }, { jobId: "mine" });
        return await bulls[0].getWaitingCount();
      };
      const before = await waiting();
      await (await bulls[0].getJob("mine")).remove();
      return [before, await waiting()];
    },
  },
  "bee-queue": {
    key: "bq:jobs:jobs",
    begin: () => bees[0].createJob({ to: "ann" }).setId("first").save(),
    remove: () => bees[0].destroy(),
    use: async () => (await bees[1].createJob({ to: "bob" }).setId("second").save()).id,
    end: async () => (await bees[1].getJob("second")).data,
  },
};

/** Returns the fields of a hash, or a string. */
const held = async (key) =>
  (await clients[1].type(key)) === "hash"
    ? Object.keys(await clients[1].hgetall(key)).sort()
    : await clients[1].get(key);

const found = {};
const each = async (step) => {
  for (const [name, library] of Object.entries(libraries)) found[name] = await step(library, name);
};
if (phase === "begin") await each(({ begin }) => begin().then(() => "begun"));
if (phase === "use") {
  await each(({ remove }) => remove());
  await setTimeout(LATER_MS);
  await each(({ use }) => outcomeOf(use()));
}
if (phase === "end")
  await each(async ({ key, end }) => ({ held: await held(key), next: await outcomeOf(end()) }));
process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(0));
