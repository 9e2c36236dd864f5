/**
 * Measures acknowledged writes of dbsyncd, etcd, NATS and Redis, each with three servers on this machine and one
 * client process. Each round restarts every cluster. A system whose program is missing is skipped. `--smoke` is
 * short and does not change RESULTS.md.
 */
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import type { Policy } from "../client/public-api.js";
import { repositoryRoot } from "../test/support/repository.js";
import { isOnPath } from "../test/support/requirements.js";
import { barCharts } from "./bar-chart.js";
import { cpuSeconds } from "./daemon-cpu.js";
import { type Load, measure, median } from "./measure.js";
import {
  type Cluster,
  natsCanSync,
  SERVERS,
  startDaemons,
  startEtcd,
  startNats,
  startRedisReplicas,
} from "./peer-clusters.js";
import { machine, report, table } from "./report.js";
import { type PrivateKey, Workspace } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const SECONDS = smoke ? 0.2 : 2;
const ROUNDS = smoke ? 1 : 3;
/**
 * The duration of a cluster's first warm-up with one call in flight, and with the most. V8 compiles code that has run
 * some thousand times; the other systems are compiled before they start.
 */
const WARM_UP_SECONDS = smoke ? 0.1 : 4;
/** The duration of the warm-up before each measurement, as a share of the measured time. */
const WARM_UP = 0.25;
const IN_FLIGHT = [1, 8, 64, 256];
const KEYS = 10_000;
const VALUE = "x".repeat(16);

const workspace = new Workspace();
const ed25519 = generateKeyPairSync("ed25519");
writeFileSync(
  join(workspace.publicFolder, "ed25519.pem"),
  ed25519.publicKey.export({ type: "spki", format: "pem" }),
);
const loadBefore = loadavg()[0] as number;
let counter = 0;

interface Run {
  readonly perSecond: number;
  readonly p50: number;
  /** Microseconds of CPU time per call, all servers together. */
  readonly cpu: number;
}

interface System {
  readonly name: string;
  readonly start: () => Promise<Cluster>;
  /** The runs by number of calls in flight, one run per round. */
  readonly runs: readonly Run[][];
}

const missing: string[] = [];

function system(name: string, start: () => Promise<Cluster>): System {
  return { name, start, runs: IN_FLIGHT.map(() => []) };
}

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
  const usual = system(NATS_DEFAULT, () => startNats("default"));
  if (natsCanSync()) return [usual, system(NATS_ALWAYS, () => startNats("always"))];
  missing.push("This nats-server does not support sync_interval: it is measured only with its default.");
  return [usual];
}

const ours = (key: string, fsync: string, policy: Policy) => `dbsyncd, ${key}, --fsync ${fsync}, ${policy}`;

function daemonSystems(name: string, key: PrivateKey): System[] {
  const one = (durability: "always" | "interval", policy: Policy) =>
    system(ours(name, durability === "always" ? "always" : "interval=100", policy), () =>
      startDaemons(workspace, { durability, key, policy }),
    );
  return [one("always", "first"), one("always", "majority"), one("interval", "first")];
}

const systems = [
  ...ofProgram("etcd", "etcd-server", () => [system(ETCD, startEtcd)]),
  ...ofProgram("nats-server", "nats-server", natsSystems),
  ...ofProgram("redis-server", "redis-server", () => [
    system(REDIS, () => startRedisReplicas(Math.max(...IN_FLIGHT))),
  ]),
  ...daemonSystems("RSA", workspace.key),
  ...daemonSystems("Ed25519", ed25519),
];

/** Starts the cluster of a system, and measures it with each number of calls in flight. */
async function measureRound({ name, start, runs }: System): Promise<void> {
  await using cluster = await start();
  const put = () => cluster.put(`key:${++counter % KEYS}`, VALUE);
  for (const callers of [1, Math.max(...IN_FLIGHT)])
    await measure({ callers, seconds: WARM_UP_SECONDS }, put);
  for (const [i, callers] of IN_FLIGHT.entries()) runs[i]?.push(await measureRun(cluster, put, callers));
  const rates = runs.map((all) => Math.round(all.at(-1)?.perSecond ?? Number.NaN));
  console.error(`${name}: ${rates.join(", ")} calls a second at ${IN_FLIGHT.join(", ")} in flight`);
}

