/**
 * A day of 1,000 commands a second on one daemon's replica with a clock that is moved: disk and memory each quarter of an
 * hour. `--smoke`: half a minute, RESULTS.md stays. `--rate=N`: as many commands a second instead, and fewer keys with them.
 * `--minutes=N`: ends after so many real minutes, wherever it is then, with more samples.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SeededRandom } from "../test/support/seeded-random.js";
import { BoundedWorkload, KINDS } from "./bounded-workload.js";
import { makeKeys } from "./daemon-cpu.js";
import { machine, report, table } from "./report.js";
import { SimulatedReplica } from "./simulated-replica.js";
import { type DiskUse, diskUse, growthOf, inRows, type MemoryUse, meanOf, memoryUse } from "./usage.js";

const smoke = process.argv.includes("--smoke");
const MINUTES = given("minutes") ?? Number.POSITIVE_INFINITY;
/** Commands a second on average, and of an envelope, one to 19. */
const [RATE, SIZE] = [given("rate") ?? 1000, 10];
const SECONDS = smoke ? 30 : 24 * 3600;
const SAMPLE_SECONDS = smoke ? 3 : MINUTES < Number.POSITIVE_INFINITY ? 300 : 900;
const RETAIN_MINUTES = smoke ? 1 : 10;
/** The least there may be, or those of 400 seconds. */
const SNAPSHOT_ENTRIES = Math.max(1000, smoke ? 0 : (400 * RATE) / SIZE);
const KEYS = 100 * RATE;
const TICK_MS = 500;
/** One envelope of so many is dated up to two seconds back, so that what came meanwhile may be done again. */
const LATE_ONE_OF = 5000;
const LATE_MS = 2000;
const TAIL_SECONDS = 120;
/** No envelope is kept for longer: until the second snapshot after its time. */
const KEPT_SECONDS = RETAIN_MINUTES * 60 + TAIL_SECONDS + (2 * SNAPSHOT_ENTRIES * SIZE) / RATE;
const LEVEL_SECONDS = smoke ? SECONDS / 2 : KEPT_SECONDS;
const ROWS = 16;
const MIB = 2 ** 20;
const GOAL = 1.05;

interface Sample extends MemoryUse {
  readonly seconds: number;
  readonly disk: DiskUse;
  /** After a collection. */
  readonly heap: number;
  readonly buffers: number;
  /** Minutes. */
  readonly kept: number;
  readonly tailUnits: number;
  readonly keys: number;
}

