/** Workers of bull at several servers, for test/system/claims. Arguments, requests and reports are those of bullmq-workers.mjs. */
import { createInterface } from "node:readline";
import Queue from "bull";
import { Redis } from "ioredis";

/** See bullmq-workers.mjs. */
const settings = { lockDuration: 20_000, stalledInterval: 4000, maxStalledCount: 1000, drainDelay: 1 };
const ports = process.argv.slice(2).map(Number);
const name = "jobs";
const report = (line) => console.log(JSON.stringify(line));
const queues = ports.map(
  (port) =>
    new Queue(name, {
      redis: {
        port,
        host: "127.0.0.1",
        maxRetriesPerRequest: null,
        enableReadyCheck: false,
        retryStrategy: () => 50,
      },
      settings,
    }),
);
// Two workers that received the same job cannot both finish it.
for (const queue of queues) queue.on("error", () => {}).setMaxListeners(0);
for (const queue of queues) {
  queue.on("stalled", ({ id }) => report({ stalled: id }));
  // The function of a job never fails: the job runs again because its worker could not store that it has ended.
  queue.on("failed", ({ id }) => report({ notEnded: id }));
}

/** The jobs for whose end the program waits, and their largest number: see bullmq-workers.mjs. */
const waits = new Set();
const WAITS_MAX = 50;

/** Waits for the end of a job, and reports when the wait is over. */
async function wait(job) {
  waits.add(job);
  const problem = await job.finished().then(() => null, String);
  if (waits.delete(job)) report({ finished: job.id, problem });
}

// A wait asks again every five seconds whether its job has ended. If that fails, it rejects no promise that a caller has.
process.on("unhandledRejection", () => {});

let added = 0;
async function add({ job, daemon }) {
  try {
    const options = { jobId: job, removeOnComplete: added++ % 2 === 0, attempts: 3 };
    const created = await queues[daemon].add({ number: job }, options);
    // See bullmq-workers.mjs.
    const isAwaited = !options.removeOnComplete && waits.size < WAITS_MAX;
    report({ added: job, waits: isAwaited });
    if (isAwaited) void wait(created);
  } catch (reason) {
    report({ failed: job, reason: String(reason) });
  }
}

const prefix = `bull:${name}:`;
const LISTS = ["wait", "active", "paused"];
const SETS = ["completed", "failed", "delayed"];

/** Counts the jobs without data, and the locks that never expire. */
async function check() {
  const redis = new Redis({ port: ports[0] });
  const listed = await Promise.all(LISTS.map((list) => redis.lrange(prefix + list, 0, -1)));
  // The sets of finished jobs are sorted sets.
  const sorted = await Promise.all(SETS.map((set) => redis.zrange(prefix + set, 0, -1)));
  const examples = [];
  for (const job of new Set([...listed, ...sorted].flat()))
    if ((await redis.hexists(prefix + job, "data")) === 0) examples.push(job);
  const withoutData = examples.length;
  let withoutLifetime = 0;
  for (const key of await redis.keys(`${prefix}*`)) {
    if (!/:(lock|stalled-check)$/.test(key) || (await redis.ttl(key)) !== -1) continue;
    withoutLifetime++;
    examples.push(key);
  }
  redis.disconnect();
  report({
    withoutData,
    withoutLifetime,
    waiting: await queues[0].getJobCounts(),
    examples: examples.slice(0, 3),
  });
}

for (const queue of queues) {
  await queue.isReady();
  void queue
    .process(4, async (job) => report({ ran: job.id, hasData: job.data.number === job.id }))
    .catch(() => {});
  report({ ready: true });
}
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.do === "add") void add(request);
  if (request.do === "stop") {
    await Promise.all(queues.map((queue) => queue.pause(true)));
    report({ stopped: true });
  }
  if (request.do === "check") await check();
}
process.exit(0);
