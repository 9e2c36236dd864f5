/**
 * Measures disk and memory usage every ten seconds during ten minutes of full load, first on one daemon and then on
 * three peers. Entries are pruned after a minute, so usage should stop growing within four minutes.
 */
import { loadavg } from "node:os";
import { makeKeyPair } from "../test/support/envelope-client.js";
import { SeededRandom } from "../test/support/seeded-random.js";
import { Trio } from "../test/support/trio.js";
import { inEnglish, isSmoke, met, report, table } from "./report.js";
import { diskUse, meanOf, memoryUse, sumOf } from "./usage.js";

type Argv = readonly string[];

/** The number of keys of each kind. The keys of live sessions are additional. */
const KEYS = { text: 8_000, count: 4_000, hash: 4_000, set: 1_600, list: 1_200, ranks: 800, log: 400 };
const KEYS_TOTAL = sumOf(Object.values(KEYS));
/** The maximum lifetime of a session. Names of sessions are never reused. */
const SESSION_SECONDS = 60;
/** The number of elements of a list or sorted set, of members of a set and of entries of a stream. */
const ELEMENTS = 20;
const FIELDS = 12;
const LONG = "x".repeat(1024);

/**
 * Returns the kinds of writes of an endless workload, all equally likely. Each function returns one command, or two:
 * one that adds an element and one that removes another element. The total size of the data is constant: if a daemon's
 * memory or disk usage grows under this load, the cause is not the data.
 * @param seed  different for each concurrent workload
 */
function kindsOf(random: SeededRandom, seed: number): readonly (() => readonly Argv[])[] {
  let number = 0;
  const below = (limit: number) => random.below(limit);
  const key = (kind: keyof typeof KEYS) => `${kind}:${below(KEYS[kind])}`;
  const text = (length: number) => `${++number}:${LONG.slice(0, length)}`;
  const field = () => `field:${below(FIELDS)}`;
  const member = () => `member:${below(ELEMENTS)}`;
  const next = () => String(++number);
  return [
    () => [["SET", key("text"), text(below(200))]],
    () => [["SET", key("text"), text(below(200))]],
    () => [["APPEND", key("text"), "more"]],
    () => [["DEL", key("text")]],
    () => [["EXPIRE", key("text"), String(60 + below(600))]],
    () => [["SET", `session:${seed}:${next()}`, LONG.slice(0, 64), "EX", String(1 + below(SESSION_SECONDS))]],
    () => [["INCR", key("count")]],
    () => [["INCRBY", key("count"), String(below(100))]],
    () => [["HSET", key("hash"), field(), next()]],
    () => [["HINCRBY", key("hash"), "count", "1"]],
    () => [["HDEL", key("hash"), field()]],
    () => listTrimmed(key("list"), next()),
    () => [["SADD", key("set"), member()]],
    () => [["SREM", key("set"), member()]],
    () => [["ZADD", key("ranks"), next(), member()]],
    () => [["ZREM", key("ranks"), member()]],
    () => [["XADD", key("log"), "MAXLEN", String(ELEMENTS), "*", "number", next()]],
  ];
}

const listTrimmed = (key: string, element: string): readonly Argv[] => [
  ["LPUSH", key, element],
  ["LTRIM", key, "0", String(ELEMENTS - 1)],
];

function* writesOf(seed: number): Generator<Argv, never> {
  const random = new SeededRandom(seed);
  const kinds = kindsOf(random, seed);
  for (;;) yield* random.oneOf(kinds)();
}

const SECONDS = isSmoke ? 2 : 600;
const SAMPLE_SECONDS = isSmoke ? 0.2 : 10;
const LEVEL_SECONDS = isSmoke ? 1 : 240;
const KINDS = kindsOf(new SeededRandom(0), 0).length;
const CLIENTS = 4;
/** The number of concurrent callers per client. Each caller has two commands in flight. */
const CALLERS = 32;
const ROWS = 10;
const LIMITS = [
  ...["--retain", "1m", "--snapshot-entries", isSmoke ? "1000" : "2000"],
  ...["--tail-seconds", "20", "--window", "5s,5s"],
];
const GOAL = 1.05;

