/**
 * How long one command over a large collection holds everybody up: the longest turn of a daemon in CPU time, which
 * other programs on the machine do not lengthen, beside the CPU time that redis-server takes for it, which is one turn there.
 * `--smoke`: smaller, RESULTS.md stays.
 */
import { connect } from "node:net";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { cpuSeconds } from "./daemon-cpu.js";
import { startTimed, turnsOf } from "./probed-daemon.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const COUNT = smoke ? 20_000 : 200_000;
/** Elements of a command that fills. */
const TOGETHER = 1000;
const LONG_BYTES = smoke ? 2 ** 20 : 16 * 2 ** 20;
/** The answer of a PING behind the command. */
const END = "the-end\r\n";

const half = String(COUNT / 2);
/** All numbers below 2²⁰, out of order. */
const scattered = (i: number) => String(Math.imul(i, 0x9e3b1) & 0xfffff);

const FILLING: readonly ((i: number) => {
  readonly command: readonly string[];
  readonly element: string[];
})[] = [
  (i) => ({ command: ["SADD", "set"], element: [`member:${i}`] }),
  (i) => ({ command: ["SADD", "other"], element: [`member:${i + COUNT / 2}`] }),
  (i) => ({ command: ["RPUSH", "list"], element: [scattered(i)] }),
  (i) => ({ command: ["HSET", "hash"], element: [`field:${i}`, `value:${i}`] }),
  (i) => ({ command: ["ZADD", "zset"], element: [scattered(i), `member:${i}`] }),
  (i) => ({ command: ["ZADD", "second"], element: [scattered(i), `member:${i + COUNT / 2}`] }),
  (i) => ({ command: ["MSET"], element: [`key:${i}`, `value:${i}`] }),
];

/** In this order: the last ones take away what the others need. */
const COMMANDS: readonly string[] = [
  "LRANGE list 0 -1",
  "SORT list",
  "SORT list BY key:* ALPHA",
  "COPY list list:2",
  "DUMP list",
  "SMEMBERS set",
  "SUNION set other",
  "SUNIONSTORE to set other",
  "SINTERSTORE to set other",
  `SRANDMEMBER set ${half}`,
  `SPOP other ${half}`,
  "COPY set set:2",
  "HGETALL hash",
  `HRANDFIELD hash ${half} WITHVALUES`,
  "ZRANGE zset 0 -1 WITHSCORES",
  "ZUNIONSTORE to 2 zset second",
  "ZINTERSTORE to 2 zset second",
  `ZREMRANGEBYRANK to 0 ${half}`,
  `ZPOPMIN second ${half}`,
  "COPY zset zset:2",
  "KEYS *",
  `SCAN 0 COUNT ${COUNT}`,
  "GET long",
  "APPEND long x",
  "SETRANGE long 5 abc",
  "BITCOUNT long",
  "DUMP long",
  "DEL zset set hash list",
  "FLUSHALL",
];

interface Side {
  readonly port: number;
  /** Milliseconds of the longest turn since this was last asked. */
  heldUp(): Promise<number>;
}

async function main(): Promise<void> {
  const port = await freePort();
  await using daemon = await startTimed(["--resp", String(port)]);
  await using redis = await startRedis();
  const ours = await measured({ port, heldUp: async () => (await turnsOf(daemon)).longestCpu });
  let before = cpuSeconds(redis.pid);
  const theirs = await measured({
    port: redis.port,
    heldUp: async () => {
      const last = before;
      before = cpuSeconds(redis.pid);
      return (before - last) * 1000;
    },
  });
  const rows = COMMANDS.map((command, at) => [`\`${command}\``, ours[at] as number, theirs[at] as number]);
  const text = `## Held up by one command

${machine()} \`node dist/bench/long-collections.js\`. Collections and keys: ${COUNT.toLocaleString("en")} each; \`long\`: ${LONG_BYTES / 2 ** 20} MiB. Milliseconds of CPU, all threads, in the longest turn.

${table(["command", "dbsyncd", "redis-server"], rows)}`;
  report("long-collections", text, smoke);
}

async function measured({ port, heldUp }: Side): Promise<number[]> {
  using worker = await RedisConnection.open(port);
  for (const filling of FILLING) await fill(worker, filling);
  await worker.call("SET", "long", "x".repeat(LONG_BYTES));
  const figures: number[] = [];
  for (const command of COMMANDS) {
    await heldUp();
    await unread(port, command);
    figures.push(await heldUp());
  }
  return figures;
}

async function fill(connection: RedisConnection, filling: (typeof FILLING)[number]): Promise<void> {
  for (let from = 0; from < COUNT; from += TOGETHER) {
    const elements = Array.from({ length: TOGETHER }, (_, i) => filling(from + i).element);
    await connection.call(...filling(from).command, ...elements.flat());
  }
}

/** Sends a command and waits for the end of its answer, without looking at it. */
function unread(port: number, command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let tail = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(`${command}\r\nPING the-end\r\n`));
    socket.on("error", reject).on("data", (chunk: Buffer) => {
      tail = (tail + chunk.subarray(-END.length).toString("latin1")).slice(-END.length);
      if (tail !== END) return;
      socket.destroy();
      resolve();
    });
  });
}

await main();