async function measureRun({ pids }: Cluster, put: () => Promise<unknown>, callers: number): Promise<Run> {
  const load: Load = { callers, seconds: SECONDS };
  await measure({ callers, seconds: SECONDS * WARM_UP }, put);
  const cpu = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const [cpuBefore, callsBefore] = [cpu(), counter];
  const { perSecond, p50 } = await measure(load, put);
  return { perSecond, p50, cpu: ((cpu() - cpuBefore) * 1e6) / (counter - callsBefore) };
}

const medianOf = (runs: readonly Run[], figure: keyof Run) => median(runs.map((run) => run[figure]));

/** Returns the ratio of dbsyncd's calls per second to those of another system, and whether it meets the goal. */
function ratioCell(ourName: string, peerName: string, i: number): string {
  const rate = (name: string) => systems.find((one) => one.name === name)?.runs[i];
  const [ours, theirs] = [rate(ourName), rate(peerName)];
  if (ours === undefined || theirs === undefined) return "";
  const ratio = medianOf(ours, "perSecond") / medianOf(theirs, "perSecond");
  const isGoal = IN_FLIGHT[i] !== 1 || peerName === ETCD || peerName === REDIS;
  return `${ratio.toFixed(2)}${isGoal ? (ratio > 1 ? " (met)" : " (missed)") : ""}`;
}

function text(): string {
  const head = IN_FLIGHT.flatMap((callers) => [`${callers}: per second`, "p50 µs", "CPU µs"]);
  const rows = systems.map(({ name, runs }) => [
    name,
    ...runs.flatMap((all) => [
      Math.round(medianOf(all, "perSecond")),
      medianOf(all, "p50"),
      medianOf(all, "cpu"),
    ]),
  ]);
  const ratios = ["RSA", "Ed25519"].flatMap((key) =>
    IN_FLIGHT.map((callers, i) => [
      `${key}, ${callers} in flight`,
      ...[ETCD, REDIS, NATS_ALWAYS].map((peer) => ratioCell(ours(key, "always", "first"), peer, i)),
      ratioCell(ours(key, "interval=100", "first"), NATS_DEFAULT, i),
    ]),
  );
  const versions = [["etcd"], ["nats-server"], ["redis-server"]]
    .map(([program]) => spawnSync(program as string, ["--version"], { encoding: "utf8" }))
    .flatMap(({ status, stdout }) => (status === 0 ? [stdout.split("\n")[0] as string] : []));
  return `## Three servers alongside etcd, NATS and Redis

${machine()} \`npm run bench -- peers\`. ${versions.join("; ")}. Writes of ${VALUE.length} bytes to ${KEYS.toLocaleString("en")} keys by one client
process, which shares the cores with the ${SERVERS} servers. CPU is the time of all server processes per call. Medians of ${ROUNDS} alternating rounds
of ${SECONDS} s; each cluster is restarted for each round and warmed up with one and with ${Math.max(...IN_FLIGHT)} calls in flight, ${WARM_UP_SECONDS} s each. Load average over one minute before the run: ${loadBefore.toFixed(1)}, after it: ${(loadavg()[0] as number).toFixed(1)} (idle machine: below 1).

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
function picture(): string {
  const panel = (callers: number, i: number) => ({
    title: `Calls per second, ${callers} in flight`,
    bars: systems.map(({ name, runs }) => ({
      name,
      value: medianOf(runs[i] as Run[], "perSecond"),
      isOurs: name.startsWith("dbsyncd"),
    })),
  });
  return barCharts("Calls per second of dbsyncd beside etcd, NATS and Redis", IN_FLIGHT.map(panel));
}

try {
  for (let round = 0; round < ROUNDS; round++) for (const one of systems) await measureRound(one);
  report("peers", text(), smoke);
  if (!smoke) writeFileSync(join(repositoryRoot, "docs/pictures/peers.svg"), picture());
} finally {
  workspace[Symbol.dispose]();
}
