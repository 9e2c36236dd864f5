/** Runs a scenario with two and with three daemons, with random timing, and with clients of two libraries. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ActiveCluster, type ScenarioClient } from "../support/active-cluster.js";
import { isFull } from "../support/amount.js";
import { skipWithout } from "../support/requirements.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";

/** How often to run a scenario with each size of cluster. */
export const RUNS = Number(process.env["DBSYNC_SCENARIO_RUNS"] ?? 1);
/** The sizes of the clusters. */
export const COUNTS: readonly number[] = isFull ? [2, 3] : [2];
const LIBRARIES =
  skipWithout("python3-redis") === false ? (["redis-py", "ioredis"] as const) : (["ioredis"] as const);
export const seed: number = seedOfRun();

export interface Run {
  readonly cluster: ActiveCluster;
  readonly random: SeededRandom;
  readonly clients: readonly ScenarioClient[];
  /** The prefix of the keys in this run. */
  readonly prefix: string;
  /** The index of a random daemon. */
  readonly one: number;
  /** The index of another random daemon. */
  readonly other: number;
  /** Opens another client of a daemon. */
  open(index: number): ScenarioClient;
}

/**
 * Plays a scenario with two daemons, and in full runs with three. The runs of one cluster use a client of redis-py and
 * of ioredis in turn for the daemon `one`, and ioredis for the others.
 */
export function scenario(name: string, play: (run: Run) => Promise<void>): void {
  for (const [path, count] of COUNTS.entries())
    test(`${name}: ${count} daemons (seed ${seed})`, async () => {
      await using cluster = await ActiveCluster.start(count);
      for (let number = 0; number < RUNS; number++) {
        const random = new SeededRandom(seed, path, number);
        const one = random.below(count);
        const other = (one + random.between(1, count - 1)) % count;
        const library = LIBRARIES[(path + number) % LIBRARIES.length];
        // Each client of redis-py is a process of its own.
        const open = (index: number) => cluster.client(index, index === one ? library : "ioredis");
        const clients = cluster.indices.map(open);
        await play({ cluster, random, clients, open, prefix: `${number}:`, one, other });
        for (const client of clients) client.disconnect();
      }
    });
}

export const client = (run: Run, index: number): ScenarioClient => run.clients[index] as ScenarioClient;

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

export const by = (random: SeededRandom): "SIGKILL" | "SIGTERM" =>
  random.chance(0.5) ? "SIGKILL" : "SIGTERM";
