/**
 * Tests claims by programs at three recording daemons: each job belongs to a program that received it, and no job is
 * lost.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Collection, MongoClient } from "mongodb";
import { until } from "../../../test/support/until.js";
import { startThreeDaemons } from "./three-daemons.js";

interface Job {
  readonly _id: number;
  readonly by: string | null;
}

type Jobs = Collection<Job>;

const JOBS = 100;

/** Runs a program at each daemon until none receives a job. @returns the programs that received each job */
async function received(
  daemons: readonly Jobs[],
  claim: (jobs: Jobs, program: string) => Promise<Job | null>,
): Promise<ReadonlyMap<number, readonly string[]>> {
  await daemons[0]?.insertMany(Array.from({ length: JOBS }, (_, _id) => ({ _id, by: null })));
  for (const jobs of daemons)
    await until("a daemon has all jobs", async () => (await jobs.countDocuments()) === JOBS);
  const programs = new Map<number, readonly string[]>();
  const run = async (jobs: Jobs, program: string) => {
    for (let job = await claim(jobs, program); job !== null; job = await claim(jobs, program))
      programs.set(job._id, [...(programs.get(job._id) ?? []), program]);
  };
  await Promise.all(daemons.map((jobs, i) => run(jobs, `program ${i}`)));
  return programs;
}

/** Waits until all daemons have the same jobs, and the jobs pass a test. */
async function agreed(
  daemons: readonly Jobs[],
  isDone: (jobs: readonly Job[]) => boolean,
): Promise<readonly Job[]> {
  let all: readonly Job[] = [];
  await until("the daemons agree", async () => {
    const states = await Promise.all(daemons.map((jobs) => jobs.find().sort({ _id: 1 }).toArray()));
    all = states[0] ?? [];
    return new Set(states.map((one) => JSON.stringify(one))).size === 1 && isDone(all);
  });
  return all;
}

test("jobs that programs claim at three daemons", async (t) => {
  await using three = await startThreeDaemons();
  const clients = three.mongoPorts.map(
    (port) => new MongoClient(`mongodb://127.0.0.1:${port}/shop?directConnection=true`),
  );
  const daemons = (name: string) => clients.map((client) => client.db("shop").collection<Job>(name));
  try {
    await t.test("each job belongs to one of the programs that received it", async () => {
      const jobs = daemons("changed");
      const programs = await received(jobs, (at, by) => at.findOneAndUpdate({ by: null }, { $set: { by } }));
      assert.equal(programs.size, JOBS, "jobs were received");
      const all = await agreed(jobs, (some) => some.every(({ by }) => by !== null));
      const wrong = all.filter(({ _id, by }) => programs.get(_id)?.includes(by ?? "") !== true);
      assert.deepEqual(wrong, [], "jobs belong to programs that did not receive them");
      const several = [...programs.values()].filter(({ length }) => length > 1).length;
      t.diagnostic(`${several} of ${JOBS} jobs were claimed by several programs at the same moment`);
    });
    await t.test("a job is removed if a program received it, and stays otherwise", async () => {
      const jobs = daemons("removed");
      let count = JOBS;
      const programs = await received(jobs, async (at) => {
        // Jobs arrive while programs take others.
        if (count < 2 * JOBS) await at.insertOne({ _id: count++, by: null });
        return at.findOneAndDelete({ _id: { $mod: [2, 0] } }, { sort: { _id: -1 } });
      });
      const remaining = await agreed(jobs, ({ length }) => length === count - programs.size);
      assert.deepEqual(
        remaining.filter(({ _id }) => programs.has(_id)),
        [],
        "jobs remain although a program received them",
      );
    });
  } finally {
    for (const client of clients) await client.close();
  }
});
