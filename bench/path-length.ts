/**
 * Measures how much code one request of each kind runs after the warm-up: the functions and files that the daemon's
 * main thread enters, according to V8's precise coverage. Work that follows shortly after the answer is included, for
 * example acknowledgements to peers. Timers are excluded, because only a few samples contain them. `--smoke` takes few
 * samples and does not change RESULTS.md. `--list` also prints the functions of each file with their calls.
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
import { stopAll, Workspace } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const listsFunctions = process.argv.includes("--list");
const WARM_UP = smoke ? 50 : 2000;
const SAMPLES = smoke ? 3 : 41;
/**
 * The minimum pause in milliseconds before each sample, in which the daemon completes the previous request. The actual
 * pause is random and up to twice as long, so that samples do not keep coinciding with the same timer.
 */
const PAUSE_MS = 30;
/** The time from the answer to the end of a sample, in milliseconds. Longer samples would include more timers. */
const SETTLE_MS = 4;
/** The number of times that the probe is read again after the daemon has written an entry to its log. */
const READS_AFTER_LOG = 4;
const LOG_FILE = "daemon/timeline/disk/write-ahead-log.js";
const PROBED = [
  ...["--import", join(buildRoot, "bench/path-probe.js"), join(buildRoot, "daemon/program/main.js")],
  ...["--log-format", "json"],
];

/** The functions and files of 2026-11-23, before the path was shortened, by the name of the row. */
const BEFORE: Readonly<Record<string, readonly [number, number]>> = {
  "signed SET, in memory": [213, 61],
  "signed SET, recorded (--data --fsync always)": [363, 103],
  "signed SET, recorded, sent to the daemon and its two peers": [367, 104],
  "entry received from a peer, recorded": [460, 136],
  "SET of a Redis client, in memory": [105, 36],
};

const workspace = new Workspace();
const load = loadavg()[0] as number;

interface Path {
  readonly functions: number;
  readonly files: number;
  readonly calls: number;
}

const probed = (args: readonly string[]) => startProgram([...PROBED, ...args]);

type Request = () => Promise<unknown>;

/**
 * Measures the path of a request through a daemon: the functions that the daemon enters in more than half of the
 * samples. The calls that an idle daemon makes in the same time, for example in timers, are subtracted.
 * @param file  a file whose functions run at the end of every request, possibly after the answer. A sample lasts until
 *   one of them has run; if the name is empty, it lasts a fixed time
 * @param isWarm  waits until the daemon has processed the requests of the warm-up
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
  if (listsFunctions) listFunctions(entered);
  return {
    functions: entered.length,
    files: new Set(entered.map(({ name }) => name.slice(0, name.lastIndexOf(":")))).size,
    calls: entered.reduce((sum, { calls }) => sum + calls, 0),
  };
}

function listFunctions(entered: readonly { name: string; calls: number }[]): void {
  const lines = entered.map(({ name, calls }) => `${name} ${calls}`).sort();
  console.log(`\n${lines.join("\n")}`);
}

/** Returns, for each function, the median number of its calls per sample. */
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

/**
 * Waits until the daemon has entered a function of the file.
 * @returns the calls of each function since the probe was last read
 */
async function sampleWith(file: string, daemon: Server): Promise<EnteredFunctions> {
  const sum: Record<string, number> = {};
  const add = async () => {
    await setTimeout(SETTLE_MS);
    const more = await probeOf<EnteredFunctions>(daemon);
    for (const [name, calls] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + calls;
  };
  do await add();
  while (!Object.keys(sum).some((name) => name.startsWith(file)) && file !== "");
  if (file !== "") for (let i = 0; i < READS_AFTER_LOG; i++) await add();
  return sum;
}

/**
 * Measures a signed SET on a daemon with a timeline on disk. The client sends it to all daemons, or only to the
 * daemon's peers.
 */
async function recordedSet(peers: number, sentTo: "all" | "peers"): Promise<Path> {
  const ports = await Promise.all(Array.from({ length: peers + 1 }, freePort));
  const start = (port: number, i: number) => {
    const others = ports.filter((other) => other !== port);
    const args = ["-p", String(port), ...workspace.args(workspace.newFolder(), others)];
    return i === 0 ? probed(args) : startDaemon(args);
  };
  const servers = await Promise.all(ports.map(start));
  for (const server of servers) await workspace.until(server, ({ state }) => state === "live");
  const [daemon, ...peersOfDaemon] = servers as [Server, ...Server[]];
  const client = workspace.client(sentTo === "peers" ? peersOfDaemon : servers);
  const set = () => client.send(["SET", "key", "value"]);
  const isWarm = () => workspace.until(daemon, ({ entries }) => entries >= WARM_UP);
  const path = await pathOf(daemon, set, sentTo === "peers" ? LOG_FILE : "", isWarm);
  await client[Symbol.asyncDispose]();
  await stopAll(servers);
  return path;
}

async function signedSet(): Promise<Path> {
  await using daemon = await probed(["-p", "0", "-s", workspace.publicFolder]);
  await using client = workspace.client([daemon]);
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
    ["signed SET, recorded, sent to the daemon and its two peers", await recordedSet(2, "all")],
    ["entry received from a peer, recorded", await recordedSet(1, "peers")],
    ["SET of a Redis client, in memory", await respSet()],
  ];
  const cells = rows.map(([name, { functions, files, calls }]) => [
    name,
    ...(BEFORE[name] ?? []).map(String),
    ...[functions, files, calls].map(String),
  ]);
  const text = `## The path of a request

${machine()} \`npm run bench -- path-length\`. The table shows how much of the code in dist/ the main thread of a daemon runs for one request: the number of different functions, of files that
contain them, and of calls. A sample ends ${SETTLE_MS} ms after the answer. For an entry received from a peer it ends shortly after the entry is in the log, so this row is not
reliable on a busy machine. The figures are medians of ${SAMPLES} requests after a warm-up of ${WARM_UP} requests. Calls that an idle daemon makes in the same time, for example in timers, are
subtracted. "Before" is a run of the same script on 2026-11-23, before the path was shortened. Load average over one minute: ${load.toFixed(1)}.

${table(["", "functions before", "files before", "functions", "files", "calls"], cells)}`;
  report("path-length", text, smoke);
} finally {
  workspace[Symbol.dispose]();
}
