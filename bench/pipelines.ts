/**
 * Measures pipelines of one connection: 1,000 units of one kind are sent in one write, and the time until the last
 * answer counts, and the CPU time of the server. The servers are a daemon with `--data --fsync always`, a daemon in memory, and redis-server with
 * `appendfsync always`, in turn. It also measures addBulk of BullMQ, if test/libraries/npm is installed. `--smoke` is
 * short and does not change RESULTS.md.
 */
import { createRequire } from "node:module";
import { loadavg } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { repositoryRoot } from "../test/support/repository.js";
import { cpuMicros } from "./daemon-cpu.js";
import { median } from "./measure.js";
import { startDaemon } from "./processes.js";
import { machine, report, table } from "./report.js";
import { Workspace } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const UNITS = smoke ? 100 : 1000;
const ROUNDS = smoke ? 1 : 15;
const WARM_UP_ROUNDS = smoke ? 0 : 5;
const KEYS = 100;
const SCRIPT = "return redis.call('INCR', KEYS[1])";
const LOAD = loadavg()[0] ?? 0;

interface Target {
  readonly name: string;
  readonly port: number;
}

/** The time until the last answer and the server's CPU time, in milliseconds per unit. */
interface Cost {
  readonly time: number;
  readonly cpu: number;
}

interface Kind {
  readonly name: string;
  /** The number of units into which the time is divided, as a multiple of `UNITS`. */
  readonly perRound: number;
  /** The maximum time of a unit as a multiple of an INCR on the same daemon, or null if there is no goal. */
  readonly goal: number | null;
  commands(i: number): readonly (readonly string[])[];
}

const key = (i: number): string => `key:${i % KEYS}`;

const INCR: Kind = {
  name: "INCR",
  perRound: 1,
  goal: null,
  commands: (i) => [["INCR", key(i)]],
};
const KINDS: readonly Kind[] = [
  INCR,
  {
    name: "MULTI, INCR, INCR, EXEC",
    perRound: 1,
    goal: 5,
    commands: (i) => [["MULTI"], ["INCR", key(i)], ["INCR", key(i + 1)], ["EXEC"]],
  },
  {
    name: "EVAL of an INCR",
    perRound: 1,
    goal: 5,
    commands: (i) => [["EVAL", SCRIPT, "1", key(i)]],
  },
  {
    name: "SET and GET alternately, per command",
    perRound: 2,
    goal: 3,
    commands: (i) => [
      ["SET", `s:${i % KEYS}`, String(i)],
      ["GET", `s:${i % KEYS}`],
    ],
  },
];

interface Server {
  readonly connection: RedisConnection;
  readonly pid: number;
}

async function open({ port }: Target): Promise<Server> {
  const connection = await RedisConnection.open(port);
  const info = JSON.stringify(await connection.call("INFO", "server"));
  return { connection, pid: Number(/process_id:(\d+)/.exec(info)?.[1]) };
}

/** Sends a pipeline. */
async function pipeline({ connection, pid }: Server, { commands, perRound }: Kind): Promise<Cost> {
  for (let i = 0; i < UNITS; i++) for (const argv of commands(i)) connection.queue(argv);
  const cpuBefore = cpuMicros(pid);
  const startedAt = performance.now();
  const replies = await connection.flush();
  const milliseconds = performance.now() - startedAt;
  const cpu = (cpuMicros(pid) - cpuBefore) / 1000;
  const failed = replies.find((reply) => reply.kind === "error");
  if (failed !== undefined) throw new Error(JSON.stringify(failed));
  const units = UNITS * perRound;
  return { time: milliseconds / units, cpu: cpu / units };
}

const medianOf = (costs: readonly Cost[]): Cost => ({
  time: median(costs.map(({ time }) => time)),
  cpu: median(costs.map(({ cpu }) => cpu)),
});

/** The part of BullMQ that is used here. */
interface BullQueue {
  addBulk(jobs: readonly { readonly name: string; readonly data: unknown }[]): Promise<unknown>;
  close(): Promise<void>;
}
interface BullMq {
  readonly Queue: new (
    name: string,
    options: { readonly connection: { readonly host: string; readonly port: number } },
  ) => BullQueue;
}

/** Loads BullMQ from test/libraries/npm. @returns null if it is not installed there */
async function loadBullMq(): Promise<BullMq | null> {
  const folder = join(repositoryRoot, "test", "libraries", "npm");
  try {
    const path = createRequire(join(folder, "package.json")).resolve("bullmq");
    return (await import(pathToFileURL(path).href)) as BullMq;
  } catch {
    return null;
  }
}

