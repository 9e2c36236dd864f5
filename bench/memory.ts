/**
 * Measures the memory that a million values of each type use, in a daemon with --resp and in a redis-server that
 * receives the same commands. `--smoke` uses fewer values and does not change RESULTS.md.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import type { MemoryProbe } from "./memory-probe.js";
import { probeOf, startProbed } from "./probed-daemon.js";
import { machine, report, table } from "./report.js";
import { memoryUse } from "./usage.js";

const DATA_SETS = {
  strings: (i: number) => ["SET", `key:${digits(i, 12)}`, `value:${digits(i, 8)}`],
  hashes: (i: number) => [
    ...["HSET", `user:${digits(i, 8)}`, "name", `name-${i}`, "email", `u${i}@example.org`],
    ...["age", `${i % 90}`, "city", `city${i % 1000}`, "seen", `${1_700_000_000 + i}`],
  ],
  zset: (i: number) => ["ZADD", "board", `${scattered(i)}`, `member:${digits(i, 8)}`],
  set: (i: number) => ["SADD", "members", `member:${digits(scattered(i), 8)}`],
  list: (i: number) => ["RPUSH", "queue", `job:${digits(i, 8)}`],
  expiring: (i: number) => ["SET", `key:${digits(i, 12)}`, `value:${digits(i, 8)}`, "EX", `${86_400 + i}`],
} as const satisfies Record<string, (i: number) => ByteString[]>;

type DataSet = keyof typeof DATA_SETS;

const digits = (i: number, length: number) => String(i).padStart(length, "0");

/** A permutation of the numbers below 2²⁰, so that the values are not added in order. */
const scattered = (i: number) => Math.imul(i, 0x9e3b1) & 0xfffff;

const smoke = process.argv.includes("--smoke");
const COUNT = smoke ? 20_000 : 1_000_000;
const WARM_UP = smoke ? 20_000 : 200_000;
const PIPELINED = 1000;
const GOAL = 2;

interface MemoryUsed {
  readonly used: number;
  readonly resident: number;
}

const DESCRIPTIONS: Readonly<Record<DataSet, string>> = {
  strings: "strings: key of 16 bytes, value of 14",
  expiring: "strings with an expiry time",
  hashes: "hashes of 5 fields",
  zset: "members of one sorted set, 15 bytes each",
  set: "members of one set",
  list: "elements of one list, 12 bytes each",
};

async function main(): Promise<void> {
  const rows = [];
  for (const name of Object.keys(DESCRIPTIONS) as DataSet[]) {
    const redis = await ofRedis(name);
    const ours = await ofDaemon(name);
    rows.push([
      DESCRIPTIONS[name],
      redis.used / COUNT,
      ours.used / COUNT,
      (ours.used / redis.used).toFixed(2),
      redis.resident / COUNT,
      ours.resident / COUNT,
      ours.residentBefore / COUNT,
    ]);
  }
  const head = [
    "",
    "redis, used",
    "ours, used",
    "ours ÷ redis",
    "redis, resident",
    "ours",
    "ours, uncollected",
  ];
  const text = `## Memory

${machine()} \`node dist/bench/memory.js\`. Bytes per value, for ${COUNT.toLocaleString("en")} values, written through \`--resp\` and to redis-server. "Used" is the size of live
objects (redis-server: \`used_memory\`). "Resident" is the growth of the process; for dbsyncd it is measured after a garbage collection, and as "uncollected"
immediately after the writes. Each key stores the id of the unit that changed it last. In a daemon in memory, writes through RESP share these ids; the id of a signed
envelope uses about 56 bytes per key.

${table(head, rows)}

Goal: at most ${GOAL} × redis-server's.`;
  report("memory", text, smoke);
}

async function fill(connection: RedisConnection, name: DataSet, count: number): Promise<void> {
  for (let from = 0; from < count; from += PIPELINED) {
    for (let i = from; i < from + PIPELINED; i++) connection.queue(DATA_SETS[name](i));
    await connection.flush();
  }
}

async function ofRedis(name: DataSet): Promise<MemoryUsed> {
  await using redis = await startRedis();
  using connection = await RedisConnection.open(redis.port);
  const before = await redisMemory(connection, redis.pid);
  await fill(connection, name, COUNT);
  const after = await redisMemory(connection, redis.pid);
  return { used: after.used - before.used, resident: after.resident - before.resident };
}

async function redisMemory(connection: RedisConnection, pid: number): Promise<MemoryUsed> {
  const info = JSON.stringify(await connection.call("INFO", "memory"));
  const [, used] = /used_memory:(\d+)/.exec(info) ?? [];
  return { used: Number(used), resident: memoryUse(pid).resident * 2 ** 20 };
}

async function ofDaemon(name: DataSet): Promise<MemoryProbe> {
  const port = await freePort();
  await using daemon = await startProbed(["--resp", String(port)]);
  using connection = await RedisConnection.open(port);
  await fill(connection, name, WARM_UP);
  await connection.call("FLUSHALL");
  const before = await probeOf(daemon);
  await fill(connection, name, COUNT);
  const after = await probeOf(daemon);
  return {
    used: after.used - before.used,
    resident: after.resident - before.resident,
    residentBefore: after.residentBefore - before.resident,
  };
}

await main();
