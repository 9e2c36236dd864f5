/**
 * Measures what patterns of decided keys cost writes to other keys: SETs of Redis clients to clusters without a
 * pattern, with one and with 50, in turn. There are several clusters of each kind, whose ranges show the noise.
 */
import { decideOn, EARLY_PATTERNS } from "../test/support/decided-patterns.js";
import { makeKeyPair } from "../test/support/envelope-client.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { respPort } from "../test/support/resp-trio.js";
import { Trio } from "../test/support/trio.js";
import { type CpuFigures, measureWithCpu, median, openPool } from "./measure.js";
import { isSmoke, report, table } from "./report.js";

/** The number of clusters of each kind. */
const CLUSTERS = isSmoke ? 1 : 5;
const SECONDS = isSmoke ? 0.1 : 5;
const WARM_UP_SECONDS = isSmoke ? 0.1 : 4;
const CALLERS = 64;
const KEYS = 1000;
/** The maximum of the ratios. */
const GOAL = 1.03;

/** The patterns of each kind of cluster. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  none: [],
  "`lock:*`": ["lock:*"],
  "50 that begin as the keys do": Array.from({ length: isSmoke ? 2 : 50 }, (_, i) => `user:lock${i}:*`),
};

/** The daemons to which the clients connect, and the number of commands that each client sends together. */
const LOADS = [
  { daemons: 1, commands: 1 },
  { daemons: 1, commands: 32 },
  { daemons: 3, commands: 1 },
] as const;

let counter = 0;

async function set(client: RedisConnection, commands: number): Promise<void> {
  for (let i = 0; i < commands; i++) client.queue(["SET", `user:${++counter % KEYS}`, "value"]);
  for (const reply of await client.flush()) if (reply.kind === "error") throw new Error(reply.text);
}

async function startCluster(patterns: readonly string[]): Promise<Trio> {
  const args = ["--resp", "0", "--fsync", "always", ...EARLY_PATTERNS];
  const trio = await Trio.start(args, 3, { app: makeKeyPair(), keys: "app" });
  await decideOn(trio, patterns);
  return trio;
}

type Measure = (seconds: number) => Promise<CpuFigures>;

/** Returns a function that measures a cluster once. */
async function measuring(trio: Trio, daemons: number, commands: number): Promise<Measure> {
  const ports = await Promise.all(Array.from({ length: daemons }, (_, index) => respPort(trio, index)));
  let opened = 0;
  const pool = await openPool(() => RedisConnection.open(ports[opened++ % daemons] ?? 0), CALLERS);
  return async (seconds) => {
    const figures = await measureWithCpu(trio.running, { callers: CALLERS, seconds }, () =>
      pool.use((client) => set(client, commands)),
    );
    const { perSecond, cpu } = figures;
    return { ...figures, perSecond: perSecond * commands, cpu: cpu / commands };
  };
}

/** Returns the median of the clusters of a kind, and the range. */
const spread = (values: readonly number[], digits: number) =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;

/** Measures a cluster with each load. */
async function measureCluster(patterns: readonly string[]): Promise<CpuFigures[]> {
  await using trio = await startCluster(patterns);
  const figures: CpuFigures[] = [];
  for (const { daemons, commands } of LOADS) {
    const measure = await measuring(trio, daemons, commands);
    await measure(WARM_UP_SECONDS);
    figures.push(await measure(SECONDS));
  }
  return figures;
}

// Daemons with the same options differ by several percent, so that several clusters of each kind run, one at a time.
const runs = new Map(Object.keys(KINDS).map((kind) => [kind, [] as CpuFigures[][]]));
for (let round = 0; round < CLUSTERS; round++)
  for (const [kind, patterns] of Object.entries(KINDS)) runs.get(kind)?.push(await measureCluster(patterns));

const rows = LOADS.flatMap(({ daemons, commands }, load) => {
  const valuesOf = (kind: string, field: "perSecond" | "cpu") =>
    (runs.get(kind) ?? []).map((figures) => figures[load]?.[field] ?? Number.NaN);
  const ratio = (kind: string, field: "perSecond" | "cpu") =>
    median(valuesOf(kind, field)) / median(valuesOf("none", field));

  return Object.keys(KINDS).map((kind) => [
    daemons === 1 ? "one of three" : "three",
    String(commands),
    kind,
    spread(valuesOf(kind, "perSecond"), 0),
    spread(valuesOf(kind, "cpu"), 1),
    (1 / ratio(kind, "perSecond")).toFixed(3),
    ratio(kind, "cpu").toFixed(3),
  ]);
});

report(
  "other-keys",
  "Writes to other keys beside patterns of decided keys",
  `SETs by ${CALLERS} Redis clients of one daemon or of three, each with the given number of commands in flight, to clusters of three daemons with \`--data --fsync always\`. ${CLUSTERS} clusters of each kind, one at a time and in turn, ${SECONDS} s for each load. Medians of the clusters, and ranges; time and CPU time of all daemons for each command, divided by those without patterns. Goal: at most ${GOAL}.

${table(["clients of", "in flight", "patterns", "per second", "CPU µs", "time ÷ none", "CPU ÷ none"], rows)}`,
);
process.exit(0);
