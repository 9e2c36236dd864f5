/**
 * Measures pipelines of one connection: 1,000 units of one kind are sent in one write, and the time until the last
 * answer counts, and the CPU time of the server. The servers are a daemon with `--data --fsync always`, a daemon in
 * memory, and redis-server with `appendfsync always`, in turn. It also measures addBulk of BullMQ, if
 * test/libraries/npm is installed.
 */
import { makeKeyPair } from "../test/support/envelope-client.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { ScratchFolder } from "../test/support/scratch-folder.js";
import { connectionTo, loadBullMq, makeJobs } from "./bullmq.js";
import { alternate, median, medians } from "./measure.js";
import { isSmoke, met, report, table } from "./report.js";
import { startFace } from "./servers.js";
import { cpuMicros } from "./usage.js";

const UNITS = isSmoke ? 100 : 1000;
const ROUNDS = isSmoke ? { rounds: 1 } : { rounds: 15, warmUps: 5 };
const KEYS = 100;
const SCRIPT = "return redis.call('INCR', KEYS[1])";
const BULK_GOAL = 1.5;

interface Kind {
  readonly name: string;
  /** The number of units into which the time is divided, as a multiple of `UNITS`. */
  readonly perRound: number;
  /** The maximum time of a unit as a multiple of an INCR on the same daemon, or null if there is no goal. */
  readonly goal: number | null;
  commands(i: number): readonly (readonly string[])[];
}

const key = (i: number): string => `key:${i % KEYS}`;

const KINDS: readonly Kind[] = [
  { name: "INCR", perRound: 1, goal: null, commands: (i) => [["INCR", key(i)]] },
  {
    name: "MULTI, INCR, INCR, EXEC",
    perRound: 1,
    goal: 5,
    commands: (i) => [["MULTI"], ["INCR", key(i)], ["INCR", key(i + 1)], ["EXEC"]],
  },
  { name: "EVAL of an INCR", perRound: 1, goal: 5, commands: (i) => [["EVAL", SCRIPT, "1", key(i)]] },
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

using folder = new ScratchFolder();
await using redis = await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
const data = ["--data", folder.path, "--fsync", "always"];
await using recorded = await startFace("resp", ["-s", makeKeyPair().file, ...data]);
await using memory = await startFace("resp");
const TARGETS = [
  { name: "dbsyncd, --data --fsync always", ...recorded.face },
  { name: "dbsyncd in memory", ...memory.face },
  { name: "redis-server, appendfsync always", port: redis.port, pid: redis.pid },
] as const;
const HEAD = ["", ...TARGETS.map(({ name }) => name)];

/** Sends a pipeline. @returns the time until the last answer and the server's CPU time, in microseconds per unit */
async function pipeline(connection: RedisConnection, pid: number, { commands, perRound }: Kind) {
  for (let i = 0; i < UNITS; i++) for (const argv of commands(i)) connection.queue(argv);
  const cpuBefore = cpuMicros(pid);
  const startedAt = performance.now();
  const replies = await connection.flush();
  const time = (performance.now() - startedAt) * 1000;
  const failed = replies.find((reply) => reply.kind === "error");
  if (failed !== undefined) throw new Error(JSON.stringify(failed));
  const units = UNITS * perRound;
  return { time: time / units, cpu: (cpuMicros(pid) - cpuBefore) / units };
}

/** Measures all kinds of pipelines on each target in turn. @returns the table */
async function pipelines(): Promise<string> {
  const connections = await Promise.all(TARGETS.map(({ port }) => RedisConnection.open(port)));
  // The kinds alternate too, because other programs may use the machine during a part of the run.
  const subjects = KINDS.flatMap((kind) => TARGETS.map(({ pid }, i) => ({ kind, pid, i })));
  const runs = await alternate(subjects, ROUNDS, ({ kind, pid, i }) =>
    pipeline(connections[i] as RedisConnection, pid, kind),
  );
  for (const connection of connections) connection[Symbol.dispose]();
  const costs = runs.map(medians);
  const rows = KINDS.map(({ name, goal }, k) => {
    const own = costs.slice(k * TARGETS.length, (k + 1) * TARGETS.length);
    const ratio = (what: "time" | "cpu") => (own[0]?.[what] ?? 0) / (costs[0]?.[what] ?? 0);
    const verdict = goal === null ? "" : `≤ ${goal} (${met(ratio("time") <= goal)})`;
    const cells = own.map(({ time, cpu }) => `${time.toFixed(1)} (${cpu.toFixed(1)})`);
    return [name, ...cells, `${ratio("time").toFixed(2)} (${ratio("cpu").toFixed(2)})`, verdict];
  });
  return table([...HEAD, "÷ INCR", "goal"], rows);
}

/** Measures addBulk of BullMQ. @returns the text with the table, or "" if BullMQ is not installed */
async function bulk(): Promise<string> {
  const library = await loadBullMq();
  if (library === null) return "";
  const queues = TARGETS.map(({ port }) => new library.Queue("bench", connectionTo(port)));
  const jobs = makeJobs(UNITS);
  const runs = await alternate(queues, ROUNDS, async (queue) => {
    const startedAt = performance.now();
    await queue.addBulk(jobs);
    return performance.now() - startedAt;
  });
  for (const queue of queues) await queue.close();
  const times = runs.map(median);
  const ratio = (times[0] as number) / (times[1] as number);
  const verdict = `${ratio.toFixed(2)}, goal ≤ ${BULK_GOAL} (${met(ratio <= BULK_GOAL)})`;
  return `

\`addBulk\` of BullMQ with ${UNITS} jobs, ms, and the recording daemon's time divided by that of the daemon in memory:

${table([...HEAD, "÷ in memory"], [["addBulk", ...times.map((time) => time.toFixed(1)), verdict]])}`;
}

report(
  "pipelines",
  "Pipelines of units",
  `One connection sends ${UNITS} units in one write, and waits for all answers. µs per unit, and in parentheses the server's CPU time, medians of ${ROUNDS.rounds}
alternating rounds. The ratio compares the recording daemon's time, and in parentheses its CPU time, with those of an INCR.

${await pipelines()}${await bulk()}`,
);
