/**
 * How long PING waits while a thread makes a snapshot of a million keys, beside the same daemon that makes none. `--smoke`: few
 * keys, RESULTS.md stays.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { snapshotFolder } from "../daemon/trust/data-folder.js";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { type Figures, figuresOf, median } from "./measure.js";
import { startDaemon } from "./processes.js";
import { FIGURE_HEAD, figureCells, machine, report, table } from "./report.js";
import { Scene } from "./timeline-daemons.js";
import { signedEntries, writeFolders } from "./timeline-data.js";

const smoke = process.argv.includes("--smoke");
const KEYS = smoke ? 100_000 : 1_000_000;
const SIZE = 50;
const ROUNDS = smoke ? 1 : 5;
/** Envelopes from one snapshot to the next; none is made before. */
const [OFTEN, NEVER] = ["1000", "1000000000"];
const ENDED_MS_AGO = 10 * 60_000;
const GOAL = 2;
/** Pings between two looks for the file. */
const PINGS = 64;

const scene = new Scene();
const folder = scene.newFolder();
const snapshots = snapshotFolder(folder);
const isMade = () =>
  existsSync(snapshots) && readdirSync(snapshots).some((name) => name.endsWith(".snapshot"));

/** @param every  envelopes from snapshot to snapshot @param isOver  whether it has pinged long enough */
async function pings(
  every: string,
  isOver: (seconds: number) => boolean,
): Promise<Figures & { seconds: number }> {
  const port = await freePort();
  await using _ = await startDaemon([
    ...[...scene.args(folder), "--resp", String(port)],
    ...["--snapshot-entries", every],
  ]);
  using connection = await RedisConnection.open(port);
  const latencies: number[] = [];
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  do
    for (let i = 0; i < PINGS; i++) {
      const before = performance.now();
      await connection.call("PING");
      latencies.push((performance.now() - before) * 1000);
    }
  while (!isOver(seconds()));
  return { ...figuresOf(latencies, seconds()), seconds: seconds() };
}

const envelopes = KEYS / SIZE;
await writeFolders(
  [folder],
  signedEntries(scene, {
    ...{ envelopes, size: SIZE, from: Date.now() - 2 * ENDED_MS_AGO, every: ENDED_MS_AGO / envelopes },
    command: (number) => ["SET", `key:${number}`, "x".repeat(16)],
  }),
);
const made: (Figures & { seconds: number })[] = [];
const none: Figures[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const one = await pings(OFTEN, isMade);
  made.push(one);
  rmSync(snapshots, { recursive: true });
  none.push(await pings(NEVER, (seconds) => seconds >= one.seconds));
  rmSync(snapshots, { recursive: true, force: true });
}
const middle = <F extends Figures>(all: readonly F[]): F =>
  all.find(({ p999 }) => p999 === median(all.map((one) => one.p999))) as F;
const [during, without] = [middle(made), middle(none)];
const ratio = during.p999 / without.p999;
report(
  "snapshot-pings",
  `## Serving while a snapshot is made

${machine()} \`npm run bench\`. PING of one client, one after the other, while a thread makes the first snapshot of
${KEYS.toLocaleString("en")} keys, which took ${during.seconds.toFixed(1)} s, and as long without. The runs of the middle p99.9 of ${ROUNDS} in turn, on two cores.

${table(
  ["", ...FIGURE_HEAD],
  [
    ["no snapshot", ...figureCells(without)],
    ["while one is made", ...figureCells(during)],
  ],
)}

p99.9 ${ratio.toFixed(2)} × (goal: at most ${GOAL} ×, ${ratio <= GOAL ? "met" : "missed"}).`,
  smoke,
);
scene[Symbol.dispose]();
