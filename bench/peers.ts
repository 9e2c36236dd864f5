/**
 * Measures acknowledged writes of dbsyncd, etcd, NATS and Redis, each with three servers on this machine and one
 * client process. Each round restarts every cluster. A system whose program is missing is skipped. `--smoke` is
 * short and does not change RESULTS.md.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import type { Policy } from "../client/public-api.js";
import { repositoryRoot } from "../test/support/repository.js";
import { isOnPath } from "../test/support/requirements.js";
import { barCharts } from "./bar-chart.js";
import { cpuSeconds, makeKey } from "./daemon-cpu.js";
import { alternate, measure, medians } from "./measure.js";
import {
  type Cluster,
  natsCanSync,
  SERVERS,
  startDaemons,
  startEtcd,
  startNats,
  startRedisReplicas,
} from "./peer-clusters.js";
import { inEnglish, isSmoke, machine, met, report, table } from "./report.js";
import { type PrivateKey, Workspace } from "./timeline-daemons.js";

const SECONDS = isSmoke ? 0.2 : 2;
const ROUNDS = isSmoke ? 1 : 3;
/**
 * The duration of a cluster's first warm-up with one call in flight, and with the most. V8 compiles code that has run
 * some thousand times; the other systems are compiled before they start.
 */
const WARM_UP_SECONDS = isSmoke ? 0.1 : 4;
/** The duration of the warm-up before each measurement, as a share of the measured time. */
const WARM_UP = 0.25;
const IN_FLIGHT = [1, 8, 64, 256];
const KEYS = 10_000;
const VALUE = "x".repeat(16);

using workspace = new Workspace();
const ed25519 = makeKey("ed25519");
workspace.accept(ed25519);
let counter = 0;

/** The medians of all rounds with one number of calls in flight. */
type Run = {
  readonly perSecond: number;
  readonly p50: number;
  /** Microseconds of CPU time per call, all servers together. */
  readonly cpu: number;
};

interface System {
  readonly name: string;
  readonly start: () => Promise<Cluster>;
}

const missing: string[] = [];

/** Returns the systems that need a program, or none if the program is not installed. */
function ofProgram(program: string, debianPackage: string, make: () => System[]): System[] {
  if (isOnPath(program)) return make();
  missing.push(`${program} is not installed (Debian package ${debianPackage}): skipped.`);
  return [];
}

const NATS_DEFAULT = "NATS KV, 3 replicas, file storage, synced every two minutes";
const NATS_ALWAYS = "NATS KV, 3 replicas, file storage, sync_interval always";
const ETCD = "etcd, 3 members";
const REDIS = "Redis, appendfsync always, 2 replicas, WAIT 1";

function natsSystems(): System[] {
  const usual = { name: NATS_DEFAULT, start: () => startNats("default") };
  if (natsCanSync()) return [usual, { name: NATS_ALWAYS, start: () => startNats("always") }];
  missing.push("This nats-server does not support sync_interval: it is measured only with its default.");
  return [usual];
}

const ours = (key: string, fsync: string, policy: Policy) => `dbsyncd, ${key}, --fsync ${fsync}, ${policy}`;

function daemonSystems(name: string, key: PrivateKey): System[] {
  const one = (durability: "always" | "interval", policy: Policy) => ({
    name: ours(name, durability === "always" ? "always" : "interval=100", policy),
    start: () => startDaemons(workspace, { durability, key, policy }),
  });
  return [one("always", "first"), one("always", "majority"), one("interval", "first")];
}

const systems: readonly System[] = [
  ...ofProgram("etcd", "etcd-server", () => [{ name: ETCD, start: startEtcd }]),
  ...ofProgram("nats-server", "nats-server", natsSystems),
  ...ofProgram("redis-server", "redis-server", () => [
    { name: REDIS, start: () => startRedisReplicas(Math.max(...IN_FLIGHT)) },
  ]),
  ...daemonSystems("RSA", workspace.key),
  ...daemonSystems("Ed25519", ed25519),
];

/** Starts the cluster of a system, and measures it with each number of calls in flight. */
async function measureRound({ name, start }: System): Promise<Run[]> {
  await using cluster = await start();
  const put = () => cluster.put(`key:${++counter % KEYS}`, VALUE);
  for (const callers of [1, Math.max(...IN_FLIGHT)])
    await measure({ callers, seconds: WARM_UP_SECONDS }, put);
  const runs: Run[] = [];
  for (const callers of IN_FLIGHT) runs.push(await measureRun(cluster, put, callers));
  const rates = runs.map(({ perSecond }) => Math.round(perSecond));
  console.error(`${name}: ${rates.join(", ")} calls a second at ${IN_FLIGHT.join(", ")} in flight`);
  return runs;
}

