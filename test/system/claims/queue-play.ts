/** A queue as a program uses it: clients of each daemon add jobs and claim them, with random pauses. */

import { pause } from "../../support/pause.js";
import { until } from "../../support/until.js";
import type { Outcome } from "../connections.js";
import { DAEMONS, type Figures, type Play, type Round } from "./claim-rounds.js";

const JOBS = 6;
/** The number of claims at each daemon. */
const CLAIMS = 5;
/** The maximum pause before a command, in milliseconds. */
const PAUSE_MS_MAX = 25;

/** What is left of a queue when all daemons are equal. */
export interface Remains {
  /** The jobs that a claim would take. */
  readonly waiting: readonly string[];
  /** The jobs that the queue holds for the workers of each daemon. */
  readonly held: readonly (readonly string[])[];
  /** The number of jobs without data. */
  readonly withoutData: number;
}

/** The outcome of a claim, and the maximum number of jobs that it takes (default: 1). */
export type Claimed = Outcome<readonly string[]> & { readonly jobsMax?: number };

export interface Queue {
  readonly name: string;
  /** Prepares an empty queue. */
  prepare?(round: Round): Promise<void>;
  /** Adds a job at a daemon. It may be repeated if the daemon refuses it. */
  add(round: Round, daemon: number, job: string): Promise<Outcome<unknown>>;
  /** Claims jobs at a daemon. */
  claim(round: Round, daemon: number): Promise<Claimed>;
  /** Ends the work on a claimed job, as the worker does that has done it. */
  finish?(round: Round, daemon: number, job: string): Promise<void>;
  remains(round: Round): Promise<Remains>;
}

interface Ledger {
  readonly added: Set<string>;
  /** The daemons whose clients received each job. */
  readonly given: Map<string, number[]>;
  /** The maximum number of jobs that claims without an answer have taken. */
  unanswered: number;
}

/** Returns the names of the jobs of a round. */
export const jobsOf = ({ number }: Round): readonly string[] =>
  Array.from({ length: JOBS }, (_, job) => `${number}-${job}`);

/** Returns the rounds of a queue. */
export function queuePlay(queue: Queue): Play {
  const ledgers = new Map<number, Ledger>();
  return {
    name: queue.name,
    withKills: true,
    prepare: async (round) => await queue.prepare?.(round),
    async work(round) {
      const ledger: Ledger = { added: new Set(), given: new Map(), unanswered: 0 };
      ledgers.set(round.number, ledger);
      const added = adding(queue, round, ledger);
      await Promise.all([
        added,
        ...DAEMONS.map((daemon) => claiming(queue, round, daemon, { ledger, added })),
      ]);
    },
    async count(round, figures) {
      const ledger = ledgers.get(round.number);
      if (ledger !== undefined) addTo(figures, ledger, await queue.remains(round));
    },
  };
}

async function adding(queue: Queue, round: Round, ledger: Ledger): Promise<void> {
  const { random } = round;
  const turns = jobsOf(round).map((job) => ({
    job,
    daemon: random.oneOf(DAEMONS),
    ms: random.below(PAUSE_MS_MAX),
  }));
  for (const { job, daemon, ms } of turns) {
    await pause(ms);
    const outcome = await accepted((attempt) => queue.add(round, (daemon + attempt) % DAEMONS.length, job));
    if (outcome.kind === "answer") ledger.added.add(job);
  }
}

/** @param added  resolves when all jobs of the round are added; the last claim follows */
async function claiming(
  queue: Queue,
  round: Round,
  daemon: number,
  { ledger, added }: { readonly ledger: Ledger; readonly added: Promise<void> },
): Promise<void> {
  const pauses = Array.from({ length: CLAIMS }, () => round.random.below(2 * PAUSE_MS_MAX));
  for (const [index, ms] of pauses.entries()) {
    await pause(ms);
    if (index === CLAIMS - 1) await added;
    const outcome = await accepted(() => queue.claim(round, daemon));
    if (outcome.kind === "unanswered") ledger.unanswered += outcome.jobsMax ?? 1;
    if (outcome.kind !== "answer") continue;
    for (const job of outcome.answer) {
      ledger.given.set(job, [...(ledger.given.get(job) ?? []), daemon]);
      if (round.random.chance(0.7)) await queue.finish?.(round, daemon, job);
    }
  }
}

/** Repeats a request that is refused, as a daemon does that is down or cut off. */
async function accepted<Answer extends Outcome<unknown>>(
  request: (attempt: number) => Promise<Answer>,
): Promise<Answer> {
  let outcome = await request(0);
  let attempt = 0;
  await until("a request is accepted", async () => {
    if (outcome.kind === "refused") outcome = await request(++attempt);
    return outcome.kind !== "refused";
  });
  return outcome;
}

function addTo(figures: Figures, { added, given, unanswered }: Ledger, remains: Remains): void {
  const waiting = new Set(remains.waiting);
  /** Jobs that the queue holds for a worker that received them, and that this worker can therefore resume. */
  const working = new Set(
    remains.held.flatMap((jobs, daemon) => jobs.filter((job) => given.get(job)?.includes(daemon))),
  );
  /** Jobs that the queue holds for a worker that did not receive them, although another worker did. */
  const misplaced = remains.held.flatMap((jobs, daemon) =>
    jobs.filter((job) => given.has(job) && !given.get(job)?.includes(daemon)),
  );
  const isLost = (job: string) => !given.has(job) && !waiting.has(job) && !working.has(job);

  figures.jobs += added.size;
  figures.received += given.size;
  figures.lost += Math.max(0, [...added].filter(isLost).length - unanswered);
  figures.back += [...waiting].filter((job) => given.has(job)).length;
  figures.back += Math.max(0, misplaced.length - unanswered);
  figures.withoutData += remains.withoutData;
  figures.doubles += [...given.values()].filter(({ length }) => length > 1).length;
  figures.unanswered += unanswered;
}
