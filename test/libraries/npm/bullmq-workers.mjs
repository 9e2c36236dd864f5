/**
 * Workers of BullMQ at several servers, for test/system/claims. Arguments: the ports. Reads requests from stdin and writes
 * what happened to stdout, as lines of JSON: `added` or `failed`, `taken` when a worker has received a job, `ran`, and
 * `notEnded` if it could not store that a job has ended. `unknown` reports a claim that failed but may have taken a job.
 */
import { createInterface } from "node:readline";
import { Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";

/**
 * Milliseconds after which a job without a living worker is run again, and between the searches for such jobs. If a lock
 * expires although its worker lives, the job is run twice, and the second worker may find no data. A killed daemon may
 * need half a minute on a busy machine until it serves its workers again.
 */
const LOCK_MS = 60_000;
const STALLED_MS = 4000;
/** Milliseconds after which waits begin again, and their largest number: each asks a script whether its job has ended. */
const AGAIN_MS = 500;
const WAITS_MAX = 50;
const ports = process.argv.slice(2).map(Number);
const name = "jobs";
const report = (line) => console.log(JSON.stringify(line));
const connectionOf = (port) => ({
  host: "127.0.0.1",
  port,
  maxRetriesPerRequest: null,
  retryStrategy: () => 50,
});
const queues = ports.map((port) => new Queue(name, { connection: connectionOf(port) }));
const workers = ports.map(
  (port) =>
    new Worker(
      name,
      async (job) => {
        report({ ran: job.id, hasData: job.data.number === job.id });
        // A job whose function fails runs again, so that this call may fail.
        await job.updateProgress(50).catch(() => {});
      },
      {
        connection: connectionOf(port),
        concurrency: 4,
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_MS,
        maxStalledCount: 1000,
        // After an error of the connection, a worker waits this long, in seconds and in milliseconds.
        drainDelay: 1,
        runRetryDelay: 50,
      },
    ),
);
const events = ports.map((port) => new QueueEvents(name, { connection: connectionOf(port) }));
// Two workers that received the same job cannot both finish it.
for (const each of [...queues, ...workers, ...events]) each.on("error", () => {}).setMaxListeners(0);

for (const worker of workers) {
  worker.on("stalled", (job) => report({ stalled: job }));
  // The function of a job never fails: the job runs again because its worker could not store that it has ended.
  worker.on("failed", (job) => report({ notEnded: job.id }));
}

/** The jobs for whose end the program waits, with the index of their daemon. */
const waits = new Map();

/** Waits for the end of a job, and reports when the wait is over. */
async function wait(job, at) {
  waits.set(job, at);
  const problem = await job.waitUntilFinished(events[at]).then(() => null, String);
  if (waits.delete(job)) report({ finished: job.id, problem });
}

// If the library cannot ask whether a job has ended already, it rejects no promise that a caller has: wait again for all.
let areRepeated = false;
process.on("unhandledRejection", () => {
  if (areRepeated) return;
  areRepeated = true;
  setTimeout(() => {
    areRepeated = false;
    for (const [job, at] of waits) void wait(job, at);
  }, AGAIN_MS);
});

let added = 0;
async function add({ job, daemon }) {
  try {
    const options = { jobId: job, removeOnComplete: added++ % 2 === 0, attempts: 3 };
    const created = await queues[daemon].add("job", { number: job }, options);
    // A job that has been removed may have ended before the wait begins, which then fails, as with Redis.
    const isAwaited = !options.removeOnComplete && waits.size < WAITS_MAX;
    report({ added: job, waits: isAwaited });
    if (isAwaited) void wait(created, daemon);
  } catch (reason) {
    report({ failed: job, reason: String(reason) });
  }
}

const prefix = `bull:${name}:`;
const LISTS = ["wait", "active", "paused"];
const SETS = ["completed", "failed", "delayed", "prioritized"];

/**
 * Counts the jobs without data, and the locks that never expire. A worker that reports the progress of a job while
 * another one removes it may leave a hash that is no job: it is in no list.
 */
async function check() {
  const redis = new Redis({ port: ports[0] });
  const listed = await Promise.all(LISTS.map((list) => redis.lrange(`${prefix}${list}`, 0, -1)));
  const sorted = await Promise.all(SETS.map((set) => redis.zrange(`${prefix}${set}`, 0, -1)));
  const jobs = new Set([...listed, ...sorted].flat());
  const examples = [];
  for (const job of jobs) if ((await redis.hexists(prefix + job, "data")) === 0) examples.push(job);
  const withoutData = examples.length;
  let [withoutLifetime, notListed] = [0, 0];
  for (const key of await redis.keys(`${prefix}*`)) {
    if (/:\d+-\d+$/.test(key) && !jobs.has(key.slice(prefix.length))) notListed++;
    if (!/:(lock|stalled-check)$/.test(key) || (await redis.ttl(key)) !== -1) continue;
    withoutLifetime++;
    examples.push(key);
  }
  redis.disconnect();
  const waiting = { ...(await queues[0].getJobCounts()), notListed };
  report({ withoutData, withoutLifetime, waiting, examples: examples.slice(0, 3) });
}

for (const worker of workers) {
  await worker.waitUntilReady();
  report({ ready: true });
}
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.do === "add") void add(request);
  if (request.do === "stop") {
    await Promise.all(workers.map((worker) => worker.close()));
    report({ stopped: true });
  }
  if (request.do === "check") await check();
}
process.exit(0);
