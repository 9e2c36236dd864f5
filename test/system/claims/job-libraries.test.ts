/**
 * Tests the promise of claims.test.ts with libraries for jobs, whose workers run at three daemons. Each library
 * runs the jobs again whose workers have lost their daemon.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isFull } from "../../support/amount.js";
import { BUSY_PATTERNS } from "../../support/decided-patterns.js";
import { pause } from "../../support/pause.js";
import { repositoryRoot } from "../../support/repository.js";
import { skipWithout } from "../../support/requirements.js";
import { seed } from "../scenario.js";
import {
  ClaimRounds,
  DAEMONS,
  DECIDED,
  decidedFailuresOf,
  described,
  type Figures,
  failuresOf,
  PERFECT,
  type Play,
  roundsOf,
} from "./claim-rounds.js";
import { LibraryWorkers } from "./library-workers.js";

const JOBS = 3;
/** The jobs of a round if the members decide on the library's keys. A job of RQ needs 14 decisions. */
const DECIDED_JOBS = 1;
/** The groups of rounds: with six, each kind of fault happens once. */
const DECIDED_GROUPS = 6;
const PAUSE_MS_MAX = 50;
/** After the last round, the time within which a library must run the next job. Otherwise the rest counts as lost. */
const RUN_MS_MAX = Number(process.env["DBSYNC_SCENARIO_WAIT_MS"] ?? 150_000);
/** The same if the library's queue is empty, so that only a worker can still have the rest. */
const EMPTY_MS_MAX = 15_000;
const POLL_MS = 20;
const CHECK_MS = 3000;

const areRoundsChosen = process.env["DBSYNC_SCENARIO_RUNS"] !== undefined;
/** The rounds that run at the same time; more if their number is chosen, which may be large. */
const AT_ONCE = areRoundsChosen ? 100 : 8;

const folder = join(repositoryRoot, "test", "libraries");
const isInstalled = existsSync(join(folder, "npm", "node_modules"));
const ofNpm = isInstalled ? false : "test/libraries/npm is not installed";

const LIBRARIES = [
  {
    name: "BullMQ",
    file: "npm/bullmq-workers.mjs",
    program: process.execPath,
    skip: ofNpm,
    decided: ["bull:*"],
  },
  {
    name: "agenda",
    file: "npm/agenda-workers.mjs",
    program: process.execPath,
    skip: ofNpm,
    isMongo: true,
    decided: ["mongo:jobs.*"],
    isFast: true,
  },
  {
    name: "Celery",
    file: "python/celery_workers.py",
    program: "/usr/bin/python3",
    skip: skipWithout("python3-celery"),
    // A worker pops a message and then stores it as not acknowledged. In between, a kill loses it, as with Redis.
    lossesOfKill: 1,
    // Workers release the lock of unacked_mutex with a script.
    decided: ["celery*", "unacked", "unacked_index"],
  },
  // A worker that runs a job again may find that another one has finished and removed it.
  {
    name: "bull",
    file: "npm/bull-workers.mjs",
    program: process.execPath,
    skip: ofNpm,
    mayLackData: true,
    decided: ["bull:*"],
  },
  {
    name: "bee-queue",
    file: "npm/bee-queue-workers.mjs",
    program: process.execPath,
    skip: ofNpm,
    decided: ["bq:*"],
  },
  // Workers of RQ and Sidekiq pop a job and store it nowhere else until they have run it.
  {
    name: "RQ",
    file: "python/rq_workers.py",
    program: "/usr/bin/python3",
    skip: skipWithout("python3-rq"),
    lossesOfKill: 1,
    decided: ["rq:*"],
  },
  {
    name: "Sidekiq",
    file: "ruby/sidekiq_workers.rb",
    program: "ruby",
    skip: skipWithout("ruby-sidekiq"),
    lossesOfKill: 1,
  },
];

const jobsOf = (round: string, jobs: number) => Array.from({ length: jobs }, (_, job) => `${round}-${job}`);

