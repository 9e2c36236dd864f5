/**
 * A queue with many jobs: drain, clean, obliterate, and removal of finished jobs. Arguments: the port; the number of
 * jobs; optionally the number of finished jobs.
 */
import assert from "node:assert/strict";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

const [port, count, finished = 6000] = process.argv.slice(2).map(Number);
const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
const client = new Redis(connection);
const CONNECTIONS = 50;

const times = {};
const timed = async (name, run) => {
  const startedAt = performance.now();
  const result = await run();
  times[name] = Math.round(performance.now() - startedAt);
  if (process.env.SHOW_TIMES !== undefined) console.log(name, times[name]);
  return result;
};

/** Returns the number of jobs that have their data. */
async function countData(name) {
  let found = 0;
  let cursor = "0";
  do {
    const [next, keys] = await client.scan(cursor, "MATCH", `bull:${name}:[0-9]*`, "COUNT", 10_000);
    cursor = next;
    found += keys.length;
  } while (cursor !== "0");
  return found;
}

/** Adds jobs on several connections, because each connection waits for the disk after each job. */
async function filled(name, jobs = count) {
  const queues = Array.from({ length: CONNECTIONS }, () => new Queue(name, { connection }));
  const [queue, ...others] = queues;
  const share = jobs / CONNECTIONS;
  await Promise.all(
    queues.map((each, i) =>
      each.addBulk(
        Array.from({ length: share }, (_, j) => ({ name: "job", data: { number: i * share + j } })),
      ),
    ),
  );
  await Promise.all(others.map((each) => each.close()));
  assert.equal(await queue.getWaitingCount(), jobs);
  return queue;
}

const drained = await timed("add", () => filled("drained"));
await timed("drain", () => drained.drain());
assert.equal(await drained.getWaitingCount(), 0);
assert.equal(await countData("drained"), 0);

const cleaned = await filled("cleaned");
const removed = await timed("clean", () => cleaned.clean(0, count, "wait"));
assert.equal(removed.length, count);
assert.equal(await cleaned.getWaitingCount(), 0);
assert.equal(await countData("cleaned"), 0);

const obliterated = await filled("obliterated");
await timed("obliterate", () => obliterated.obliterate());
assert.deepEqual(await client.keys("bull:obliterated:*"), []);

// Finish many jobs that are kept, then one whose finish removes them all.
const kept = await filled("kept", finished);
const worker = new Worker("kept", async () => null, { connection, concurrency: 100 });
while ((await kept.getCompletedCount()) < finished) await new Promise((resolve) => setTimeout(resolve, 50));
assert.equal(await countData("kept"), finished);
await timed("removeOnComplete", async () => {
  const last = new Promise((resolve) => worker.on("completed", (job) => job.name === "last" && resolve()));
  await kept.add("last", {}, { removeOnComplete: { count: 1 } });
  await last;
});
assert.equal(await kept.getCompletedCount(), 1);
assert.equal(await countData("kept"), 1);
if (process.env.SHOW_TIMES !== undefined) console.log(JSON.stringify(times));
await worker.close();
for (const queue of [drained, cleaned, obliterated, kept]) await queue.close();
client.disconnect();
