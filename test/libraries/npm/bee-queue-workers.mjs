/** Workers of bee-queue at several servers, for test/system/claims. Arguments, requests and reports are those of bullmq-workers.mjs. */
import { createInterface } from "node:readline";
import Queue from "bee-queue";
import lua from "bee-queue/lib/lua/index.js";
import { Redis } from "ioredis";

/** Milliseconds after which a job whose worker does not report is run again, also if its end could not be stored. */
const STALL_MS = 5_000;
const RETRY_MS = 50;
const ports = process.argv.slice(2).map(Number);
const name = "jobs";
const report = (line) => console.log(JSON.stringify(line));
const queues = ports.map(
  (port) =>
    new Queue(name, {
      redis: { port, retry_strategy: () => RETRY_MS },
      stallInterval: STALL_MS,
      initialRedisFailureRetryDelay: RETRY_MS,
    }),
);
for (const queue of queues) queue.on("error", () => {}).on("stalled", (job) => report({ stalled: job }));

/** Loads the scripts again: a restarted daemon has none, as Redis, and the library loads them only at its start. */
const loadScripts = (client) =>
  lua.buildCache(client).catch(() => void setTimeout(loadScripts, RETRY_MS, client));

async function add({ job, daemon }) {
  try {
    const created = queues[daemon].createJob({ number: job }).setId(job).retries(3);
    await created.save();
    // The library reports the end of a job by PUBLISH, which the daemons do not store.
    report({ added: job });
  } catch (reason) {
    report({ failed: job, reason: String(reason) });
  }
}

/** Counts the jobs without data. Jobs of bee-queue are fields of one hash, and nothing expires. */
async function check() {
  const redis = new Redis({ port: ports[0] });
  const prefix = `bq:${name}:`;
  const lists = await Promise.all(["waiting", "active"].map((list) => redis.lrange(prefix + list, 0, -1)));
  const sets = await Promise.all(["succeeded", "failed"].map((set) => redis.smembers(prefix + set)));
  const examples = [];
  for (const job of new Set([...lists, ...sets].flat()))
    if ((await redis.hexists(`${prefix}jobs`, job)) === 0) examples.push(job);
  const [waiting, active] = lists.map(({ length }) => length);
  const [succeeded, failed] = sets.map(({ length }) => length);
  redis.disconnect();
  report({
    withoutData: examples.length,
    withoutLifetime: 0,
    waiting: { waiting, active, succeeded, failed },
    examples: examples.slice(0, 3),
  });
}

for (const queue of queues) {
  await queue.ready();
  queue.client.on("ready", () => void loadScripts(queue.client));
  queue.checkStalledJobs(STALL_MS).catch(() => {});
  queue.process(4, async (job) => report({ ran: job.id, hasData: job.data.number === job.id }));
  report({ ready: true });
}
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.do === "add") void add(request);
  if (request.do === "stop") {
    // The first queue answers the last request.
    await Promise.all(queues.map((queue) => new Promise((resolve) => queue.close(1, resolve))));
    report({ stopped: true });
  }
  if (request.do === "check") await check();
}
process.exit(0);
