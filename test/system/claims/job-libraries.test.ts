/**
 * Tests the promise of claims.test.ts with libraries for jobs, whose workers run at three daemons. Each library
 * runs the jobs again whose workers have lost their daemon.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pause } from "../../support/pause.js";
import { repositoryRoot } from "../../support/repository.js";
import { skipWithout } from "../../support/requirements.js";
import { seed } from "../scenario.js";
import {
  ClaimRounds,
  DAEMONS,
  described,
  type Figures,
  failuresOf,
  PERFECT,
  type Play,
  roundsOf,
} from "./claim-rounds.js";
import { LibraryWorkers } from "./library-workers.js";

const JOBS = 3;
/** The rounds that run at the same time. With five times as many, each kind of fault happens once. */
const AT_ONCE = 8;
const PAUSE_MS_MAX = 50;
/** After the last round, the time within which a library must run the next job. Otherwise the rest counts as lost. */
const RUN_MS_MAX = Number(process.env["DBSYNC_SCENARIO_WAIT_MS"] ?? 150_000);
const POLL_MS = 20;

const folder = join(repositoryRoot, "test", "libraries");
const isInstalled = existsSync(join(folder, "npm", "node_modules"));
const ofNpm = isInstalled ? false : "test/libraries/npm is not installed";

const LIBRARIES = [
  { name: "BullMQ", file: "npm/bullmq-workers.mjs", program: process.execPath, skip: ofNpm },
  { name: "agenda", file: "npm/agenda-workers.mjs", program: process.execPath, skip: ofNpm, isMongo: true },
  {
    name: "Celery",
    file: "python/celery_workers.py",
    program: "/usr/bin/python3",
    skip: skipWithout("python3-celery"),
    // A worker pops a message and then stores it as not acknowledged. In between, a kill loses it, as with Redis.
    lossesOfKill: 1,
  },
  // A worker that runs a job again may find that another one has finished and removed it.
  { name: "bull", file: "npm/bull-workers.mjs", program: process.execPath, skip: ofNpm, mayLackData: true },
  // Workers of RQ and Sidekiq pop a job and store it nowhere else until they have run it.
  {
    name: "RQ",
    file: "python/rq_workers.py",
    program: "/usr/bin/python3",
    skip: skipWithout("python3-rq"),
    lossesOfKill: 1,
  },
  {
    name: "Sidekiq",
    file: "ruby/sidekiq_workers.rb",
    program: "ruby",
    skip: skipWithout("ruby-sidekiq"),
    lossesOfKill: 1,
  },
];

const jobsOf = (number: number) => Array.from({ length: JOBS }, (_, job) => `${number}-${job}`);

/** Returns rounds that add jobs, which the library's workers run meanwhile and later. */
function libraryPlay(name: string, workers: LibraryWorkers): Play {
  return {
    name,
    atOnce: AT_ONCE,
    withKills: true,
    isContinuous: true,
    async work({ number, random }) {
      for (const job of jobsOf(number)) {
        const daemon = random.oneOf(DAEMONS);
        await pause(random.below(PAUSE_MS_MAX));
        await workers.add(daemon, job);
      }
    },
    async count({ number }, figures) {
      figures.jobs += jobsOf(number).filter((job) => workers.added.has(job)).length;
    },
  };
}

/** Waits until the workers have run all jobs, and completes the figures. @returns what is left in the queue */
async function completed(rounds: ClaimRounds, workers: LibraryWorkers, figures: Figures): Promise<string> {
  const notRun = () => [...workers.added].filter((job) => !workers.ran.has(job));
  let left = notRun().length;
  let since = performance.now();
  while (left > 0 && performance.now() - since < RUN_MS_MAX) {
    await pause(POLL_MS);
    const now = notRun().length;
    if (now < left) since = performance.now();
    left = now;
  }
  figures.lost = left;
  await workers.stop();
  await rounds.cluster.untilEqual();
  const checked = await workers.check();
  figures.doubles = [...workers.ran.values()].filter((runs) => runs > 1).length;
  figures.withoutData = workers.runsWithoutData + checked.withoutData;
  figures.withoutLifetime = checked.withoutLifetime;
  return JSON.stringify(checked);
}

for (const [path, library] of LIBRARIES.entries()) {
  const { name, file, program, skip, isMongo = false, lossesOfKill = 0, mayLackData = false } = library;
  test(`workers of ${name} at three daemons run each job (seed ${seed})`, { skip }, async (t) => {
    await using rounds = await ClaimRounds.start({ hasDocuments: isMongo });
    const { cluster } = rounds;
    const ports = DAEMONS.map((daemon) => (isMongo ? cluster.mongoPort(daemon) : cluster.respPort(daemon)));
    await using workers = await LibraryWorkers.start(program, join(folder, file), ports);
    const figures = await rounds.run(libraryPlay(name, workers), path, roundsOf(5 * AT_ONCE));
    const rest = await completed(rounds, workers, figures);
    figures.unanswered = rounds.kills * lossesOfKill;
    t.diagnostic(`${described(name, figures)}; ${rest}`);
    const lost = Math.max(0, figures.lost - figures.unanswered);
    const withoutData = mayLackData ? 0 : figures.withoutData;
    assert.deepEqual(failuresOf({ ...figures, lost, withoutData }), PERFECT, rest);
  });
}