function given(name: string): number | null {
  const [, number] =
    process.argv.map((word) => new RegExp(`^--${name}=(\\d+)$`).exec(word)).find(Boolean) ?? [];
  return number === undefined ? null : Number(number);
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function sampleOf(replica: SimulatedReplica, folder: string, seconds: number): Sample {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const { kept, tailUnits, keys } = replica;
  const memory = { heap: heapUsed / MIB, buffers: arrayBuffers / MIB, ...memoryUse(process.pid) };
  return { seconds, disk: diskUse(folder), ...memory, kept: kept / 60_000, tailUnits, keys };
}

/** Goes on by a second. @param number  of it @returns how many commands that were */
async function second(
  {
    replica,
    workload,
    random,
  }: { replica: SimulatedReplica; workload: BoundedWorkload; random: SeededRandom },
  number: number,
) {
  const ticks = 1000 / TICK_MS;
  const envelopesBy = (tick: number) => Math.floor(((RATE / SIZE) * tick) / ticks);
  let commands = 0;
  for (let tick = number * ticks; tick < (number + 1) * ticks; tick++) {
    const due = envelopesBy(tick + 1) - envelopesBy(tick);
    for (let i = 0; i < due; i++) {
      replica.elapsed = (tick + (i + 1) / (due + 1)) * TICK_MS;
      const made = workload.next(1 + random.below(2 * SIZE - 1));
      commands += made.length;
      replica.take(made, random.below(LATE_ONE_OF) === 0 ? random.below(LATE_MS) : 0);
    }
    replica.elapsed = (tick + 1) * TICK_MS;
    replica.tick();
  }
  await replica.settled();
  return commands;
}

async function main(): Promise<void> {
  const startedAt = performance.now();
  const minutes = () => (performance.now() - startedAt) / 60_000;
  // Each byte is written some three times: a real disk would be the slowest part of it, and says nothing of sizes.
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "dbsync-bench-"));
  const samples: Sample[] = [];
  let commands = 0;
  try {
    const files = ["-s", makeKeys(1).publicFolder, "--data", folder, "--fsync", "never"];
    const limits = ["--retain", `${RETAIN_MINUTES}m`, "--snapshot-entries", String(SNAPSHOT_ENTRIES)];
    await using replica = await SimulatedReplica.start([...files, ...limits]);
    const random = new SeededRandom(1);
    const workload = new BoundedWorkload(random, { keys: KEYS, sessionSeconds: 600 });
    for (let seconds = 1; seconds <= SECONDS && minutes() < MINUTES; seconds++) {
      commands += await second({ replica, workload, random }, seconds - 1);
      if (seconds % SAMPLE_SECONDS !== 0) continue;
      samples.push(sampleOf(replica, folder, seconds));
      console.error(minutes().toFixed(1), JSON.stringify(samples.at(-1)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  report(
    RATE === 1000 ? "simulated-day" : `simulated-day-${RATE}`,
    textOf(samples, commands, minutes()),
    smoke,
  );
}

function textOf(samples: readonly Sample[], commands: number, minutes: number): string {
  const level = samples.filter(({ seconds }) => seconds >= LEVEL_SECONDS);
  const growths = [
    ["disk", growthOf(level.map(({ disk }) => disk.total))],
    ["heap", growthOf(level.map(({ heap }) => heap))],
    ["buffers", growthOf(level.map(({ buffers }) => buffers))],
    ["own memory", growthOf(level.map(({ own }) => own))],
    ["resident memory", growthOf(level.map(({ resident }) => resident))],
  ] as const;
  const rows = inRows(samples, ROWS).map((some) => [
    ((some.at(-1) as Sample).seconds / 3600).toFixed(2),
    ...[meanOf(some.map(({ disk }) => disk.total)), meanOf(some.map(({ disk }) => disk.tree))],
    ...[meanOf(some.map(({ disk }) => disk.log)), meanOf(some.map(({ disk }) => disk.snapshots))],
    ...[meanOf(some.map(({ heap }) => heap)), meanOf(some.map(({ buffers }) => buffers))],
    ...[meanOf(some.map(({ own }) => own)), meanOf(some.map(({ resident }) => resident))],
    Math.max(...some.map(({ kept }) => kept)),
    ...[Math.round(meanOf(some.map(({ tailUnits }) => tailUnits))), Math.round((some.at(-1) as Sample).keys)],
  ]);
  const hours = (samples.at(-1) as Sample).seconds / 3600;
  return `## A simulated day, ${RATE.toLocaleString("en")} commands a second

${machine()} \`npm run bench -- simulated-day\`${RATE === 1000 ? "" : `, --rate=${RATE}`}: ${hours.toFixed(1)} simulated hours in ${minutes.toFixed(0)} minutes, beside a load of ${loadavg()[1]?.toFixed(0)} on the machine. One daemon's replica with a clock
that is moved: ${commands.toLocaleString("en")} commands, ${RATE} a second, ${SIZE} an envelope (1 to ${2 * SIZE - 1}), of ${KINDS} kinds on ${KEYS.toLocaleString("en")} keys and on sessions that end within ten minutes;
one envelope of ${LATE_ONE_OF} is late. --retain ${RETAIN_MINUTES}m, --snapshot-entries ${SNAPSHOT_ENTRIES.toLocaleString("en")}, --fsync never on a file system in memory; signatures are neither made nor checked.
By these settings an entry is kept for ${(KEPT_SECONDS / 60).toFixed(0)} minutes at most, so the level is reached by then; here at times for longer, as the thread that makes
snapshots does not live by that clock. Means of the samples up to each hour; heap: after a collection.

${table(
  [
    "hour",
    "disk, MiB",
    "LMDB",
    "log",
    "snapshots",
    "heap, MiB",
    "buffers",
    "memory, own",
    "resident",
    "kept, min, most",
    "units in the tail",
    "keys",
  ],
  rows,
)}

The greatest of the later half of what was measured at the level, by that of the earlier half: ${growths
    .map(
      ([name, growth]) =>
        `${name} ${growth.toFixed(3)} (goal: at most ${GOAL}, ${growth <= GOAL ? "met" : "missed"})`,
    )
    .join(", ")}.
The sums that members compare grow by 48 bytes for each second that has commands, up to 131,072 of them, which takes 36 hours: 6 MiB in the heap and buffers.`;
}

await main();