async function measureRun({ pids }: Cluster, put: () => Promise<unknown>, callers: number): Promise<Run> {
  await measure({ callers, seconds: SECONDS * WARM_UP }, put);
  const cpu = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const [cpuBefore, callsBefore] = [cpu(), counter];
  const { perSecond, p50 } = await measure({ callers, seconds: SECONDS }, put);
  return { perSecond, p50, cpu: ((cpu() - cpuBefore) * 1e6) / (counter - callsBefore) };
}

/** The medians of a system, one for each number of calls in flight. */
type Results = ReadonlyMap<string, readonly Run[]>;

/** Returns the ratio of dbsyncd's calls per second to those of another system, and whether it meets the goal. */
function ratioCell(results: Results, ourName: string, peerName: string, i: number): string {
  const [ours, theirs] = [results.get(ourName)?.[i], results.get(peerName)?.[i]];
  if (ours === undefined || theirs === undefined) return "";
  const ratio = ours.perSecond / theirs.perSecond;
  const isGoal = IN_FLIGHT[i] !== 1 || peerName === ETCD || peerName === REDIS;
  return `${ratio.toFixed(2)}${isGoal ? ` (${met(ratio > 1)})` : ""}`;
}

function text(results: Results): string {
  const head = IN_FLIGHT.flatMap((callers) => [`${callers}: per second`, "p50 µs", "CPU µs"]);
  const rows = [...results].map(([name, runs]) => [
    name,
    ...runs.flatMap(({ perSecond, p50, cpu }) => [Math.round(perSecond), p50, cpu]),
  ]);
  const ratios = ["RSA", "Ed25519"].flatMap((key) =>
    IN_FLIGHT.map((callers, i) => [
      `${key}, ${callers} in flight`,
      ...[ETCD, REDIS, NATS_ALWAYS].map((peer) => ratioCell(results, ours(key, "always", "first"), peer, i)),
      ratioCell(results, ours(key, "interval=100", "first"), NATS_DEFAULT, i),
    ]),
  );
  const versions = ["etcd", "nats-server", "redis-server"]
    .map((program) => spawnSync(program, ["--version"], { encoding: "utf8" }))
    .flatMap(({ status, stdout }) => (status === 0 ? [stdout.split("\n")[0] as string] : []));
  return `## Three servers alongside etcd, NATS and Redis

${machine("peers")} ${versions.join("; ")}. Writes of ${VALUE.length} bytes to ${inEnglish(KEYS)} keys by one client
process, which shares the cores with the ${SERVERS} servers. CPU is the time of all server processes per call. Medians of ${ROUNDS} alternating rounds
of ${SECONDS} s; each cluster is restarted for each round and warmed up with one and with ${Math.max(...IN_FLIGHT)} calls in flight, ${WARM_UP_SECONDS} s each. Load average after the run: ${(loadavg()[0] as number).toFixed(1)} (idle machine: below 1).

An acknowledgement means the following. etcd: a majority has synced the write. NATS: a majority has written it to the page cache, or with
sync_interval always synced it. Redis: the primary has synced it and one replica has received it. dbsyncd: every call is signed and sent to all
daemons, and one of them (\`first\`) or two (\`majority\`) have synced it, or with \`--fsync interval=100\` written it.

The clients are the following. etcd: gRPC over one HTTP/2 connection to the leader (node:http2). NATS: @nats-io/jetstream over one connection to the
stream's leader. Redis: one connection per call in flight, on which SET and WAIT are sent together. dbsyncd: \`createClient\`.
${missing.map((line) => `\n${line}\n`).join("")}
${table(["calls in flight", ...head], rows)}

![Calls per second of each system with 1, 8, 64 and 256 calls in flight](../docs/pictures/peers.svg)

The calls per second of dbsyncd with policy \`first\`, divided by those of the other systems (goal: above 1; with one call in flight, only for etcd and Redis):

${table(["", "etcd", "Redis", "NATS, always", "NATS, default ÷ --fsync interval=100"], ratios)}`;
}

/** Returns a picture of the calls per second, with one panel for each number of calls in flight. */
function picture(results: Results): string {
  const panel = (callers: number, i: number) => ({
    title: `Calls per second, ${callers} in flight`,
    bars: [...results].map(([name, runs]) => ({
      name,
      value: runs[i]?.perSecond ?? Number.NaN,
      isOurs: name.startsWith("dbsyncd"),
    })),
  });
  return barCharts("Calls per second of dbsyncd beside etcd, NATS and Redis", IN_FLIGHT.map(panel));
}

const rounds = await alternate(systems, { rounds: ROUNDS }, measureRound);
const results: Results = new Map(
  systems.map(({ name }, i) => [
    name,
    IN_FLIGHT.map((_, callers) => medians((rounds[i] ?? []).map((runs) => runs[callers] as Run))),
  ]),
);
report("peers", text(results));
if (!isSmoke) writeFileSync(join(repositoryRoot, "docs/pictures/peers.svg"), picture(results));
