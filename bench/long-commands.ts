/**
 * What a client with short commands notices of another's long ones: PING on a connection of its own, one after the other,
 * while a large sorted set is built and deleted, all keys are flushed, KEYS answers with all. A daemon and a redis-server in
 * turn. `--smoke`: smaller, RESULTS.md stays.
 */
import { connect } from "node:net";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { DATA_SETS } from "./data-sets.js";
import { type Figures, figuresOf } from "./measure.js";
import { startDaemon } from "./processes.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const COUNT = smoke ? 20_000 : 1_000_000;
/** As many as one client has on the way: what they take is what a PING waits for. */
const PIPELINED = 100;
/** Of pings after a command that is over at once: what it leaves behind is cleared up then. */
const AFTERWARDS_MS = smoke ? 100 : 2000;

const LF = 0x0a;

type Task = (connection: RedisConnection, port: number) => Promise<unknown>;

const keys: Task = async (connection) => await fill(connection, DATA_SETS.strings);
const flush: Task = async (connection) => await andAfter(connection.call("FLUSHALL"));

const STEPS: readonly (readonly [what: string, task: Task])[] = [
  ["nothing else", () => andAfter(Promise.resolve())],
  ["a sorted set is built", (connection) => fill(connection, DATA_SETS.zset)],
  ["it is deleted", (connection) => andAfter(connection.call("DEL", "board"))],
  ["as many keys are set", keys],
  ["KEYS *", (_, port) => andAfter(keysUnread(port))],
  ["KEYS, of which none matches", (connection) => andAfter(connection.call("KEYS", "x*"))],
  ["FLUSHALL", flush],
];

async function main(): Promise<void> {
  const port = await freePort();
  await using _daemon = await startDaemon(["--resp", String(port)]);
  await using redis = await startRedis();
  const ours = await measured(port);
  const theirs = await measured(redis.port);
  const rows = STEPS.map(([what], step) => [
    what,
    ...cells(ours[step] as Figures),
    ...cells(theirs[step] as Figures),
  ]);
  const head = ["meanwhile", "p50 µs", "p99.9 µs", "longest ms", "redis-server p50", "p99.9", "longest ms"];
  const text = `## PING beside long commands

${machine()} \`node dist/bench/long-commands.js\`. ${COUNT.toLocaleString("en")} members and keys, ${PIPELINED} commands on the way at a time.

${table(head, rows)}

A deleted collection and a flushed database are let go of in one step, whatever their size; the engine collects them beside the commands,
a little at a time. KEYS is one step here as in redis-server: use SCAN.`;
  report("long-commands", text, smoke);
}

const cells = ({ p50, p999, max }: Figures) => [p50, p999, max / 1000];

async function measured(port: number): Promise<Figures[]> {
  using worker = await RedisConnection.open(port);
  using pinger = await RedisConnection.open(port);
  const figures: Figures[] = [];
  for (const [, task] of STEPS) figures.push(await pingWhile(pinger, task(worker, port)));
  return figures;
}

async function pingWhile(pinger: RedisConnection, task: Promise<unknown>): Promise<Figures> {
  const latencies: number[] = [];
  let isDone = false;
  const done = task.finally(() => {
    isDone = true;
  });
  const start = performance.now();
  while (!isDone) {
    const before = performance.now();
    await pinger.call("PING");
    latencies.push((performance.now() - before) * 1000);
  }
  await done;
  return figuresOf(latencies, (performance.now() - start) / 1000);
}

async function fill(connection: RedisConnection, command: (i: number) => string[]): Promise<void> {
  for (let from = 0; from < COUNT; from += PIPELINED) {
    for (let i = from; i < from + PIPELINED; i++) connection.queue(command(i));
    await connection.flush();
  }
}

/** The answer of KEYS is only counted: to take it apart in this process would hold up the pings, not the server. */
function keysUnread(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("KEYS *\r\n"));
    let lines = 1 + 2 * COUNT;
    socket.on("error", reject).on("data", (chunk: Buffer) => {
      for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) lines--;
      if (lines > 0) return;
      socket.destroy();
      resolve();
    });
  });
}

async function andAfter(call: Promise<unknown>): Promise<void> {
  await call;
  await new Promise((resolve) => setTimeout(resolve, AFTERWARDS_MS));
}

await main();
