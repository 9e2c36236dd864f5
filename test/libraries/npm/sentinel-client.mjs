/**
 * Increments fields of a hash, and adds and does BullMQ jobs, at the master that sentinels name, until its input ends.
 * Then it does the remaining jobs. Between the lines "pause" and "continue" of its input, it makes no further calls.
 * Prints a line of JSON for each call. Arguments: the name of the master, and the sentinels' ports.
 */
import { createInterface } from "node:readline";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { Connector } from "./sentinel-connector.mjs";

const [name, ...ports] = process.argv.slice(2);
/** The settings of docs/active-active.md. */
const settings = {
  sentinels: ports.map((port) => ({ host: "127.0.0.1", port: Number(port) })),
  name,
  Connector,
  failoverDetector: true,
  sentinelCommandTimeout: 1_000,
  sentinelReconnectStrategy: () => 1_000,
  // The worker's commands wait for 1 s at most.
  socketTimeout: 5_000,
  reconnectOnError: ({ message }) => (/^(LOADING|READONLY)/.test(message) ? 2 : false),
};
/** Milliseconds until a job whose worker was disconnected is run again, and between the searches for such jobs. */
const LOCK_MS = 5_000;
const STALLED_MS = 2_000;
/** Milliseconds between two calls, and after the last job until the remaining ones are lost. */
const PAUSE_MS = 10;
const QUIET_MS = 30_000;

const report = (line) => console.log(JSON.stringify(line));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const redis = new Redis(settings);
const connection = { ...settings, maxRetriesPerRequest: null };
const queue = new Queue("jobs", { connection });
let lastJob = performance.now();
/** The numbers of the acknowledged jobs that no worker has done, and of those that were done. */
const waiting = new Set();
const done = new Set();
const worker = new Worker(
  "jobs",
  async ({ data }) => {
    lastJob = performance.now();
    done.add(data.number);
    waiting.delete(data.number);
    report({ did: data.number });
  },
  {
    connection,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_MS,
    maxStalledCount: 1_000,
    drainDelay: 1,
    runRetryDelay: 50,
  },
);
for (const each of [redis, queue, worker]) each.on("error", () => {});

let isOver = false;
let isPaused = false;
createInterface({ input: process.stdin })
  .on("line", (line) => {
    isPaused = line === "pause";
  })
  .once("close", () => {
    isOver = true;
  });

/** Makes one call after the other. @param call  makes the call with a number */
async function repeat(kind, call) {
  for (let number = 1; !isOver; number++) {
    const start = performance.now();
    const ms = () => Math.round(performance.now() - start);
    try {
      await call(number);
      report({ [kind]: number, ms: ms() });
    } catch (error) {
      report({ failed: kind, number, ms: ms(), error: `${error.name}: ${error.message}` });
    }
    do await pause(PAUSE_MS);
    while (isPaused && !isOver);
  }
}

await Promise.all([
  repeat("incremented", (number) => redis.hincrby("increments", number, 1)),
  repeat("added", async (number) => {
    await queue.add("job", { number }, { jobId: `job-${number}`, removeOnComplete: true });
    if (!done.has(number)) waiting.add(number);
  }),
]);
while (waiting.size > 0 && performance.now() - lastJob < QUIET_MS) await pause(100);
process.exit(0);
