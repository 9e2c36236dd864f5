/**
 * Measures channels of one daemon and of redis-server, in turn: PUBLISH to 1, 100 and 1,000 subscribers, and the
 * memory of 10,000 subscribers. The rates count messages that reached subscribers, not replies.
 */
import { startRedis } from "../test/support/redis-server.js";
import { ByteCounter } from "./clients.js";
import { alternate, median } from "./measure.js";
import { inEnglish, isBusy, isSmoke, met, report, table } from "./report.js";
import { startFace, type Target } from "./servers.js";
import { memoryUse } from "./usage.js";

const ROUNDS = isSmoke ? 1 : 5;
const SUBSCRIBERS = isSmoke ? [1, 20] : [1, 100, 1_000];
const IDLE_SUBSCRIBERS = isSmoke ? 100 : 10_000;
/** The number of messages that subscribers receive in one measurement. */
const DELIVERIES = isSmoke ? 20_000 : 2_000_000;
/** The number of PUBLISH commands that are sent before the program waits for replies. */
const PIPELINE = 16;
const GOAL = 0.8;
const CHANNEL = "channel";
const TEXT = "x".repeat(32);
const PUBLISH = `*3\r\n$7\r\nPUBLISH\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${TEXT.length}\r\n${TEXT}\r\n`;
const MESSAGE = `*3\r\n$7\r\nmessage\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${TEXT.length}\r\n${TEXT}\r\n`;

/** Connects subscribers. @param channel  returns the channel of the subscriber with a number */
async function subscribe(port: number, count: number, channel = (_: number) => CHANNEL) {
  const all: ByteCounter[] = [];
  for (let number = 0; number < count; number++) {
    const counter = new ByteCounter(port);
    counter.socket.write(`SUBSCRIBE ${channel(number)}\r\n`);
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
  const all = await subscribe(port, count);
  using publisher = new ByteCounter(port);
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
  for (const counter of all) counter[Symbol.dispose]();
  return (sent * count) / seconds;
}

/** Returns the memory per subscriber in KiB. Each subscriber has its own channel. */
async function memoryAt({ port, pid }: Target): Promise<string> {
  const before = memoryUse(pid).resident;
  const all = await subscribe(port, IDLE_SUBSCRIBERS, (number) => `channel:${number}`);
  const growth = memoryUse(pid).resident - before;
  for (const counter of all) counter[Symbol.dispose]();
  return `${((growth * 1024) / IDLE_SUBSCRIBERS).toFixed(1)} KiB each`;
}

await using redis = await startRedis({ args: ["--maxclients", "15000"] });
await using daemon = await startFace("resp", ["--max-connections", "15000"]);
const rows: string[][] = [];
for (const count of SUBSCRIBERS) {
  const ports = [redis.port, daemon.face.port];
  const runs = await alternate(ports, { rounds: ROUNDS }, (port) => measureAt(port, count));
  const [theirs = Number.NaN, ours = Number.NaN] = runs.map(median);
  const verdict = isBusy ? "not judged: busy" : met(ours / theirs >= GOAL);
  const figures = [count, theirs, ours].map(inEnglish);
  rows.push([...figures, (ours / theirs).toFixed(2), `≥ ${GOAL} (${verdict})`]);
}
const idle = [await memoryAt(redis), await memoryAt(daemon.face)];
report(
  "channels",
  "Channels",
  `Messages of ${TEXT.length} bytes per second that reach subscribers. One client sends ${PIPELINE} PUBLISH commands at a time; medians of ${ROUNDS} rounds. The
subscribers run in this program; if there are many, it uses as much CPU as either server.

${table(["subscribers", "redis-server", "dbsyncd", "ratio", "goal"], rows)}

${inEnglish(IDLE_SUBSCRIBERS)} subscribers, each with its own connection and channel: ${idle[0]} in redis-server, ${idle[1]} in dbsyncd.`,
);