/** Measures all kinds of pipelines on each target in turn. @returns the medians, by kind and target */
async function measurePipelines(targets: readonly Target[]): Promise<Map<Kind, Cost[]>> {
  const servers = await Promise.all(targets.map(open));
  const costs = new Map(KINDS.map((kind) => [kind, targets.map((): Cost[] => [])]));
  // The kinds alternate too, because other programs may use the machine during a part of the run.
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++)
    for (const kind of KINDS)
      for (const [i, server] of servers.entries()) {
        const cost = await pipeline(server, kind);
        if (round >= 0) costs.get(kind)?.[i]?.push(cost);
      }
  for (const { connection } of servers) connection[Symbol.dispose]();
  return new Map([...costs].map(([kind, each]) => [kind, each.map(medianOf)]));
}

async function measureBullMq(targets: readonly Target[]): Promise<number[] | null> {
  const library = await loadBullMq();
  if (library === null) return null;
  const queues = targets.map(
    ({ port }) => new library.Queue("bench", { connection: { host: "127.0.0.1", port } }),
  );
  const times = targets.map((): number[] => []);
  const jobs = Array.from({ length: UNITS }, (_, i) => ({ name: "paint", data: { colour: `colour ${i}` } }));
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    for (const [i, queue] of queues.entries()) {
      const startedAt = performance.now();
      await queue.addBulk(jobs);
      if (round >= 0) times[i]?.push(performance.now() - startedAt);
    }
  }
  for (const queue of queues) await queue.close();
  return times.map(median);
}

const inMicros = (milliseconds: number): string => (milliseconds * 1000).toFixed(1);

async function main(): Promise<void> {
  using workspace = new Workspace();
  const [recordedPort, memoryPort] = [await freePort(), await freePort()];
  await using redis = await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
  await using _recorded = await startDaemon([
    ...["-s", workspace.publicFolder, "--data", workspace.newFolder(), "--fsync", "always"],
    ...["--resp", String(recordedPort)],
  ]);
  await using _memory = await startDaemon(["--resp", String(memoryPort)]);
  const targets: readonly Target[] = [
    { name: "dbsyncd, --data --fsync always", port: recordedPort },
    { name: "dbsyncd in memory", port: memoryPort },
    { name: "redis-server, appendfsync always", port: redis.port },
  ];
  const medians = await measurePipelines(targets);
  const [incr] = medians.get(INCR) as [Cost];
  const rows = [...medians].map(([{ name, goal }, costs]) => {
    const [{ time, cpu }] = costs as [Cost];
    const [ratio, cpuRatio] = [time / incr.time, cpu / incr.cpu];
    const verdict = goal === null ? "" : `≤ ${goal} (${ratio <= goal ? "met" : "missed"})`;
    const cells = costs.map((cost) => `${inMicros(cost.time)} (${inMicros(cost.cpu)})`);
    return [name, ...cells, `${ratio.toFixed(2)} (${cpuRatio.toFixed(2)})`, verdict];
  });
  const bulk = await measureBullMq(targets);
  const bulkText = bulk === null ? "" : bulkTable(targets, bulk);
  report(
    "pipelines",
    `## Pipelines of units

${machine()} \`npm run bench -- pipelines\`. One connection sends ${UNITS} units in one write, and waits for all answers. µs per unit, and in parentheses the server's CPU time, medians of ${ROUNDS}
alternating rounds. Load average before the run: ${LOAD.toFixed(1)}. The ratio compares the recording daemon's time, and in parentheses its CPU time, with those of an INCR.

${table(["", ...targets.map(({ name }) => name), "÷ INCR", "goal"], rows)}
${bulkText}`.trimEnd(),
    smoke,
  );
}

const BULK_GOAL = 1.5;

function bulkTable(targets: readonly Target[], times: readonly number[]): string {
  const ratio = (times[0] as number) / (times[1] as number);
  const verdict = `${ratio.toFixed(2)}, goal ≤ ${BULK_GOAL} (${ratio <= BULK_GOAL ? "met" : "missed"})`;
  return `
\`addBulk\` of BullMQ with ${UNITS} jobs, ms, and the recording daemon's time divided by that of the daemon in memory:

${table(["", ...targets.map(({ name }) => name), "÷ in memory"], [["addBulk", ...times.map((time) => time.toFixed(1)), verdict]])}
`;
}

await main();
