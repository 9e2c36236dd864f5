/** A queue, a scheduler with a delayed job, and a worker; one job fails. Argument: the port. */
import assert from "node:assert/strict";
import { Queue, Scheduler, Worker } from "node-resque";

const connection = { pkg: "ioredis", host: "127.0.0.1", port: Number(process.argv[2]), database: 0 };
const done = [];
const jobs = {
  add: { perform: async (a, b) => done.push(a + b) },
  subtract: { perform: async (a, b) => done.push(a - b) },
  fails: {
    perform: async () => {
      throw new Error("as it should");
    },
  },
};

const queue = new Queue({ connection }, jobs);
queue.on("error", (reason) => console.error(reason));
await queue.connect();
const scheduler = new Scheduler({ connection, timeout: 100 });
await scheduler.connect();
scheduler.start();
const worker = new Worker({ connection, queues: ["math"], timeout: 50 }, jobs);
await worker.connect();
worker.start();

const until = async (isTrue) => {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 20));
};
await queue.enqueue("math", "add", [1, 2]);
await queue.enqueue("math", "fails", []);
await queue.enqueueIn(500, "math", "subtract", [10, 3]);
await until(() => done.length === 2);
await until(async () => (await queue.failedCount()) === 1);
assert.deepEqual(done, [3, 7]);
// The worker counts a job after it has finished.
await until(async () => Number((await queue.stats()).processed) === 2);
assert.equal(await queue.length("math"), 0);
assert.deepEqual(Object.keys(await queue.workers()).length, 1);
await worker.end();
await scheduler.end();
await queue.end();
