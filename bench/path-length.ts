/**
 * The code that one warm request of each kind passes through: functions and files that the daemon's main thread enters,
 * by V8's precise coverage. What soon follows the answer counts as well, such as acknowledgements to peers; timers do
 * not, since few samples contain them. `--smoke`: few samples, RESULTS.md is not changed.
 */
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { buildRoot } from "../test/support/repository.js";
import { median } from "./measure.js";
import type { EnteredFunctions } from "./path-probe.js";
import { probeOf } from "./probed-daemon.js";
import { type Server, startDaemon, startProgram } from "./processes.js";
import { machine, report, table } from "./report.js";
import { Scene, stopAll } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const WARM_UP = smoke ? 50 : 2000;
const SAMPLES = smoke ? 3 : 41;
/** Milliseconds before each sample, so that the last request is over: up to twice that, or samples would keep step with a timer. */
const PAUSE_MS = 30;
/** Milliseconds after the answer: longer ones would take timers in. */
const SETTLE_MS = 4;
/** Further samples that belong to an entry once it is written. */
const AFTER_LOG = 4;
const LOG_FILE = "timeline/disk/write-ahead-log.js";
const PROBED = [
  ...["--import", join(buildRoot, "bench/path-probe.js"), join(buildRoot, "daemon/main.js")],
  ...["--log-format", "json"],
];

const scene = new Scene();
const load = loadavg()[0] as number;

interface Path {
  readonly functions: number;
  readonly files: number;
  readonly calls: number;
}

const probed = (args: readonly string[]) => startProgram([...PROBED, ...args]);

type Request = () => Promise<unknown>;

/**
 * Measures the path of a request through a daemon: the functions that more than half of the samples entered, less what timers enter.
 * @param file  one that each request enters at last, even after its answer
 * @param isWarm  waits until the daemon has the requests of the warm-up
 */
async function pathOf(
  daemon: Server,
  request: Request,
  file = "",
  isWarm: Request = async () => {},
): Promise<Path> {
  for (let i = 0; i < WARM_UP; i++) await request();
  await isWarm();
  const idle = await callsDuring(daemon, async () => {}, "");
  const entered = [...(await callsDuring(daemon, request, file))]
    .map(([name, calls]) => ({ name, calls: calls - (idle.get(name) ?? 0) }))
    .filter(({ calls }) => calls > 0);
  return {
    functions: entered.length,
    files: new Set(entered.map(({ name }) => name.slice(0, name.lastIndexOf(":")))).size,
    calls: entered.reduce((sum, { calls }) => sum + calls, 0),
  };
}

/** Returns the median calls of each function. */
async function callsDuring(
  daemon: Server,
  request: () => Promise<unknown>,
  file: string,
): Promise<Map<string, number>> {
  const samples: EnteredFunctions[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    await setTimeout(PAUSE_MS * (1 + Math.random()));
    await probeOf<EnteredFunctions>(daemon);
    await request();
    samples.push(await sampleWith(file, daemon));
  }
  const names = new Set(samples.flatMap(Object.keys));
  return new Map([...names].map((name) => [name, median(samples.map((sample) => sample[name] ?? 0))]));
}

/** Returns what a daemon has entered since the last sample, shortly after a function of the file is among it. */
async function sampleWith(file: string, daemon: Server): Promise<EnteredFunctions> {
  const sum: Record<string, number> = {};
  const add = async () => {
    await setTimeout(SETTLE_MS);
    const more = await probeOf<EnteredFunctions>(daemon);
    for (const [name, calls] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + calls;
  };
  do await add();
  while (!Object.keys(sum).some((name) => name.startsWith(file)) && file !== "");
  if (file !== "") for (let i = 0; i < AFTER_LOG; i++) await add();
  return sum;
}

/** Measures a signed SET to a recording daemon and its peers, or to its peers alone. */
async function recordedSet(peers: number, sentTo: "all" | "peers"): Promise<Path> {
  const ports = await Promise.all(Array.from({ length: peers + 1 }, freePort));
  const start = (port: number, i: number) => {
    const others = ports.filter((other) => other !== port);
    const args = ["-p", String(port), ...scene.args(scene.newFolder(), others)];
    return i === 0 ? probed(args) : startDaemon(args);
  };
  const servers = await Promise.all(ports.map(start));
  for (const server of servers) await scene.until(server, ({ state }) => state === "live");
  const [daemon, ...rest] = servers as [Server, ...Server[]];
  const client = scene.client(sentTo === "peers" ? rest : servers);
  const set = () => client.send(["SET", "key", "value"]);
  const isWarm = () => scene.until(daemon, ({ entries }) => entries >= WARM_UP);
  const path = await pathOf(daemon, set, sentTo === "peers" ? LOG_FILE : "", isWarm);
  await client[Symbol.asyncDispose]();
  await stopAll(servers);
  return path;
}

async function signedSet(): Promise<Path> {
  await using daemon = await probed(["-p", "0", "-s", scene.publicFolder]);
  await using client = scene.client([daemon]);
  return await pathOf(daemon, () => client.send(["SET", "key", "value"]));
}

async function respSet(): Promise<Path> {
  const port = await freePort();
  await using daemon = await probed(["-p", "0", "--resp", String(port)]);
  using connection = await RedisConnection.open(port);
  return await pathOf(daemon, () => connection.call("SET", "key", "value"));
}

try {
  const rows: [string, Path][] = [
    ["signed SET, in memory", await signedSet()],
    ["signed SET, recorded (--data --fsync always)", await recordedSet(0, "all")],
    ["the same, with two peers to which the client sends it as well", await recordedSet(2, "all")],
    ["an entry from a peer, recorded", await recordedSet(1, "peers")],
    ["SET of a Redis client, in memory", await respSet()],
  ];
  const cells = rows.map(([name, { functions, files, calls }]) => [
    name,
    ...[functions, files, calls].map(String),
  ]);
  const text = `## The path of a request

${machine()} \`npm run bench -- path-length\`. What the daemon's main thread enters of dist/ for one warm request, until ${SETTLE_MS} ms after its
answer: functions, their files, and calls of those functions. Medians of ${SAMPLES} requests after ${WARM_UP}, less what timers enter in
the same time. One minute's load: ${load.toFixed(1)}. An entry from a peer counts until shortly
after it is in the log: on a busy machine that row is not to be trusted.

${table(["", "functions", "files", "calls"], cells)}`;
  report("path-length", text, smoke);
} finally {
  scene[Symbol.dispose]();
}