/**
 * Returns rounds that add jobs, which the library's workers run meanwhile and later.
 * @param phase  the beginning of the names of the jobs
 */
function libraryPlay(name: string, workers: LibraryWorkers, jobs: number, phase = ""): Play {
  return {
    name,
    atOnce: AT_ONCE,
    withKills: true,
    isContinuous: true,
    async work({ number, random }) {
      for (const job of jobsOf(`${phase}${number}`, jobs)) {
        const daemon = random.oneOf(DAEMONS);
        await pause(random.below(PAUSE_MS_MAX));
        await workers.add(daemon, job);
      }
    },
    async count({ number }, figures) {
      figures.jobs += jobsOf(`${phase}${number}`, jobs).filter((job) => workers.added.has(job)).length;
    },
  };
}

/**
 * Waits until the workers have run all jobs, and the program knows the end of each job that it waits for, or until
 * nothing more happens.
 */
async function untilRun(workers: LibraryWorkers): Promise<void> {
  const pending = () => workers.notRun.length + workers.waits.size;
  let left = pending();
  let since = performance.now();
  let isEmpty = false;
  let checked = since;
  while (left > 0 && performance.now() - since < (isEmpty ? EMPTY_MS_MAX : RUN_MS_MAX)) {
    await pause(POLL_MS);
    const now = pending();
    if (now < left) since = performance.now();
    left = now;
    if (performance.now() - checked < CHECK_MS) continue;
    isEmpty = Object.values((await workers.check()).waiting).every((count) => count === 0);
    checked = performance.now();
  }
}

/** Returns how often each text occurs. */
const countsOf = (texts: readonly string[]): Record<string, number> =>
  Object.fromEntries([...new Set(texts)].map((text) => [text, texts.filter((one) => one === text).length]));

const runsTwice = (workers: LibraryWorkers) =>
  [...workers.ran].filter(([job, runs]) => runs > 1 + (workers.stalls.get(job) ?? 0)).map(([job]) => job);

/** Waits until the workers have run all jobs, and completes the figures. @returns what is left in the queue */
async function completed(rounds: ClaimRounds, workers: LibraryWorkers, figures: Figures): Promise<string> {
  await untilRun(workers);
  await workers.stop();
  await rounds.cluster.untilEqual();
  const checked = await workers.check();
  figures.lost = workers.notRun.length;
  figures.doubles = runsTwice(workers).length;
  figures.withoutData = workers.runsWithoutData + checked.withoutData;
  figures.withoutLifetime = checked.withoutLifetime;
  return JSON.stringify(checked);
}

type Library = (typeof LIBRARIES)[number];

/**
 * Starts three daemons and a library's workers.
 * @param decided  the patterns of the keys on which the members decide
 */
async function startLibrary({ file, program, isMongo = false }: Library, decided: readonly string[] = []) {
  const rounds = await ClaimRounds.start({ hasDocuments: isMongo, decided, begin: BUSY_PATTERNS });
  const { cluster } = rounds;
  const ports = DAEMONS.map((daemon) => (isMongo ? cluster.mongoPort(daemon) : cluster.respPort(daemon)));
  return { rounds, workers: await LibraryWorkers.start(program, join(folder, file), ports) };
}

/** Runs a library's jobs. */
async function figuresOf(t: TestContext, path: number, library: Library) {
  const { name, lossesOfKill = 0, mayLackData = false } = library;
  const { rounds, workers } = await startLibrary(library);
  await using _rounds = rounds;
  await using _workers = workers;
  const figures = await rounds.run(libraryPlay(name, workers, JOBS), path, roundsOf(5 * AT_ONCE));
  const rest = await completed(rounds, workers, figures);
  figures.unanswered = rounds.kills * lossesOfKill;
  t.diagnostic(`${described(name, figures)}; ${rest}`);
  const lost = Math.max(0, figures.lost - figures.unanswered);
  const withoutData = mayLackData ? 0 : figures.withoutData;
  return { figures: { ...figures, lost, withoutData }, rest };
}

