/**
 * Channels next to redis-server, alternating in one run: PUBLISH to 1, 100 and 1,000 subscribers of one daemon, and the
 * memory of 10,000 subscribers. It counts messages that reached the subscribers, not answers. `--smoke`: seconds.
 */
import { connect, type Socket } from "node:net";
import { loadavg } from "node:os";
import { freePort } from "../test/support/free-port.js";
import { startRedis } from "../test/support/redis-server.js";
import { median } from "./measure.js";
import { startDaemon } from "./processes.js";
import { machine, report, table } from "./report.js";
import { memoryUse } from "./usage.js";

const smoke = process.argv.includes("--smoke");
const ROUNDS = smoke ? 1 : 5;
const SUBSCRIBERS = smoke ? [1, 20] : [1, 100, 1_000];
const HELD = smoke ? 100 : 10_000;
/** Messages that reach subscribers in one measurement. */
const DELIVERIES = smoke ? 20_000 : 2_000_000;
/** PUBLISH commands that are sent before their answers are awaited. */
const PIPELINE = 16;
const GOAL = 0.8;
/** Load of the machine: the number of runnable processes, averaged over a minute. Other work makes rates meaningless. */
const LOAD = loadavg()[0] ?? 0;
const BUSY_LOAD = 1;
const CHANNEL = "channel";
const TEXT = "x".repeat(32);
const PUBLISH = `*3\r\n$7\r\nPUBLISH\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${TEXT.length}\r\n${TEXT}\r\n`;
const MESSAGE = `*3\r\n$7\r\nmessage\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${TEXT.length}\r\n${TEXT}\r\n`;

/** A connection that counts the bytes it receives. */
class Hearer {
  readonly socket: Socket;
  bytes = 0;
  #due: { readonly bytes: number; readonly come: () => void } | null = null;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", ({ length }: Buffer) => {
      this.bytes += length;
      if (this.#due === null || this.bytes < this.#due.bytes) return;
      const { come } = this.#due;
      this.#due = null;
      come();
    });
  }

  until(bytes: number): Promise<void> {
    if (this.bytes >= bytes) return Promise.resolve();
    return new Promise((come) => {
      this.#due = { bytes, come };
    });
  }
}

async function subscribers(port: number, count: number): Promise<Hearer[]> {
  const all: Hearer[] = [];
  for (let number = 0; number < count; number++) {
    const hearer = new Hearer(port);
    hearer.socket.write(`SUBSCRIBE ${CHANNEL}\r\n`);
    all.push(hearer);
    if (number % 100 === 99) await hearer.until(1);
  }
  await Promise.all(all.map((hearer) => hearer.until(1)));
  // Earlier answers do not count.
  for (const hearer of all) hearer.bytes = 0;
  return all;
}

/** Returns the messages that reach subscribers per second. */
async function measureAt(port: number, count: number): Promise<number> {
  const all = await subscribers(port, count);
  const publisher = new Hearer(port);
  const messages = Math.max(PIPELINE, Math.floor(DELIVERIES / count / (count === 1 ? 10 : 1)));
  const batch = PUBLISH.repeat(PIPELINE);
  const answer = `:${count}\r\n`.length;
  const start = performance.now();
  let sent = 0;
  for (; sent < messages; sent += PIPELINE) {
    publisher.socket.write(batch);
    await publisher.until((sent + PIPELINE) * answer);
  }
  await Promise.all(all.map((hearer) => hearer.until(sent * MESSAGE.length)));
  const seconds = (performance.now() - start) / 1000;
  for (const { socket } of [...all, publisher]) socket.destroy();
  return (sent * count) / seconds;
}

/** Returns the KiB that each of many subscribers uses, each on a channel of its own. */
async function memoryAt(port: number, pid: number): Promise<number> {
  const before = memoryUse(pid).resident;
  const all: Hearer[] = [];
  for (let number = 0; number < HELD; number++) {
    const hearer = new Hearer(port);
    hearer.socket.write(`SUBSCRIBE channel:${number}\r\n`);
    all.push(hearer);
    if (number % 100 === 99) await hearer.until(1);
  }
  await Promise.all(all.map((hearer) => hearer.until(1)));
  const taken = memoryUse(pid).resident - before;
  for (const { socket } of all) socket.destroy();
  return (taken * 1024) / HELD;
}

async function figures(): Promise<string> {
  const port = await freePort();
  await using redis = await startRedis({ args: ["--maxclients", "15000"] });
  await using daemon = await startDaemon(["--resp", String(port), "--max-connections", "15000"]);
  const rows: string[][] = [];
  for (const count of SUBSCRIBERS) {
    const [theirs, ours]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      theirs.push(await measureAt(redis.port, count));
      ours.push(await measureAt(port, count));
    }
    const ratio = median(ours) / median(theirs);
    const verdict = LOAD > BUSY_LOAD ? "not judged: busy" : ratio >= GOAL ? "met" : "missed";
    const rates = [theirs, ours].map((all) => Math.round(median(all)).toLocaleString("en"));
    rows.push([count.toLocaleString("en"), ...rates, ratio.toFixed(2), `≥ ${GOAL} (${verdict})`]);
  }
  const [redisKib, ourKib] = [
    await memoryAt(redis.port, redis.pid),
    await memoryAt(port, daemon.process.pid as number),
  ];
  const held = `${HELD.toLocaleString("en")} subscribers, each with a connection and a channel of its own`;
  return `## Channels (bench/channels.ts)

${machine()} Messages of ${TEXT.length} bytes that reach subscribers in a second, ${PIPELINE} PUBLISH at a time by one client; median of ${ROUNDS}. The
subscribers are this program's, which costs as much as either server where there are many of them. Load before: ${LOAD.toFixed(1)}.

${table(["subscribers", "redis-server", "dbsyncd", "ratio", "goal"], rows)}

${held}: ${redisKib.toFixed(1)} KiB each in redis-server, ${ourKib.toFixed(1)} KiB in dbsyncd.`;
}

report("channels", await figures(), smoke);
