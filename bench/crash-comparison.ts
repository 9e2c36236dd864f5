/**
 * What two daemons lose, and what a Redis primary and its replica lose, under the same schedule: the second is cut off
 * for a while, the first is killed meanwhile, the second takes over, and the first comes back.
 * DBSYNC_SEED replays a schedule.
 */
import { SeededRandom, seedOfRun } from "../test/support/seeded-random.js";
import { type CrashPair, DbsyncPair, RedisPair } from "./crash-pairs.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const CYCLES = smoke ? 1 : 4;
const WRITERS = 8;
/** Milliseconds, least and most. */
const PEACE = [300, 700] as const;
const CUT = [200, 900] as const;
const ALONE = [300, 700] as const;
/** After a write that failed. */
const REST_MS = 10;

interface Cycle {
  readonly peace: number;
  /** 0: the first is killed while the second keeps up with it. */
  readonly cut: number;
  readonly alone: number;
}

interface Losses {
  readonly acknowledged: number;
  readonly failed: number;
  /** Acknowledged since the kill before, and not there while the first was away; all cycles together. */
  readonly missing: number;
  /** Acknowledged, and not there in the end. */
  readonly lost: number;
}

const SYSTEMS: readonly (readonly [name: string, start: () => Promise<CrashPair>])[] = [
  ["Redis, appendfsync everysec", () => RedisPair.start({ fsync: "everysec", waits: false })],
  ["Redis, appendfsync always", () => RedisPair.start({ fsync: "always", waits: false })],
  ["Redis, appendfsync always, WAIT 1", () => RedisPair.start({ fsync: "always", waits: true })],
  ["dbsync, fsync always", () => DbsyncPair.start({ waits: false })],
  ["dbsync, fsync always, replicated 2", () => DbsyncPair.start({ waits: true })],
];

async function main(): Promise<void> {
  const seed = seedOfRun();
  const random = new SeededRandom(seed);
  const cycles = Array.from({ length: CYCLES }, (_, index) => ({
    peace: random.between(...PEACE),
    cut: index % 2 === 0 ? random.between(...CUT) : 0,
    alone: random.between(...ALONE),
  }));
  const rows: (string | number)[][] = [];
  for (const [name, start] of SYSTEMS) {
    await using pair = await start();
    const { acknowledged, failed, missing, lost } = await run(pair, cycles);
    rows.push([name, ...[acknowledged, failed, missing, lost].map(String)]);
  }
  const head = ["", "acknowledged", "failed or unknown", "not there meanwhile", "lost for good"];
  const text = `## Acknowledged writes lost in crashes

${machine()} ${WRITERS} writers; ${CYCLES} times the first of two servers is killed (SIGKILL), every other time while the second
is cut off from the first and from the writers; the second goes on or is promoted, the first comes back, and they change places. "Meanwhile":
while the first is away. Seed ${seed}.

${table(head, rows)}

A killed process leaves what it gave to the system, so Redis loses nothing by its own file here: what its replica did
not have yet is thrown away when the replica is promoted. With WAIT and with \`replicated\` a write counts as acknowledged
once both have it.`;
  report("crash-comparison", text, smoke);
}

async function run(pair: CrashPair, cycles: readonly Cycle[]): Promise<Losses> {
  const acknowledged: string[] = [];
  let failed = 0;
  let missing = 0;
  let counted = 0;
  let isOver = false;
  const write = async (writer: number) => {
    for (let number = 0; !isOver; number++) {
      const token = `${writer}:${number}`;
      if (await pair.write(writer, token)) acknowledged.push(token);
      else {
        failed++;
        await sleep(REST_MS);
      }
    }
  };
  const writers = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  for (const { peace, cut, alone } of cycles) {
    await sleep(peace);
    if (cut > 0) {
      pair.cutSecond();
      await sleep(cut);
    }
    const before = acknowledged.slice(counted);
    counted = acknowledged.length;
    await pair.killFirst();
    await sleep(alone);
    missing += before.length - (await pair.count(before));
    await pair.restartFirst();
    pair.changePlaces();
  }
  isOver = true;
  await writers;
  await pair.level();
  return {
    acknowledged: acknowledged.length,
    failed,
    missing,
    lost: acknowledged.length - (await pair.count(acknowledged)),
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

await main();
