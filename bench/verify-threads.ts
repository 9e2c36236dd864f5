/**
 * Signatures checked beside the main thread: what handing one over costs, against checking it at once. By libuv's threads (verify with a
 * callback) and by one Worker that takes batches, on one processor and on two; then what more processors would give, simulated.
 * `--smoke`: short, RESULTS.md stays.
 */
import { spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { machine, report, table } from "./report.js";
import { type Costs, capacity, middleDelay } from "./verify-queue.js";

const smoke = process.argv.includes("--smoke");
/** How many at once. */
const IN_FLIGHT = [1, 16, 64, 256];
const SECONDS = 0.05;
const TRIES = smoke ? 1 : 20;
const BODY_BYTES = 200;
const SAMPLES = 64;
const CORES = [1, 2];
const SIMULATED = [1, 2, 3, 4, 8, 64];
const LOAD = 0.8;

interface Signed {
  readonly body: Buffer;
  readonly signature: Buffer;
}

/** How many a second, the middle delay, and what each takes of a processor's time: the main thread, and all threads. */
interface Tried {
  readonly perSecond: number;
  readonly p50: number;
  readonly main: number;
  readonly all: number;
}

interface Row extends Tried {
  readonly type: string;
  readonly way: string;
  readonly flight: number;
}

type Check = (batch: readonly Signed[]) => Promise<unknown> | undefined;

const algorithmOf = (key: KeyObject) => (key.asymmetricKeyType === "ed25519" ? null : "sha256");

/** A Worker's part. */
function serve(): void {
  const { pem } = workerData as { pem: string };
  const key = createPublicKey(pem);
  parentPort?.on("message", (batch: readonly Signed[]) => {
    const holds = batch.map(({ body, signature }) => verify(algorithmOf(key), body, key, signature));
    parentPort?.postMessage(holds);
  });
}

async function measureAll(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [type, pair] of [
    ["RSA-2048", generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["Ed25519", generateKeyPairSync("ed25519")],
  ] as const) {
    const { publicKey: key, privateKey } = pair;
    const algorithm = algorithmOf(key);
    const signed = Array.from({ length: SAMPLES }, () => {
      const body = randomBytes(BODY_BYTES);
      return { body, signature: sign(algorithm, body, privateKey) };
    });
    const atOnce: Check = (batch) => {
      for (const { body, signature } of batch) verify(algorithm, body, key, signature);
      return undefined;
    };
    const byPool: Check = ([one]) =>
      new Promise((resolve) =>
        verify(algorithm, (one as Signed).body, key, (one as Signed).signature, resolve),
      );
    const { check: byWorker, worker } = workerCheck(key);
    for (const flight of IN_FLIGHT) {
      rows.push({ type, way: "at once", flight, ...(await measured(signed, 1, flight, atOnce)) });
      rows.push({
        type,
        way: "verify with a callback",
        flight,
        ...(await measured(signed, flight, 1, byPool)),
      });
      const lanes = Math.min(flight, 2);
      rows.push({
        type,
        way: "a Worker",
        flight,
        ...(await measured(signed, lanes, flight / lanes, byWorker)),
      });
    }
    await worker.terminate();
  }
  return rows;
}

function workerCheck(key: KeyObject): { check: Check; worker: Worker } {
  const worker = new Worker(fileURLToPath(import.meta.url), {
    workerData: { pem: key.export({ type: "spki", format: "pem" }) },
  });
  const waiting: ((holds: unknown) => void)[] = [];
  worker.on("message", (holds) => waiting.shift()?.(holds));
  return {
    check: (batch) =>
      new Promise((resolve) => {
        waiting.push(resolve);
        worker.postMessage(batch);
      }),
    worker,
  };
}

/** The best figures of some tries: others may use the machine. @param lanes  batches at once @param size  signatures a batch */
async function measured(signed: readonly Signed[], lanes: number, size: number, check: Check) {
  const batch = Array.from({ length: size }, (_, i) => signed[i % signed.length] as Signed);
  const tries: Tried[] = [];
  for (let i = 0; i < TRIES; i++) tries.push(await tried(batch, lanes, check));
  const least = (figure: (one: Tried) => number) => Math.min(...tries.map(figure));
  return {
    perSecond: Math.max(...tries.map(({ perSecond }) => perSecond)),
    p50: least(({ p50 }) => p50),
    main: least(({ main }) => main),
    all: least(({ all }) => all),
  };
}

async function tried(batch: readonly Signed[], lanes: number, check: Check): Promise<Tried> {
  const delays: number[] = [];
  const before = { main: mainMicroseconds(), all: process.cpuUsage() };
  const start = performance.now();
  const until = start + SECONDS * 1000;
  const lane = async () => {
    for (let from = performance.now(); from < until; ) {
      const pending = check(batch);
      if (pending !== undefined) await pending;
      const now = performance.now();
      delays.push(now - from);
      from = now;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const ms = performance.now() - start;
  const count = delays.length * batch.length;
  const { user, system } = process.cpuUsage(before.all);
  delays.sort((one, other) => one - other);
  return {
    perSecond: (count / ms) * 1000,
    p50: (delays[delays.length >> 1] as number) * 1000,
    main: (mainMicroseconds() - before.main) / count,
    all: (user + system) / count,
  };
}

/** Time that the main thread has had of a processor, as Linux counts it. */
function mainMicroseconds(): number {
  const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ");
  return Number(nanoseconds) / 1000;
}

function compare(): void {
  const sections = CORES.filter((cores) => cores <= availableParallelism()).map((cores) => {
    const rows = onCores(cores);
    const cells = rows.map(({ type, way, flight, perSecond, p50, main, all }) => [
      ...[type, way, String(flight), String(Math.round(perSecond)), p50, main, all],
    ]);
    const head = [
      "key",
      "how",
      "at once",
      "a second",
      "p50 µs",
      "main thread, µs each",
      "all threads, µs each",
    ];
    return { rows, text: `${cores} ${cores === 1 ? "processor" : "processors"}:\n\n${table(head, cells)}` };
  });
  const last = sections.at(-1)?.rows ?? [];
  const text = [
    `## Checking signatures beside the main thread\n\n${machine()} \`npm run bench -- verify-threads\`. Pinned by taskset, on a machine that others\nuse too: of each figure the best of 20 tries of 50 ms. The processor's time is what holds there, more than the wall's.`,
    ...sections.map((section) => section.text),
    simulated(last),
  ].join("\n\n");
  report("verify-threads", text, smoke);
}

/** @throws Error  taskset is not here, or a row failed */
function onCores(cores: number): Row[] {
  const self = [fileURLToPath(import.meta.url), "--measure", ...(smoke ? ["--smoke"] : [])];
  const list = [...Array(cores).keys()].join(",");
  const { stdout, status, error } = spawnSync("taskset", ["-c", list, process.execPath, ...self], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw error ?? new Error(`the measurement ended with ${status}`);
  return JSON.parse(stdout) as Row[];
}

/** What a daemon does for a lone envelope besides checking it, µs: section daemon-alone. An entry of a catch-up costs as much. */
const OTHER_WORK = 40;

function simulated(rows: readonly Row[]): string {
  const cost = (type: string, way: string) =>
    Math.min(
      ...rows.filter((row) => row.type === type && row.way === way && row.flight > 1).map(({ main }) => main),
    );
  const cells = ["RSA-2048", "Ed25519"].flatMap((type) =>
    SIMULATED.map((cores) => {
      const costs: Costs = {
        other: OTHER_WORK,
        check: cost(type, "at once"),
        hand: cost(type, "verify with a callback"),
      };
      const alone = capacity({ ...costs, threads: 0 });
      const most = capacity({ ...costs, threads: cores - 1 });
      const delays = [0, cores - 1].map((threads) => middleDelay({ ...costs, threads }, LOAD * alone));
      return [type, String(cores), String(Math.round(most)), (most / alone).toFixed(2), ...delays];
    }),
  );
  const head = ["key", "processors", "most a second", "× without threads", "p50 µs without", "p50 µs with"];
  return (
    `Simulated: envelopes that cost the main thread ${OTHER_WORK} µs besides, checked with a callback at the least costs above, on processors that ` +
    `nothing else uses; delays at ${100 * LOAD} % of what the main thread alone can do:\n\n${table(head, cells)}`
  );
}

if (!isMainThread) serve();
else if (process.argv.includes("--measure")) process.stdout.write(JSON.stringify(await measureAll()));
else if (spawnSync("taskset", ["--version"]).status === 0) compare();
else console.log("verify-threads: taskset, of util-linux, is not here: not measured");
