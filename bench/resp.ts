/**
 * The RESP listener beside redis-server, alternating in one run, by redis-benchmark: a daemon alone in memory, and one of
 * three with --data beside our own without. `--smoke`: seconds, one setting.
 */
import { execFileSync } from "node:child_process";
import { freePort } from "../test/support/free-port.js";
import { type RedisServer, startRedis } from "../test/support/redis-server.js";
import { cpuSeconds } from "./daemon-cpu.js";
import { median } from "./measure.js";
import { type Server, startDaemon } from "./processes.js";
import { machine, report, table } from "./report.js";
import { Scene, stopAll } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const ROUNDS = smoke ? 1 : 3;

interface Setting {
  readonly clients: number;
  readonly pipeline: number;
  readonly bytes: number;
  readonly requests: number;
}

const SETTINGS: readonly Setting[] = smoke
  ? [{ clients: 50, pipeline: 16, bytes: 3, requests: 5_000 }]
  : [
      { clients: 50, pipeline: 1, bytes: 3, requests: 15_000 },
      { clients: 50, pipeline: 1, bytes: 1024, requests: 10_000 },
      { clients: 50, pipeline: 1, bytes: 65_536, requests: 1_000 },
      { clients: 50, pipeline: 16, bytes: 3, requests: 80_000 },
      { clients: 50, pipeline: 16, bytes: 1024, requests: 30_000 },
      { clients: 1, pipeline: 1, bytes: 3, requests: 5_000 },
    ];

const STANDARD = ["set", "get", "incr", "lpush", "hset", "sadd", "zadd", "mset"];
/** An answer of LRANGE_100 has a hundred values: it is asked for a fifth as often, and not where they are larger. */
const RANGE_SHARE = 5;
const RANGE_BYTES_MAX = 1024;
const NAMES: Readonly<Record<string, string>> = { LRANGE_100: "LRANGE_100", "MSET (10 keys)": "MSET" };
const XADD = ["XADD", "mystream", "*", "myfield", "__data__"];

/** What is called: a port, and the process whose time counts. */
interface Target {
  readonly port: number;
  readonly pid: number;
}

interface Measured {
  /** Requests a second, by command. */
  readonly rates: ReadonlyMap<string, number>;
  /** CPU seconds of the server. */
  readonly cpu: number;
}

function run({ port, pid }: Target, { clients, pipeline, bytes, requests }: Setting): Measured {
  const before = cpuSeconds(pid);
  const usual = [
    ...["-p", String(port), "-c", String(clients), "-P", String(pipeline), "-d", String(bytes), "--csv"],
  ];
  const rates = new Map<string, number>();
  const take = (count: number, args: readonly string[], name?: string) => {
    const output = execFileSync("redis-benchmark", [...usual, "-n", String(count), ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    for (const [, title = "", rate] of output.matchAll(/^"([^"]+)","([\d.]+)"/gm)) {
      const known = name ?? (title.startsWith("LRANGE_100") ? "LRANGE_100" : (NAMES[title] ?? title));
      if (!known.includes("(")) rates.set(known, Number(rate));
    }
  };
  take(requests, ["-t", STANDARD.join(",")]);
  if (bytes <= RANGE_BYTES_MAX) take(requests / RANGE_SHARE, ["-t", "lrange_100"]);
  take(requests, XADD, "XADD");
  execFileSync("redis-cli", ["-p", String(port), "flushall"], { stdio: "ignore" });
  return { rates, cpu: cpuSeconds(pid) - before };
}

const geometricMean = (values: readonly number[]) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** Medians of rounds in turn, of the second as parts of the first. */
function compare(first: Target, second: Target, setting: Setting): (string | number)[] {
  const ratios = new Map<string, number[]>();
  const cpus: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const one = run(first, setting);
    const other = run(second, setting);
    for (const [name, rate] of other.rates) {
      const theirs = one.rates.get(name);
      if (theirs !== undefined) ratios.set(name, [...(ratios.get(name) ?? []), rate / theirs]);
    }
    cpus.push(other.cpu / one.cpu);
  }
  const medians = COLUMNS.map((name) => median(ratios.get(name) ?? []));
  const { clients, pipeline, bytes } = setting;
  const known = medians.filter((value) => !Number.isNaN(value));
  return [
    `-c ${clients} -P ${pipeline}, ${bytes} B`,
    geometricMean(known).toFixed(2),
    ...medians.map((value) => (Number.isNaN(value) ? "–" : value.toFixed(2))),
    median(cpus).toFixed(2),
  ];
}

const COLUMNS = ["SET", "GET", "INCR", "LPUSH", "LRANGE_100", "HSET", "SADD", "ZADD", "XADD", "MSET"];
const HEAD = ["", "geometric mean", ...COLUMNS, "CPU"];

const targetOf = ({ process: { pid } }: Server, port: number): Target => ({ port, pid: pid as number });

async function alone(redis: RedisServer): Promise<(string | number)[][]> {
  const port = await freePort();
  await using daemon = await startDaemon(["--resp", String(port)]);
  return SETTINGS.map((setting) => compare(redis, targetOf(daemon, port), setting));
}

/** One of three that keep a timeline on disk, beside one that keeps none. */
async function recorded(): Promise<(string | number)[][]> {
  using scene = new Scene();
  const [plainPort, port] = [await freePort(), await freePort()];
  await using plain = await startDaemon(["--resp", String(plainPort)]);
  const ports = [await freePort(), await freePort(), await freePort()];
  const servers = await Promise.all(
    ports.map((own, index) => {
      const peers = ports.filter((other) => other !== own);
      const listens = index === 0 ? ["--resp", String(port)] : [];
      const kept = ["-s", scene.publicFolder, "--data", scene.newFolder(), "--fsync", "interval=100"];
      return startDaemon([
        ...kept,
        ...peers.flatMap((peer) => ["--peer", `127.0.0.1:${peer}`]),
        ...["-p", String(own), ...listens],
      ]);
    }),
  );
  try {
    const settings = SETTINGS.filter(({ bytes, clients }) => bytes === 3 && clients > 1);
    const target = targetOf(servers[0] as Server, port);
    return settings.map((setting) => compare(targetOf(plain, plainPort), target, setting));
  } finally {
    await stopAll(servers);
  }
}

async function main(): Promise<void> {
  await using redis = await startRedis();
  const inMemory = await alone(redis);
  const withTimeline = await recorded();
  report(
    "resp",
    `## Redis clients

${machine()} redis-benchmark against redis-server 7.0 and \`dbsyncd --resp\` in turn, medians of ${ROUNDS} rounds; requests a second as parts of
redis-server's, and CPU time likewise (of the server, all commands). Goals: geometric mean ≥ 0.9 without pipelines, ≥ 0.6
with -P 16, nothing below 0.4.

${table(HEAD, inMemory)}

With \`--data\` (fsync every 100 ms) and two peers, as parts of the same daemon without (goal ≥ 0.4):

${table(HEAD, withTimeline)}`,
    smoke,
  );
}

await main();
