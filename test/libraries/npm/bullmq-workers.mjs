/**
 * Workers of BullMQ at several servers, for test/system/claims. Arguments: the ports. Reads requests from stdin and writes
 * what happened to stdout, as lines of JSON.
 */
import { createInterface } from "node:readline";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

/**
 * Milliseconds after which a job without a living worker is run again, and between the searches for such jobs. If a lock
 * expires although its worker lives, the job is run twice, and the second worker may find no data. A killed daemon may
 * need half a minute on a busy machine until it serves its workers again.
 */
const LOCK_MS = 60_000;
const STALLED_MS = 4000;
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
        await job.updateProgress(50);
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
// Two workers that received the same job cannot both finish it.
for (const each of [...queues, ...workers]) each.on("error", () => {});

let added = 0;
async function add({ job, daemon }) {
  try {
    const options = { jobId: job, removeOnComplete: added++ % 2 === 0, attempts: 3 };
    await queues[daemon].add("job", { number: job }, options);
    report({ added: job });
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
