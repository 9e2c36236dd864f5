/** Commands of Redis clients that add and claim jobs. Each claim uses one of several commands, at random. */

import type { Outcome } from "../connections.js";
import { DAEMONS, type Round } from "./claim-rounds.js";
import type { Claimed } from "./queue-play.js";

export type Argv = readonly [string, ...string[]];

export const BLOCK_SECONDS = "0.01";

export const call = (round: Round, daemon: number, ...argv: Argv) =>
  round.connections.call(daemon, round.lane, ...argv);

/** Sends commands until one is not answered. @returns what became of the last one that was sent */
export async function addBy(
  round: Round,
  daemon: number,
  ...[first, ...more]: readonly [Argv, ...Argv[]]
): Promise<Outcome<unknown>> {
  let outcome = await call(round, daemon, ...first);
  for (const argv of more) if (outcome.kind === "answer") outcome = await call(round, daemon, ...argv);
  return outcome;
}

/** Reads at a random daemon. All daemons are equal. */
export async function read(round: Round, ...argv: Argv): Promise<unknown> {
  const outcome = await call(round, round.random.oneOf(DAEMONS), ...argv);
  if (outcome.kind === "answer") return outcome.answer;
  throw new Error(`${argv.join(" ")}: ${outcome.kind === "refused" ? outcome.reason : "no answer"}`);
}

export const strings = async (round: Round, ...argv: Argv) => (await read(round, ...argv)) as string[];

/** Claims with one of several commands, and reads the jobs from its answer. */
export async function claimBy(
  round: Round,
  daemon: number,
  claims: readonly (readonly [argv: Argv, jobs: (reply: unknown) => readonly string[], jobsMax?: number])[],
): Promise<Claimed> {
  const [argv, jobs, jobsMax = 1] = round.random.oneOf(claims);
  const outcome = await call(round, daemon, ...argv);
  return outcome.kind === "answer"
    ? { kind: "answer", answer: outcome.answer === null ? [] : jobs(outcome.answer) }
    : { ...outcome, jobsMax };
}

export const one = (reply: unknown) => [reply as string];
export const all = (reply: unknown) => reply as string[];
export const second = (reply: unknown) => [(reply as string[])[1] as string];
