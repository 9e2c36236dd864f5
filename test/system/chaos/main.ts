/**
 * `npm run chaos`: exposes two daemons and, for comparison, a Redis primary with its replica to a minute of faults,
 * with the same load and the same sequence of faults. Exits with 1 if the daemons lost acknowledged writes or differ,
 * and with 2 if an option is unknown.
 *   --seconds N    the duration, instead of 60
 *   --seed N       replays the faults of a run
 *   --minutes N    exposes a cluster with a member list instead: daemons join, are evicted, return and are replaced,
 *                  lose folders, get damaged files, and are restarted with other settings and another build
 *   --old FOLDER   starts the cluster with the daemons of an older version, which is built in this folder
 *   --rounds N     checks instead that decided units are linearizable, in rounds with one kind of fault each, on
 *                  clusters of 3, 4, 5 and 7 daemons
 *   --decided-keys   with --rounds: checks the commands of unmodified clients on decided keys
 */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { seedOfRun } from "../../support/seeded-random.js";
import { runPlainRounds } from "../linearizability/decided-keys/plain-rounds.js";
import { runRounds } from "../linearizability/rounds.js";
import { DbsyncPair, RedisPair } from "../two-databases/crash-pairs.js";
import { Side } from "../two-databases/side-by-side.js";
import { runChaos } from "./chaos.js";

const USAGE = `npm run chaos -- --seconds 60 --seed 1   two daemons compared with two Redis servers
npm run chaos -- --minutes 30 --seed 1   a cluster whose daemons join, are evicted, return, are replaced, lose disks
npm run chaos -- --minutes 30 --old FOLDER   the same, with an upgrade from the older version that is built in FOLDER
npm run chaos -- --rounds 32 --seed 1    whether registers, locks and counters that the members decide are linearizable
npm run chaos -- --rounds 32 --decided-keys   whether the commands of unmodified clients on decided keys are
Seconds and minutes are numbers above 0, rounds and a seed are whole numbers.`;

/** The program in the folder of a built version. */
const MAIN = "dist/bundles/dbsyncd.js";
/** Milliseconds of faults in a round. After these, all daemons must be equal again. */
const ROUND_MS = 20_000;
/** Milliseconds of faults in a round of one kind. */
const SHORT_ROUND_MS = 5_000;
const WRITERS = 4;
const REFRESH_MS = 250;
/** Milliseconds between two lines if the output is not a terminal. */
const LINE_MS = 5000;

const CONFIGURED = `Two daemons: --data, --fsync always, each the other's --peer; clients send to both. Two Redis servers: appendonly yes, appendfsync always,
asynchronous replication, no WAIT; when the primary is killed the replica is promoted immediately, as by a sentinel or an operator,
and the old primary returns as a replica. Faults: SIGKILL; SIGKILL while the second server is disconnected; SIGSTOP.`;

interface ChaosArguments {
  readonly seed: number;
  readonly seconds: number;
  /** The duration of a run with a cluster, or null to compare two daemons with two Redis servers. */
  readonly minutes: string | null;
  /** The program of an older version, or null. */
  readonly old: string | null;
  /** The number of rounds in which histories are checked, or 0 for another kind of run. */
  readonly rounds: number;
  /** Whether the rounds are those of unmodified clients on decided keys. */
  readonly isOnDecidedKeys: boolean;
}

/** Parses the arguments. @returns null if they are invalid or contain --help */
function parseChaosArguments(): ChaosArguments | null {
  const option = { type: "string" } as const;
  try {
    const { values } = parseArgs({
      options: {
        ...{ seed: option, seconds: option, minutes: option, old: option, rounds: option },
        "decided-keys": { type: "boolean" },
      },
    });
    const { minutes = null } = values;
    const old = values.old === undefined ? null : join(resolve(values.old), MAIN);
    if (old !== null && (minutes === null || !existsSync(old))) return null;
    const seed = values.seed === undefined ? seedOfRun() : Number(values.seed);
    const seconds = minutes === null ? Number(values.seconds ?? 60) : Number(minutes) * 60;
    const rounds = Number(values.rounds ?? 0);
    if (!Number.isInteger(rounds) || (rounds === 0) !== (values.rounds === undefined)) return null;
    const isOnDecidedKeys = values["decided-keys"] === true;
    if (isOnDecidedKeys && rounds === 0) return null;
    return seconds > 0 && Number.isInteger(seed)
      ? { seed, seconds, minutes, old, rounds, isOnDecidedKeys }
      : null;
  } catch {
    return null;
  }
}

async function main(): Promise<void> {
  const parsed = parseChaosArguments();
  if (parsed === null) {
    console.error(USAGE);
    process.exitCode = 2;
    return;
  }

  const { seed, seconds, minutes, old, rounds, isOnDecidedKeys } = parsed;
  const check = isOnDecidedKeys ? runPlainRounds : runRounds;
  if (minutes === null && rounds === 0) await sideBySide(seed, seconds);
  else {
    const replay = `replay with npm run chaos ${["--", ...process.argv.slice(2), ...(process.argv.includes("--seed") ? [] : ["--seed", seed])].join(" ")}`;
    console.log(replay);
    try {
      if (rounds > 0) await check({ seed, rounds, roundMs: SHORT_ROUND_MS, say: console.log });
      else await runChaos({ seed, seconds, roundMs: ROUND_MS, writers: WRITERS, old, say: console.log });
    } catch (problem) {
      console.error(problem);
      console.error(`FAILED; ${replay}`);
      process.exitCode = 1;
    }
  }
}

async function sideBySide(seed: number, seconds: number): Promise<void> {
  console.log(`${CONFIGURED}\nreplay with npm run chaos -- --seed ${seed} --seconds ${seconds}\n`);
  await using daemons = await DbsyncPair.start({ waits: false });
  await using redis = await RedisPair.start({ fsync: "always", waits: false });
  const sides = [new Side("two daemons", daemons), new Side("two Redis", redis)] as const;
  const begin = performance.now();
  const screen = show(sides, () => (performance.now() - begin) / 1000);
  try {
    await Promise.all(sides.map((side) => side.run(seed, begin + seconds * 1000)));
  } finally {
    screen.end();
  }
  const [ours] = sides;
  if (ours.lost !== 0 || ours.isEqual !== true) process.exitCode = 1;
}

/** Prints the progress: continuously on a terminal, otherwise as a line every few seconds. */
function show(sides: readonly Side[], elapsed: () => number): { end(): void } {
  const { isTTY } = process.stdout;
  const lines = () => sides.map((side) => lineOf(side, elapsed()));
  let isDrawn = false;

  const draw = () => {
    const back = isTTY && isDrawn ? `\x1b[${sides.length}A` : "";
    isDrawn = true;
    process.stdout.write(
      back +
        lines()
          .map((line) => (isTTY ? `\x1b[2K${line}\n` : `${line}\n`))
          .join(""),
    );
  };

  const timer = setInterval(draw, isTTY ? REFRESH_MS : LINE_MS);
  return {
    end() {
      clearInterval(timer);
      draw();
    },
  };
}

function lineOf({ name, now, acknowledged, failed, faults, lost, isEqual }: Side, seconds: number): string {
  const counts = [...faults].map(([kind, count]) => `${count} × ${kind}`).join(", ") || "none yet";
  const end = lost === null ? now : `lost ${lost}; equal: ${isEqual ? "yes" : "NO"}`;
  return `${seconds.toFixed(0).padStart(3)} s  ${name.padEnd(11)}  acknowledged ${String(acknowledged.length).padStart(6)}  failed ${String(failed).padStart(4)}  ${end}  (${counts})`;
}

await main();