/** The measured figures in MiB, and their columns. */
const COLUMNS = {
  disk: "disk, MiB",
  tree: "LMDB",
  snapshots: "snapshots",
  own: "memory, own",
  resident: "resident",
} as const;
type Use = Readonly<Record<keyof typeof COLUMNS, number>>;
const NAMES = Object.keys(COLUMNS) as readonly (keyof Use)[];

type Sample = Use & { readonly seconds: number; readonly commands: number };

/** Combines the values of each figure. */
function combined(uses: readonly Use[], combine: (values: readonly number[]) => number): Use {
  const entries = NAMES.map((name) => [name, combine(uses.map((use) => use[name]))]);
  return Object.fromEntries(entries) as Use;
}

async function loaded(count: number): Promise<Sample[]> {
  await using trio = await Trio.start(["--fsync", "always", ...LIMITS], count, { app: makeKeyPair("rsa") });
  const samples: Sample[] = [];
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  let commands = 0;
  const clients = Array.from({ length: CLIENTS }, () => trio.client());
  const caller = async (client: (typeof clients)[number], seed: number) => {
    const writes = writesOf(seed);
    while (seconds() < SECONDS) {
      await Promise.all([client.call(writes.next().value), client.call(writes.next().value)]);
      commands += 2;
    }
  };
  const callers = clients.flatMap((client, i) =>
    Array.from({ length: CALLERS }, (_, j) => caller(client, i * CALLERS + j)),
  );
  const sampling = setInterval(() => {
    const uses = trio.running.map(({ pid }, i): Use => {
      const { total, ...files } = diskUse(trio.folder(i));
      return { disk: total, ...files, ...memoryUse(pid) };
    });
    samples.push({ seconds: seconds(), commands, ...combined(uses, sumOf) });
    console.error(count, JSON.stringify(samples.at(-1)));
  }, SAMPLE_SECONDS * 1000);
  await Promise.all(callers);
  clearInterval(sampling);
  for (const client of clients) await client[Symbol.asyncDispose]();
  return samples;
}

/** Returns the maximum of the second half divided by the maximum of the first half. */
function growthOf(values: readonly number[]): number {
  const half = Math.floor(values.length / 2);
  return Math.max(...values.slice(half)) / Math.max(...values.slice(0, half));
}

const judged = (growth: number) => `${growth.toFixed(3)} (goal: at most ${GOAL}, ${met(growth <= GOAL)})`;

function textOf(samples: readonly Sample[], what: string): string {
  const level = samples.filter(({ seconds }) => seconds >= LEVEL_SECONDS);
  const size = Math.ceil(samples.length / ROWS);
  const groups = Array.from({ length: Math.ceil(samples.length / size) }, (_, i) =>
    samples.slice(i * size, (i + 1) * size),
  );
  const rows = groups.map((some) => {
    const { seconds, commands } = some.at(-1) as Sample;
    return [`${Math.round(seconds)}`, inEnglish(commands), ...Object.values(combined(some, meanOf))];
  });
  const greatest = samples.reduce((oldest, one) => (one.own > oldest.own ? one : oldest));
  const growth = (name: keyof Use) => judged(growthOf(level.map((one) => one[name])));
  return `${what}:

${table(["second", "commands", ...Object.values(COLUMNS)], rows)}

The time after second ${LEVEL_SECONDS} is divided into halves. The maximum of the second half, relative to that of the first half: disk ${growth("disk")}, own memory ${growth("own")},
resident memory ${growth("resident")}. The maximum of the own memory, which includes garbage, was ${Math.round(greatest.own)} MiB at second ${Math.round(greatest.seconds)}.`;
}

const one = await loaded(1);
const three = await loaded(3);
report(
  "full-load",
  "Ten minutes at full load",
  `Load average over five minutes: ${loadavg()[1]?.toFixed(0)}. Each of the ${CLIENTS} clients has ${CALLERS} callers, which
send two commands at a time (${KINDS} kinds of writes, ${inEnglish(KEYS_TOTAL)} keys, and sessions that expire within a minute), signed with RSA-2048. The daemons run with \`--fsync always ${LIMITS.join(" ")}\`. Each row shows means of the samples since the previous row.

${textOf(one, "One daemon")}

${textOf(three, "Three daemons, in total")}`,
);
