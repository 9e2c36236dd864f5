/**
 * What an operation costs in collections of a hundred to a million elements: a table, and a drawing, bench/cost-curves.svg.
 * In the process, without sockets. `--smoke`: up to ten thousand, and files stay as they are.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ByteString } from "../protocol/byte-string.js";
import { findCommand } from "../store/command-table.js";
import { Database } from "../store/database.js";
import { repositoryRoot } from "../test/support/repository.js";
import { drawCurves } from "./curves.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const SIZES = smoke ? [100, 1000, 10_000] : [100, 1000, 10_000, 100_000, 1_000_000];
const BATCHES = smoke ? 10 : 60;
const CALLS_A_BATCH = 100;
/** Linear ones are called less often. */
const CALLS_OF_LINEAR = 3;
const AT = 1_700_000_000_000;
/** What a time may grow by from the smallest to the largest and still count as flat or logarithmic. */
const GROWTH_MOST = 12;

type Argv = readonly ByteString[];

interface Operation {
  readonly name: string;
  /** What is measured together: the collection is then as large as before. */
  readonly calls: (i: number, size: number) => readonly Argv[];
  readonly isLinear?: boolean;
}

const some = (i: number, size: number) => Math.imul(i + 1, 7919) % size;
const middle = (size: number) => String(size >> 1);

const OPERATIONS: readonly Operation[] = [
  { name: "GET", calls: (i, size) => [["GET", `key:${some(i, size)}`]] },
  {
    name: "SET, DEL",
    calls: (i) => [
      ["SET", `new:${i}`, "value"],
      ["DEL", `new:${i}`],
    ],
  },
  {
    name: "SET EX, DEL",
    calls: (i) => [
      ["SET", `new:${i}`, "value", "EX", `${1000 + (i % 999)}`],
      ["DEL", `new:${i}`],
    ],
  },
  { name: "SCAN", calls: (_, size) => [["SCAN", middle(size)]] },
  { name: "RANDOMKEY", calls: () => [["RANDOMKEY"]] },
  { name: "HGET", calls: (i, size) => [["HGET", "hash", `field:${some(i, size)}`]] },
  {
    name: "HSET, HDEL",
    calls: (i) => [
      ["HSET", "hash", `new:${i}`, "value"],
      ["HDEL", "hash", `new:${i}`],
    ],
  },
  {
    name: "SADD, SREM",
    calls: (i) => [
      ["SADD", "set", `new:${i}`],
      ["SREM", "set", `new:${i}`],
    ],
  },
  {
    name: "SPOP, SADD",
    calls: (i) => [
      ["SPOP", "set"],
      ["SADD", "set", `popped:${i}`],
    ],
  },
  {
    name: "ZADD, ZREM",
    calls: (i, size) => [
      ["ZADD", "zset", `${some(i, size)}.5`, `new:${i}`],
      ["ZREM", "zset", `new:${i}`],
    ],
  },
  { name: "ZRANK", calls: (i, size) => [["ZRANK", "zset", `member:${some(i, size)}`]] },
  { name: "ZRANGE 10", calls: (_, size) => [["ZRANGE", "zset", middle(size), String((size >> 1) + 9)]] },
  { name: "ZCOUNT", calls: (i, size) => [["ZCOUNT", "zset", "0", String(some(i, size))]] },
  {
    name: "LPUSH, RPOP",
    calls: (i) => [
      ["LPUSH", "list", `element:${i}`],
      ["RPOP", "list"],
    ],
  },
  { name: "LINDEX middle", calls: (_, size) => [["LINDEX", "list", middle(size)]] },
  { name: "LSET middle", calls: (i, size) => [["LSET", "list", middle(size), `element:${i}`]] },
  {
    name: "LRANGE 10 middle",
    calls: (_, size) => [["LRANGE", "list", middle(size), String((size >> 1) + 9)]],
  },
  {
    name: "LTRIM by 1",
    calls: (i) => [
      ["LTRIM", "list", "1", "-1"],
      ["LPUSH", "list", `element:${i}`],
    ],
  },
  {
    name: "LINSERT, LREM middle",
    calls: () => [
      ["LINSERT", "list", "BEFORE", "pivot", "new"],
      ["LREM", "list", "1", "new"],
    ],
    isLinear: true,
  },
];

function filled(size: number): Database {
  const database = new Database();
  const call = (...argv: Argv) => run(database, argv, 0);
  for (let i = 0; i < size; i++) {
    call("SET", `key:${i}`, `value:${i}`);
    call("HSET", "hash", `field:${i}`, `value:${i}`);
    call("SADD", "set", `member:${i}`);
    call("ZADD", "zset", String(i), `member:${i}`);
    call("RPUSH", "list", i === size >> 1 ? "pivot" : `element:${i}`);
  }
  return database;
}

function run(database: Database, argv: Argv, i: number): void {
  const reply = database.execute(argv, { at: AT, db: 0, id: String(i) });
  if (reply.kind === "error") throw new Error(`${argv.join(" ")}: ${reply.text}`);
}

/** Nanoseconds of each operation's calls: the lower quartile of batches, as others use the machine too. */
function costs(size: number): number[] {
  const database = filled(size);
  return OPERATIONS.map(({ calls, isLinear }) => {
    const perBatch = isLinear ? CALLS_OF_LINEAR : CALLS_A_BATCH;
    const times: number[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const start = performance.now();
      for (let i = batch * perBatch; i < (batch + 1) * perBatch; i++)
        for (const argv of calls(i, size)) run(database, argv, i);
      times.push(((performance.now() - start) * 1e6) / perBatch);
    }
    return times.sort((a, b) => a - b)[BATCHES >> 2] as number;
  });
}

function main(): void {
  costs(SIZES[0] as number); // compiles
  const bySize = SIZES.map(costs);
  const rows = OPERATIONS.map(({ name, isLinear, calls }, number) => {
    const times = bySize.map((each) => each[number] as number);
    const growth = (times.at(-1) as number) / (times[0] as number);
    const said = calls(0, 100).map((argv) => findCommand(argv[0] as string)?.complexity);
    const verdict = isLinear ? "linear" : growth <= GROWTH_MOST ? "flat or logarithmic" : "grows";
    return [name, ...times.map(Math.round), growth.toFixed(1), verdict, [...new Set(said)].join("; ")];
  });
  const text = `## What an operation costs, by size

${machine()} \`node dist/bench/cost-curves.js\`. Nanoseconds, without sockets. Operations that undo each other are measured together. Each size
has its own caches to miss: a million of anything is no longer in the processor's. Drawn in bench/cost-curves.svg.

${table(["", ...SIZES.map((size) => size.toLocaleString("en")), "last ÷ first", "", "the tables say"], rows)}`;
  report("cost-curves", text, smoke);
  if (smoke) return;
  const curves = OPERATIONS.map(({ name }, number) => ({
    name,
    values: bySize.map((each) => each[number] as number),
  }));
  writeFileSync(join(repositoryRoot, "bench/cost-curves.svg"), drawCurves({ sizes: SIZES, curves }));
}

main();
