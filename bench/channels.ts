/**
 * Measures channels of one daemon and of redis-server, in turn: PUBLISH to 1, 100 and 1,000 subscribers, and the
 * memory of 10,000 subscribers. The rates count messages that reached subscribers, not replies. `--smoke` takes
 * seconds and does not change RESULTS.md.
 */
import { connect, type Socket } from "node:net";
import { freePort } from "../test/support/free-port.js";
import { startRedis } from "../test/support/redis-server.js";
import { alternate, inEnglish, isSmoke, loadBefore, machine, median, met, report, table } from "./measure.js";
import { startDaemon } from "./processes.js";
import { memoryUse } from "./usage.js";

const ROUNDS = isSmoke ? 1 : 5;
const SUBSCRIBERS = isSmoke ? [1, 20] : [1, 100, 1_000];
const IDLE_SUBSCRIBERS = isSmoke ? 100 : 10_000;
/** The number of messages that subscribers receive in one measurement. */
const DELIVERIES = isSmoke ? 20_000 : 2_000_000;
/** The number of PUBLISH commands that are sent before the program waits for replies. */
const PIPELINE = 16;
const GOAL = 0.8;
/** The load average above which the rates are meaningless, because other programs are running. */
const BUSY_LOAD = 1;
const CHANNEL = "channel";
const TEXT = "x".repeat(32);
const PUBLISH = `*3\r\n$7\r\nPUBLISH\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${TEXT.length}\r\n${TEXT}\r\n`;
const MESSAGE = `*3\r\n$7\r\nmessage\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${TEXT.length}\r\n${TEXT}\r\n`;

/** A connection that counts the bytes it receives. */
class ByteCounter {
  readonly socket: Socket;
  bytes = 0;
  #waiting: { readonly bytes: number; readonly resolve: () => void } | null = null;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", ({ length }: Buffer) => {
      this.bytes += length;
      if (this.#waiting === null || this.bytes < this.#waiting.bytes) return;
      const { resolve } = this.#waiting;
      this.#waiting = null;
      resolve();
    });
  }

  until(bytes: number): Promise<void> {
    if (this.bytes >= bytes) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = { bytes, resolve };
    });
  }
}

async function subscribers(port: number, count: number): Promise<ByteCounter[]> {
  const all: ByteCounter[] = [];
  for (let number = 0; number < count; number++) {
    const counter = new ByteCounter(port);
    counter.socket.write(`SUBSCRIBE ${CHANNEL}\r\n`);
    all.push(counter);
    if (number % 100 === 99) await counter.until(1);
  }
  await Promise.all(all.map((counter) => counter.until(1)));
  // Replies to SUBSCRIBE are not counted.
  for (const counter of all) counter.bytes = 0;
  return all;
}

/** Returns the number of messages per second that subscribers receive. */
async function measureAt(port: number, count: number): Promise<number> {
  const all = await subscribers(port, count);
  const publisher = new ByteCounter(port);
  const messages = Math.max(PIPELINE, Math.floor(DELIVERIES / count / (count === 1 ? 10 : 1)));
  const batch = PUBLISH.repeat(PIPELINE);
  const answer = `:${count}\r\n`.length;
  const start = performance.now();
  let sent = 0;
  for (; sent < messages; sent += PIPELINE) {
    publisher.socket.write(batch);
    await publisher.until((sent + PIPELINE) * answer);
  }
  await Promise.all(all.map((counter) => counter.until(sent * MESSAGE.length)));
  const seconds = (performance.now() - start) / 1000;
  for (const { socket } of [...all, publisher]) socket.destroy();
  return (sent * count) / seconds;
}

/** Returns the memory per subscriber in KiB. Each subscriber has its own channel. */
async function memoryAt(port: number, pid: number): Promise<number> {
  const before = memoryUse(pid).resident;
  const all: ByteCounter[] = [];
  for (let number = 0; number < IDLE_SUBSCRIBERS; number++) {
    const counter = new ByteCounter(port);
    counter.socket.write(`SUBSCRIBE channel:${number}\r\n`);
    all.push(counter);
    if (number % 100 === 99) await counter.until(1);
  }
  await Promise.all(all.map((counter) => counter.until(1)));
  const growth = memoryUse(pid).resident - before;
  for (const { socket } of all) socket.destroy();
  return (growth * 1024) / IDLE_SUBSCRIBERS;
}

async function figures(): Promise<string> {
  const port = await freePort();
  await using redis = await startRedis({ args: ["--maxclients", "15000"] });
  await using daemon = await startDaemon(["--resp", String(port), "--max-connections", "15000"]);
  const rows: string[][] = [];
  for (const count of SUBSCRIBERS) {
    const runs = await alternate([redis.port, port], { rounds: ROUNDS }, (each) => measureAt(each, count));
    const [theirs = Number.NaN, ours = Number.NaN] = runs.map(median);
    const ratio = ours / theirs;
    const verdict = loadBefore > BUSY_LOAD ? "not judged: busy" : met(ratio >= GOAL);
    rows.push([
      inEnglish(count),
      inEnglish(theirs),
      inEnglish(ours),
      ratio.toFixed(2),
      `≥ ${GOAL} (${verdict})`,
    ]);
  }
  const [redisKib, ourKib] = [
    await memoryAt(redis.port, redis.pid),
    await memoryAt(port, daemon.process.pid as number),
  ];
  const idleText = `${inEnglish(IDLE_SUBSCRIBERS)} subscribers, each with its own connection and channel`;
  return `## Channels (bench/channels.ts)

${machine()} Messages of ${TEXT.length} bytes per second that reach subscribers. One client sends ${PIPELINE} PUBLISH commands at a time; medians of ${ROUNDS} rounds. The
subscribers run in this program; if there are many, it uses as much CPU as either server.

${table(["subscribers", "redis-server", "dbsyncd", "ratio", "goal"], rows)}

${idleText}: ${redisKib.toFixed(1)} KiB each in redis-server, ${ourKib.toFixed(1)} KiB in dbsyncd.`;
}

report("channels", await figures());
