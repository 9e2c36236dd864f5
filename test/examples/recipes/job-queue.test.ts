/**
 * Tests the work queue of examples/recipes, and shows why it does not use LPOP. DBSYNC_SEED replays the random
 * choices.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Job, Queue } from "../../../examples/recipes/job-queue.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { nextTurn, until } from "../../support/until.js";
import { shareTrio } from "./cut-trio.js";

const trioOfFile = shareTrio();

const JOBS = amount(24, 400);
const WORKERS = 3;
const seed = seedOfRun();

test("LPOP returns one element to two clients, but a job that two workers complete has its effect once", async () => {
  await using cut = await trioOfFile();
  const client = cut.client();
  const queue = new Queue(client, "jobs", 1);
  await queue.add("one", "5");
  await client.send("RPUSH naive one");
  const jobs: Job[] = [];

  await cut.trio.level(60_000);
  const near = [await cut.reaching([0, 2]), await cut.reaching([1, 2])];
  for (const worker of near) {
    const queue = new Queue(worker, "jobs", 1); // With this limit, the next worker considers the previous one dead.
    await cut.trio.until("the worker has received the job", async () => {
      const job = await queue.take();
      if (job !== null) jobs.push(job);
      return job !== null;
    });
  }

  cut.areApart = true;
  await cut.kill(2);
  assert.deepEqual(await Promise.all(near.map((worker) => worker.send("LPOP naive"))), ["one", "one"]);
  const finished = await Promise.all(jobs.map((job) => job.finish([["INCRBY", "sum", job.payload]])));
  assert.deepEqual(finished, [true, true], "each worker receives this result from its daemon");

  cut.areApart = false;
  await cut.restart(2);
  await cut.heal();
  assert.equal(await client.send("GET sum"), "5");

  await queue.add("one", "5");
  assert.equal(await client.call("LLEN jobs"), 0, "the job is not added again");
  assert.equal(await queue.take(), null);
});

test(`each job is done once, although workers stop and a daemon is killed (seed ${seed})`, async () => {
  const random = new SeededRandom(seed);
  await using cut = await trioOfFile();
  const client = cut.client();
  const queue = new Queue(client, "jobs");
  for (let i = 1; i <= JOBS; i++) await queue.add(`job-${i}`, String(i));

  let finished = 0;
  let killed: Promise<void> = Promise.resolve();
  let restarted: Promise<void> = killed;
  const isDone = async () => (await client.call("LLEN jobs")) === 0;

  const work = async () => {
    const queue = new Queue(cut.client(), "jobs", 500);
    const takeOne = async () => {
      const job = await queue.take();
      if (job === null || random.below(5) === 0) return await isDone(); // This worker stops and never returns.
      const effects = [
        ["INCRBY", "sum", job.payload],
        ["HINCRBY", "times", job.id, 1],
      ];
      await job.finish(effects);
      if (random.below(5) === 0) await job.finish(effects); // This worker does not learn that it succeeded.
      if (++finished === Math.floor(JOBS / 3)) killed = cut.kill(1);
      if (finished === Math.floor((2 * JOBS) / 3)) restarted = killed.then(() => cut.restart(1));
      return await isDone();
    };
    await until("no job is left", takeOne, { pause: nextTurn });
  };

  await Promise.all(Array.from({ length: WORKERS }, work));
  await restarted;
  await cut.trio.level(60_000);

  assert.equal(Number(await client.send("GET sum")), (JOBS * (JOBS + 1)) / 2);
  const times = (await client.call("HVALS times")) as string[];
  assert.deepEqual(times, Array(JOBS).fill("1"));
});
