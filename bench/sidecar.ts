/**
 * `npm run bench -- sidecar`: SETs in pipelines of 16 by redis-benchmark through a sidecar to three daemons, beside as many calls of
 * the client library on their way, turn about in one run; with the CPU of all processes, which a busy machine spoils far less. And
 * one call alone, which is to take no longer than a signature and two round trips: the library's own is a signature and one.
 */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "../client/entry.js";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { cpuSeconds } from "./daemon-cpu.js";
import { measure, median } from "./measure.js";
import { startDaemon } from "./processes.js";
import { untilItWrites } from "./redis-benchmark.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const SETS = smoke ? 2_000 : 300_000;
const ALONE_SECONDS = smoke ? 0.2 : 4;
const ROUNDS = smoke ? 1 : 5;
const CLIENTS = 50;
const PIPELINE = 16;
const BYTES = 20;
const KEYS = 100_000;
const KEY_DIGITS = 12;
/** About as long as an envelope of one SET. */
const SIGNED = Buffer.alloc(300, "x");
/** Kernel ticks a second, as on every Linux that Node runs on. */
const TICKS = 100;

const folder = mkdtempSync(join(tmpdir(), "dbsync-bench-"));
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const publicFile = join(folder, "public.pem");
const privateFile = join(folder, "private.pem");
writeFileSync(publicFile, publicKey.export({ type: "spki", format: "pem" }));
writeFileSync(privateFile, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });

await using one = await startDaemon(["-s", publicFile]);
await using two = await startDaemon(["-s", publicFile]);
await using three = await startDaemon(["-s", publicFile]);
const servers = [one, two, three].map(({ port: its }) => `127.0.0.1:${its}`).join(",");
const port = await freePort();
const args = ["-d", `dbsync:${servers}`, "--key", privateFile, "--resp", String(port)];
await using sidecar = await startDaemon(args);
const pids = [one, two, three, sidecar].map(({ process: { pid } }) => pid as number);
await untilItWrites({ port, pid: sidecar.process.pid as number });
await using client = createClient({ servers, key: privateKey });

const value = "x".repeat(BYTES);
/** As redis-benchmark writes them. */
const set = () => {
  const key = String(Math.floor(Math.random() * KEYS)).padStart(KEY_DIGITS, "0");
  return ["SET", `key:${key}`, value];
};

async function byLibrary(): Promise<void> {
  let left = SETS;
  const caller = async () => {
    while (left-- > 0) await client.send(set());
  };
  await Promise.all(Array.from({ length: CLIENTS * PIPELINE }, caller));
}

function throughSidecar(): void {
  const given = { p: port, c: CLIENTS, P: PIPELINE, d: BYTES, r: KEYS, n: SETS, t: "set" };
  const options = Object.entries(given).flatMap(([option, of]) => [`-${option}`, String(of)]);
  execFileSync("redis-benchmark", [...options, "-q"], { stdio: "ignore" });
}

/** CPU seconds of the servers, of this process, and of those that it has started and seen end. */
function cpuOfAll(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  const ended = (Number(fields[13]) + Number(fields[14])) / TICKS;
  return [process.pid, ...pids].reduce((sum, pid) => sum + cpuSeconds(pid), ended);
}

interface Round {
  readonly perSecond: number;
  /** Microseconds for a SET. */
  readonly cpu: number;
}

async function round(work: () => Promise<void> | void): Promise<Round> {
  const [cpu, start] = [cpuOfAll(), performance.now()];
  await work();
  return {
    perSecond: SETS / ((performance.now() - start) / 1000),
    cpu: ((cpuOfAll() - cpu) * 1e6) / SETS,
  };
}

await byLibrary();
throughSidecar();
const library: Round[] = [];
const carried: Round[] = [];
for (let at = 0; at < ROUNDS; at++) {
  library.push(await round(byLibrary));
  carried.push(await round(throughSidecar));
}

/** How long a call takes by itself, in microseconds. */
const alone = async (call: () => Promise<unknown>) =>
  (await measure({ callers: 1, seconds: ALONE_SECONDS }, call)).p50;
using connection = await RedisConnection.open(port);
const singles: number[][] = [];
for (let at = 0; at < ROUNDS; at++)
  singles.push([
    await alone(() => client.send(set())),
    await alone(() => connection.call(...set())),
    await alone(() => connection.call("PING")),
    await alone(async () => sign("sha256", SIGNED, privateKey)),
  ]);

const figures = (rounds: readonly Round[]) =>
  [median(rounds.map(({ perSecond }) => perSecond)), median(rounds.map(({ cpu }) => cpu))] as const;
const [[ownRate, ownCpu], [rate, cpu]] = [figures(library), figures(carried)];
const times = (ratio: number) => ratio.toFixed(2);
const text = table(
  ["SET to three daemons", "a second", "× the library", "CPU µs of all", "÷ the library"],
  [
    ["the client library, 800 calls on their way", String(Math.round(ownRate)), "", ownCpu.toFixed(1), ""],
    [
      `redis-benchmark through the sidecar, -c ${CLIENTS} -P ${PIPELINE}`,
      String(Math.round(rate)),
      times(rate / ownRate),
      cpu.toFixed(1),
      times(cpu / ownCpu),
    ],
  ],
);
const [own = 0, call = 0, ping = 0, signature = 0] = [0, 1, 2, 3].map((at) =>
  Math.round(median(singles.map((times) => times[at] as number))),
);
const most = signature + 2 * (own - signature);
const single =
  `One SET alone, median µs: ${own} by the library, of which ${signature} are the signature; ${call} through the sidecar ` +
  `(≤ signature and two round trips, ${most}: ${call <= most ? "met" : "missed"}), whose PING takes ${ping}.`;
report("sidecar", `${machine()}\n\n${text}\n\n${single}`, smoke);
