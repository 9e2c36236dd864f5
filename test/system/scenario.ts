/**
 * Registers tests that play a scenario with real daemons: with two and with three of them, with random timing, and with
 * clients of two libraries.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ActiveCluster, type ScenarioClient } from "../support/active-cluster.js";
import { isFull } from "../support/amount.js";
import { skipWithout } from "../support/requirements.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";

/** The number of runs of a scenario with each size of cluster. */
export const RUNS_PER_SIZE = Number(process.env["DBSYNC_SCENARIO_RUNS"] ?? 1);
/** The numbers of daemons with which each scenario runs. */
export const CLUSTER_SIZES: readonly number[] = isFull ? [2, 3] : [2];
const LIBRARIES =
  skipWithout("python3-redis") === false ? (["redis-py", "ioredis"] as const) : (["ioredis"] as const);
export const seed: number = seedOfRun();

export interface Run {
  readonly cluster: ActiveCluster;
  readonly random: SeededRandom;
  /** A client of each daemon, by the daemon's index. */
  readonly clients: readonly ScenarioClient[];
  /** The prefix of the keys in this run. */
  readonly prefix: string;
  /** The index of a daemon that is chosen at random. */
  readonly chosen: number;
  /** The index of another daemon that is chosen at random. */
  readonly other: number;
  /** Opens another client of a daemon. */
  openClient(index: number): ScenarioClient;
}

/**
 * Plays a scenario with two daemons, and in full runs with three. The runs of one cluster use a client of redis-py and
 * of ioredis in turn for the daemon `chosen`, and ioredis for the remaining ones.
 */
export function scenario(name: string, play: (run: Run) => Promise<void>): void {
  for (const [sizeIndex, count] of CLUSTER_SIZES.entries())
    test(`${name}: ${count} daemons (seed ${seed})`, async () => {
      await using cluster = await ActiveCluster.start(count);
      for (let run = 0; run < RUNS_PER_SIZE; run++) {
        const random = new SeededRandom(seed, sizeIndex, run);
        const chosen = random.below(count);
        const other = (chosen + random.between(1, count - 1)) % count;
        const library = LIBRARIES[(sizeIndex + run) % LIBRARIES.length];
        // Each client of redis-py is a process of its own.
        const openClient = (index: number) => cluster.client(index, index === chosen ? library : "ioredis");
        const clients = cluster.indices.map(openClient);
        await play({ cluster, random, clients, openClient, prefix: `${run}:`, chosen, other });
        for (const client of clients) client.disconnect();
      }
    });
}

export const clientOf = (run: Run, index: number): ScenarioClient => run.clients[index] as ScenarioClient;

/** Asserts that all daemons return the same answer. */
export async function assertEverywhere(
  cluster: ActiveCluster,
  argv: readonly [string, ...string[]],
  answer: unknown,
): Promise<void> {
  assert.deepEqual(
    await cluster.answers(...argv),
    cluster.indices.map(() => answer),
    argv.join(" "),
  );
}

export const randomSignal = (random: SeededRandom): "SIGKILL" | "SIGTERM" =>
  random.chance(0.5) ? "SIGKILL" : "SIGTERM";
