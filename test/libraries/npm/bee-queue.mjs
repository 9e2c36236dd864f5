/** Jobs with results, progress, retries and a delay. Argument: the port. */
import assert from "node:assert/strict";
import Queue from "bee-queue";

const settings = {
  redis: { port: Number(process.argv[2]) },
  activateDelayedJobs: true,
  delayedDebounce: 50,
  removeOnSuccess: false,
};
const queue = new Queue("additions", settings);
const worker = new Queue("additions", settings);
await Promise.all([queue.ready(), worker.ready()]);

const tried = new Map();
const perform = async (job) => {
  const times = (tried.get(job.id) ?? 0) + 1;
  tried.set(job.id, times);
  if (job.data.fails >= times) throw new Error("not yet");
  job.reportProgress({ half: true });
  return job.data.x + job.data.y;
};

const finished = (job) =>
  new Promise((resolve, reject) => {
    job.on("succeeded", resolve);
    job.on("failed", reject);
  });
const jobs = [
  queue.createJob({ x: 1, y: 2 }),
  queue.createJob({ x: 2, y: 2, fails: 2 }).retries(3).backoff("fixed", 20),
  queue.createJob({ x: 3, y: 2 }).delayUntil(Date.now() + 300),
];
const failing = queue.createJob({ x: 1, y: 1, fails: 9 });
const results = [...jobs, failing].map(finished);
// A queue emits events only for jobs that have been saved, so no job may finish before that.
await Promise.all([...jobs, failing].map((job) => job.save()));
worker.process(3, perform);
const [failure] = (await Promise.allSettled(results)).slice(-1);
assert.equal(failure.reason?.message, "not yet");
assert.deepEqual(await Promise.all(results.slice(0, -1)), [3, 4, 5]);
const health = await queue.checkHealth();
assert.deepEqual([health.succeeded, health.failed, health.waiting, health.active], [3, 1, 0, 0]);
await Promise.all([queue.close(), worker.close()]);
