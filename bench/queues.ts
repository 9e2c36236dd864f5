/**
 * Work that is handed out, beside redis-server, alternating in one run: entries added, read by a group and acknowledged; elements
 * and entries given to who waits. Each connection, or pair of them, has a key of its own and does one thing after the other.
 * `--smoke`: seconds, and RESULTS.md stays as it is.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { loadavg } from "node:os";
import { writeCommand } from "../protocol/resp/resp-writer.js";
import { freePort } from "../test/support/free-port.js";
import { startRedis } from "../test/support/redis-server.js";
import { cpuSeconds } from "./daemon-cpu.js";
import { median } from "./measure.js";
import { startDaemon } from "./processes.js";
import { flush, type Target } from "./redis-benchmark.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const ROUNDS = smoke ? 1 : 5;
const RUN_MS = smoke ? 300 : 2_000;
const CONNECTIONS = 50;
const GOAL = 0.5;
const VALUE = "x".repeat(64);
/** Others' work spoils rates beyond any verdict; each core has one minute's mean of what waits for it. */
const LOAD = loadavg()[0] ?? 0;
const BUSY_LOAD = 1;

/** A connection that asks and waits until all of the answer is there. */
class Asking {
  readonly #socket: Socket;
  #text = "";
  #isWhole: (text: string) => boolean = () => false;
  #resolve: (text: string) => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      this.#text += chunk;
      if (!this.#isWhole(this.#text)) return;
      const text = this.#text;
      this.#text = "";
      this.#resolve(text);
    });
  }

  static async open(port: number): Promise<Asking> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    return new Asking(socket);
  }

  ask(bytes: string, isWhole: (text: string) => boolean): Promise<string> {
    this.#isWhole = isWhole;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#socket.write(bytes, "latin1");
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

const isLine = (text: string) => text.endsWith("\r\n");
const endsInValue = (text: string) => text.endsWith(`${VALUE}\r\n`);

/** Does its work again and again. */
interface Worker {
  /** @returns how many were handed out by that */
  readonly once: () => Promise<number>;
  readonly close: () => void;
}

type WorkerOf = (port: number, number: number) => Promise<Worker>;

/** @param pipeline  entries that are added, read and acknowledged together */
const queued =
  (pipeline: number): WorkerOf =>
  async (port, number) => {
    const connection = await Asking.open(port);
    const key = `queue:${number}`;
    await connection.ask(writeCommand(["XGROUP", "CREATE", key, "g", "$", "MKSTREAM"]), isLine);
    const add = writeCommand(["XADD", key, "MAXLEN", "~", "1000", "*", "f", VALUE]).repeat(pipeline);
    const read = writeCommand([
      "XREADGROUP",
      "GROUP",
      "g",
      "c",
      "COUNT",
      String(pipeline),
      "STREAMS",
      key,
      ">",
    ]);
    const acknowledged = ":1\r\n".repeat(pipeline);
    return {
      once: async () => {
        const text = await connection.ask(add + read, endsInValue);
        const ids = (text.match(/\d+-\d+(?=\r\n)/g) ?? []).slice(-pipeline);
        const acks = ids.map((id) => writeCommand(["XACK", key, "g", id])).join("");
        const answer = await connection.ask(acks, ({ length }) => length >= acknowledged.length);
        if (answer !== acknowledged) throw new Error(`not acknowledged: ${answer}`);
        return pipeline;
      },
      close: () => connection.close(),
    };
  };

/** One waits, and another gives. */
const handedOver =
  (
    prepare: (key: string) => string | null,
    wait: (key: string) => string,
    give: (key: string) => string,
  ): WorkerOf =>
  async (port, number) => {
    const [taker, giver] = await Promise.all([Asking.open(port), Asking.open(port)]);
    const key = `handed:${number}`;
    const preparation = prepare(key);
    if (preparation !== null) await giver.ask(preparation, isLine);
    return {
      once: async () => {
        const taken = taker.ask(wait(key), endsInValue);
        await Promise.all([taken, giver.ask(give(key), isLine)]);
        return 1;
      },
      close: () => {
        taker.close();
        giver.close();
      },
    };
  };

const WORK: Readonly<Record<string, WorkerOf>> = {
  "XADD → XREADGROUP → XACK": queued(1),
  "the same, 16 in a pipeline": queued(16),
  "XREADGROUP BLOCK, then XADD": handedOver(
    (key) => writeCommand(["XGROUP", "CREATE", key, "g", "$", "MKSTREAM"]),
    (key) => writeCommand(["XREADGROUP", "GROUP", "g", "c", "NOACK", "BLOCK", "0", "STREAMS", key, ">"]),
    (key) => writeCommand(["XADD", key, "MAXLEN", "~", "1000", "*", "f", VALUE]),
  ),
  "BLPOP, then RPUSH": handedOver(
    () => null,
    (key) => writeCommand(["BLPOP", key, "0"]),
    (key) => writeCommand(["RPUSH", key, VALUE]),
  ),
};

interface Measured {
  readonly perSecond: number;
  /** Microseconds of the server's CPU for one that is handed out. */
  readonly cpu: number;
}

async function measured(target: Target, workerOf: WorkerOf): Promise<Measured> {
  flush(target);
  const workers = await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => workerOf(target.port, i)));
  const begin = performance.now();
  const cpuBefore = cpuSeconds(target.pid);
  const counts = await Promise.all(
    workers.map(async ({ once: work }) => {
      let count = 0;
      while (performance.now() - begin < RUN_MS) count += await work();
      return count;
    }),
  );
  const seconds = (performance.now() - begin) / 1000;
  const cpu = cpuSeconds(target.pid) - cpuBefore;
  for (const { close } of workers) close();
  const all = counts.reduce((sum, count) => sum + count, 0);
  return { perSecond: all / seconds, cpu: (cpu * 1e6) / all };
}

async function rows(): Promise<string[][]> {
  const port = await freePort();
  await using redis = await startRedis();
  await using daemon = await startDaemon(["--resp", String(port)]);
  const targets = [redis, { port, pid: daemon.process.pid as number }];
  const all: string[][] = [];
  for (const [name, workerOf] of Object.entries(WORK)) {
    const runs: Measured[][] = [[], []];
    // Not counted: what is compiled as it runs has to run first.
    for (const target of targets) await measured(target, workerOf);
    for (let round = 0; round < ROUNDS; round++)
      for (const [side, target] of targets.entries()) runs[side]?.push(await measured(target, workerOf));
    const medians = (what: keyof Measured) => runs.map((each) => median(each.map((run) => run[what])));
    const [theirs = 0, ours = 0] = medians("perSecond");
    const [theirCpu = 0, ourCpu = 0] = medians("cpu");
    const verdict = LOAD > BUSY_LOAD ? "not judged: busy" : ours / theirs >= GOAL ? "met" : "missed";
    all.push([
      ...[name, theirs.toFixed(0), ours.toFixed(0), `${(ours / theirs).toFixed(2)} (≥ ${GOAL}: ${verdict})`],
      ...[theirCpu.toFixed(1), ourCpu.toFixed(1)],
    ]);
  }
  return all;
}

const head = [
  "what",
  "redis-server, a second",
  "dbsyncd, a second",
  "ratio",
  "redis-server, CPU µs",
  "dbsyncd, CPU µs",
];
const text = `## Work handed out

${machine()} ${CONNECTIONS} connections, or pairs of them, each with a key of its own; medians of ${ROUNDS} runs of ${RUN_MS / 1000} s; the client is one Node process, which shares the
machine. Load at the start: ${LOAD.toFixed(1)}.

${table(head, await rows())}`;
report("queues", text, smoke);
