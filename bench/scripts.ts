/**
 * The usual script of ten lines beside redis-server, alternating in one run, by redis-benchmark: EVAL, and EVALSHA, of a daemon in memory
 * and of one that records alone. `--smoke`: seconds, and RESULTS.md stays as it is.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { cpuSeconds } from "./daemon-cpu.js";
import { median } from "./measure.js";
import { startDaemon } from "./processes.js";
import type { Measured, Target } from "./redis-benchmark.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const ROUNDS = smoke ? 1 : 3;
const REQUESTS = smoke ? 2_000 : 30_000;
const CLIENTS = 50;
const GOAL = 0.5;
/** Others' work spoils rates beyond any verdict; each core has one minute's mean of what waits for it. */
const LOAD = loadavg()[0] ?? 0;
const BUSY_LOAD = 1;
const KEYS = 10_000;

const SCRIPT = `local current = redis.call("get", KEYS[1])
local limit = tonumber(ARGV[1])
if current and tonumber(current) >= limit then
  return {0, current}
end
local n = redis.call("incr", KEYS[1])
if n == 1 then
  redis.call("expire", KEYS[1], ARGV[2])
end
return {1, n, limit - n}`;
const SHA = createHash("sha1").update(SCRIPT).digest("hex");
const CALLS = {
  EVAL: ["EVAL", SCRIPT],
  EVALSHA: ["EVALSHA", SHA],
} as const;

function measured({ port, pid }: Target, call: readonly string[], pipeline: number): Measured {
  const before = cpuSeconds(pid);
  const size = ["-n", String(REQUESTS), "-c", String(CLIENTS), "-P", String(pipeline), "-r", String(KEYS)];
  const argv = [...call, "1", "rate:__rand_int__", "1000000000", "60"];
  const csv = execFileSync("redis-benchmark", ["-p", String(port), "--csv", ...size, ...argv], {
    encoding: "latin1",
  });
  // The command itself is the first column, line breaks and quotes among it.
  const numbers =
    csv.slice(csv.lastIndexOf('"1000000000"') + 1).match(/"(\d+\.\d+)"/g) ?? csv.match(/"(\d+\.\d+)"/g) ?? [];
  const perSecond = Number((numbers[0] ?? "").replaceAll('"', ""));
  return { perSecond, cpu: ((cpuSeconds(pid) - before) * 1e6) / REQUESTS };
}

async function rows(): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-bench-"));
  const ports = [await freePort(), await freePort()];
  await using redis = await startRedis();
  await using memory = await startDaemon(["--resp", String(ports[0])]);
  await using recording = await startDaemon(["--resp", String(ports[1]), "--data", folder]);
  const targets: readonly Target[] = [
    redis,
    { port: ports[0] as number, pid: memory.process.pid as number },
    { port: ports[1] as number, pid: recording.process.pid as number },
  ];
  for (const { port } of targets) {
    using client = await RedisConnection.open(port);
    await client.call("SCRIPT", "LOAD", SCRIPT);
  }
  const all: string[][] = [];
  for (const [name, call] of Object.entries(CALLS))
    for (const pipeline of [1, 16]) {
      const runs = targets.map((): Measured[] => []);
      // Not counted: what is compiled as it runs has to run first.
      for (const target of targets) measured(target, call, pipeline);
      for (let round = 0; round < ROUNDS; round++)
        for (const [side, target] of targets.entries()) runs[side]?.push(measured(target, call, pipeline));
      const medians = (what: keyof Measured) => runs.map((each) => median(each.map((run) => run[what])));
      const [theirs = 0, ours = 0, recorded = 0] = medians("perSecond");
      const verdict = LOAD > BUSY_LOAD ? "not judged: busy" : ours / theirs >= GOAL ? "met" : "missed";
      all.push([
        ...[`${name}, pipeline ${pipeline}`, theirs.toFixed(0), ours.toFixed(0)],
        `${(ours / theirs).toFixed(2)} (≥ ${GOAL}: ${verdict})`,
        ...[recorded.toFixed(0), ...medians("cpu").map((cpu) => cpu.toFixed(1))],
      ]);
    }
  rmSync(folder, { recursive: true, force: true });
  return all;
}

const head = [
  ...["what", "redis-server, a second", "dbsyncd, a second", "ratio", "with --data, a second"],
  ...["redis-server, CPU µs", "dbsyncd, CPU µs", "with --data, CPU µs"],
];
const text = `## Scripts

${machine()} The usual script of ten lines, a rate limiter: GET, INCR, an answer of three numbers; ${CLIENTS} connections, ${KEYS} keys; medians of ${ROUNDS} runs of ${REQUESTS} calls. Load at the
start: ${LOAD.toFixed(1)}.

${table(head, await rows())}`;
report("scripts", text, smoke);
