/** Memory of a million of each, beside a redis-server that is given the same commands. `--smoke`: fewer, RESULTS.md stays. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { buildRoot } from "../test/support/repository.js";
import { DATA_SETS, type DataSet } from "./data-sets.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const COUNT = smoke ? 20_000 : 1_000_000;
const PIPELINED = 1000;
const GOAL = 2;

interface Taken {
  readonly used: number;
  readonly resident: number;
}

const WHAT: Readonly<Record<DataSet, string>> = {
  strings: "strings: key of 16 bytes, value of 14",
  expiring: "the same, each with an expiry time",
  hashes: "hashes of 5 fields",
  zset: "members of one sorted set, 15 bytes each",
  set: "members of one set",
  list: "elements of one list, 12 bytes each",
};

async function main(): Promise<void> {
  const rows = [];
  for (const name of Object.keys(WHAT) as DataSet[]) {
    const redis = await ofRedis(name);
    const ours = ofStore(name);
    rows.push([
      WHAT[name],
      redis.used / COUNT,
      ours.used / COUNT,
      (ours.used / redis.used).toFixed(2),
      redis.resident / COUNT,
      ours.resident / COUNT,
      ours.residentBeforeCollection / COUNT,
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

${machine()} \`node dist/bench/memory.js\`. Bytes for each of ${COUNT.toLocaleString("en")}. Used: what live objects take (redis-server: \`used_memory\`).
Resident: what the process has grown by; ours after a collection, and just as filling has left it. Each of ours has been written
by a unit of its own, whose name (36 bytes) the key keeps; redis-server has nothing of the kind.

${table(head, rows)}

Goal: at most ${GOAL} × redis-server's.`;
  report("memory", text, smoke);
}

async function ofRedis(name: DataSet): Promise<Taken> {
  await using redis = await startRedis();
  using connection = await RedisConnection.open(redis.port);
  const before = await redisMemory(connection, redis.pid);
  for (let from = 0; from < COUNT; from += PIPELINED) {
    for (let i = from; i < from + PIPELINED; i++) connection.queue(DATA_SETS[name](i));
    await connection.flush();
  }
  const after = await redisMemory(connection, redis.pid);
  return { used: after.used - before.used, resident: after.resident - before.resident };
}

async function redisMemory(connection: RedisConnection, pid: number): Promise<Taken> {
  const info = JSON.stringify(await connection.call("INFO", "memory"));
  const [, used] = /used_memory:(\d+)/.exec(info) ?? [];
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return { used: Number(used), resident: Number(kilobytes) * 1024 };
}

function ofStore(name: DataSet): Taken & { residentBeforeCollection: number } {
  const program = join(buildRoot, "bench/store-process.js");
  return JSON.parse(
    execFileSync(process.execPath, ["--expose-gc", program, name, String(COUNT)], { encoding: "utf8" }),
  );
}

await main();