/**
 * Runs a library's jobs on decided keys, without faults and then with them. After a fault, a job may be lost if an
 * error ended its worker before it ran the job, or if the worker's claim failed after a member could have received it.
 * It may run twice if its worker could not store that it has ended.
 */
async function decidedFiguresOf(t: TestContext, path: number, library: Library, decided: readonly string[]) {
  const { name } = library;
  const { rounds, workers } = await startLibrary(library, decided);
  await using _rounds = rounds;
  await using _workers = workers;
  const quiet = await rounds.run(
    { ...libraryPlay(name, workers, DECIDED_JOBS, "quiet"), isQuiet: true },
    path,
    AT_ONCE,
  );
  await untilRun(workers);
  const received = workers.notRun.filter((job) => workers.taken.has(job)).length;
  const found = {
    notRun: workers.notRun,
    received,
    unknownClaims: workers.unknownClaims,
    queue: await workers.check(),
    additions: countsOf(workers.failedAdditions),
    errors: countsOf(workers.workerErrors),
  };
  t.diagnostic(`without faults: ${JSON.stringify(found)}`);
  // If the machine pauses, daemons refuse writes: a worker that has reported it may have ended with its job.
  const explained = Math.min(received, workers.workerErrors.length) + workers.unknownClaims;
  assert.deepEqual(
    { lost: Math.max(0, workers.notRun.length - explained), twice: runsTwice(workers) },
    { lost: 0, twice: [] },
    `without faults: ${JSON.stringify(found)}`,
  );
  // A busy machine suspends daemons for longer than a decision may take, so that they refuse some jobs.
  assert.ok(quiet.jobs > (AT_ONCE * DECIDED_JOBS) / 2, `${quiet.jobs} jobs were added`);

  const figures = await rounds.run(
    libraryPlay(name, workers, DECIDED_JOBS),
    path,
    roundsOf(DECIDED_GROUPS * AT_ONCE),
  );
  const rest = await completed(rounds, workers, figures);
  const { taken, notEnded, unknownClaims } = workers;
  const diedWith = workers.notRun.filter((job) => taken.has(job)).length;
  figures.unanswered = unknownClaims;
  const causes = `ended with a job ${diedWith}, ends not stored ${notEnded.size}, stalled ${workers.stalls.size}`;
  t.diagnostic(`${described(name, figures)}, ${causes}, without faults ${quiet.jobs} jobs; ${rest}`);
  const lost = Math.max(0, figures.lost - diedWith - unknownClaims);
  const doubles = runsTwice(workers).filter((job) => !notEnded.has(job)).length;
  for (const [what, problems] of [
    ["additions", workers.failedAdditions],
    ["waits", workers.failedWaits],
    ["steps of workers", workers.workerErrors],
  ] as const)
    t.diagnostic(`${what} that failed: ${problems.length} ${[...new Set(problems)].slice(0, 4).join("; ")}`);
  return { figures: { ...figures, lost, doubles }, unfinished: workers.waits.size, rest };
}

for (const [path, library] of LIBRARIES.entries()) {
  const { name, skip, decided, isFast = false } = library;
  test(`workers of ${name} at three daemons run each job (seed ${seed})`, { skip }, async (t) => {
    const { figures, rest } = await figuresOf(t, path, library);
    assert.deepEqual(failuresOf(figures), PERFECT, rest);
  });

  if (decided !== undefined)
    test(`workers of ${name} run each job once if its keys are decided (seed ${seed})`, {
      skip: skip || (isFast || isFull || areRoundsChosen ? false : "runs only in full"),
    }, async (t) => {
      const { figures, rest, unfinished } = await decidedFiguresOf(t, path, library, decided);
      assert.deepEqual(decidedFailuresOf(figures), DECIDED, rest);
      assert.equal(unfinished, 0, "the end of each job was reported to the program that waits for it");
    });
}
