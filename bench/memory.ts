/**
 * Measures the memory that a million values of each type use, in a daemon with --resp and in a redis-server that
 * receives the same commands.
 */
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { inEnglish, isSmoke, report, table } from "./report.js";
import { startFace } from "./servers.js";
import { type CommandOf, digits, fill, measureRedis, PROBED, probeOf, stringCommand } from "./usage.js";

/** A permutation of the numbers below 2²⁰, so that the values are not added in order. */
const scattered = (i: number) => Math.imul(i, 0x9e3b1) & 0xfffff;

const DATA_SETS: Readonly<Record<string, CommandOf>> = {
  "strings: key of 16 bytes, value of 14": stringCommand,
  "strings with an expiry time": (i) => [...stringCommand(i), "EX", `${86_400 + i}`],
  "hashes of 5 fields": (i) => [
    ...["HSET", `user:${digits(i, 8)}`, "name", `name-${i}`, "email", `u${i}@example.org`],
    ...["age", `${i % 90}`, "city", `city${i % 1000}`, "seen", `${1_700_000_000 + i}`],
  ],
  "members of one sorted set, 15 bytes each": (i) => [
    ...["ZADD", "board", `${scattered(i)}`, `member:${digits(i, 8)}`],
  ],
  "members of one set": (i) => ["SADD", "members", `member:${digits(scattered(i), 8)}`],
  "elements of one list, 12 bytes each": (i) => ["RPUSH", "queue", `job:${digits(i, 8)}`],
};

const COUNT = isSmoke ? 20_000 : 1_000_000;
const WARM_UP = isSmoke ? 20_000 : 200_000;
const GOAL = 2;

async function measureDaemon(command: CommandOf) {
  await using daemon = await startFace("resp", [], PROBED);
  using connection = await RedisConnection.open(daemon.face.port);
  await fill(connection, command, WARM_UP);
  await connection.call("FLUSHALL");
  const before = await probeOf(daemon);
  await fill(connection, command, COUNT);
  const after = await probeOf(daemon);
  return {
    used: after.used - before.used,
    resident: after.resident - before.resident,
    residentBefore: after.residentBefore - before.resident,
  };
}

const rows = [];
for (const [name, command] of Object.entries(DATA_SETS)) {
  await using server = await startRedis();
  const redis = await measureRedis(server, command, COUNT);
  const ours = await measureDaemon(command);
  const ratio = (ours.used / redis.used).toFixed(2);
  const residents = [redis.resident, ours.resident, ours.residentBefore].map((bytes) => bytes / COUNT);
  rows.push([name, redis.used / COUNT, ours.used / COUNT, ratio, ...residents]);
}
const head = [
  ...["", "redis, used", "ours, used", "ours ÷ redis"],
  ...["redis, resident", "ours", "ours, uncollected"],
];
report(
  "memory",
  "Memory",
  `Bytes per value, for ${inEnglish(COUNT)} values, written through \`--resp\` and to redis-server. "Used" is the size of live
objects (redis-server: \`used_memory\`). "Resident" is the growth of the process; for dbsyncd it is measured after a garbage collection, and as "uncollected"
immediately after the writes. Each key stores the id of the unit that changed it last. In a daemon in memory, writes through RESP share these ids; the id of a signed
envelope uses about 56 bytes per key.

${table(head, rows)}

Goal: at most ${GOAL} × redis-server's.`,
);
