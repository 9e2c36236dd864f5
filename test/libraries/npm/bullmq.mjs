/** A queue: jobs that fail once, a delayed job, a flow of parents and children, their events. Argument: the port. */
import assert from "node:assert/strict";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";

const connection = { host: "127.0.0.1", port: Number(process.argv[2]), maxRetriesPerRequest: null };
const queue = new Queue("paint", { connection });
// Reads from the beginning, to receive earlier events as well.
const events = new QueueEvents("paint", { connection, lastEventId: "0-0" });
const PATIENCE_MS = 100_000;
for (const heard of [queue, events]) heard.setMaxListeners(50);
await events.waitUntilReady();

const failed = new Set();
const worker = new Worker(
  "paint",
  async (job) => {
    if (job.name === "fails once" && !failed.has(job.id)) {
      failed.add(job.id);
      throw new Error("the first time");
    }
    if (job.name === "wall") {
      const colours = Object.values(await job.getChildrenValues());
      return colours.toSorted().join(" ");
    }
    await job.updateProgress(50);
    return job.data.colour;
  },
  { connection, concurrency: 4 },
);

const jobs = await Promise.all([
  ...Array.from({ length: 20 }, (_, i) => queue.add("cars", { colour: `blue ${i}` })),
  queue.add("fails once", { colour: "red" }, { attempts: 3, backoff: { type: "fixed", delay: 10 } }),
  queue.add("later", { colour: "green" }, { delay: 200 }),
  queue.add("first", { colour: "white" }, { priority: 1 }),
]);
const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, PATIENCE_MS)));
assert.deepEqual(results, [...Array.from({ length: 20 }, (_, i) => `blue ${i}`), "red", "green", "white"]);

const flow = new FlowProducer({ connection });
const { job: wall } = await flow.add({
  name: "wall",
  queueName: "paint",
  data: {},
  children: ["blue", "grey"].map((colour) => ({ name: "part", queueName: "paint", data: { colour } })),
});
assert.equal(await wall.waitUntilFinished(events, PATIENCE_MS), "blue grey");

const counts = await queue.getJobCounts("completed", "failed", "wait", "delayed", "active");
assert.deepEqual(counts, { completed: 26, failed: 0, wait: 0, delayed: 0, active: 0 });
await Promise.all([worker.close(), events.close(), flow.close()]);
await queue.obliterate({ force: true });
await queue.close();
