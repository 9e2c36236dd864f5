/**
 * Measures signed SETs to three daemons. In the same run it measures one signature, one round trip, and SETs that
 * ioredis sends to three redis-servers.
 */
import { sign } from "node:crypto";
import { Redis } from "ioredis";
import { startRedis } from "../test/support/redis-server.js";
import { roundTrip } from "./clients.js";
import { alternate, type Figures, measure, medians } from "./measure.js";
import { FIGURE_HEAD, figureCells, isSmoke, met, report, table } from "./report.js";
import { startEcho, startThree, startTogether } from "./servers.js";

const SECONDS = isSmoke ? 0.3 : 4;
const CALLERS = [1, 16, 64];
const STOP_PAIRS = isSmoke ? 1 : 5;
/** A tenth of the deadline of a call, in microseconds. No call may take longer while a daemon hangs. */
const SLOWEST_MAX = 300_000;
const VALUE = "x".repeat(20);
/** About the length of a signed SET. */
const REQUEST = Buffer.alloc(300, "x");
const ECHO_BYTES = 20;

let counter = 0;
/** Returns a new key, so that the client cannot reuse an earlier signature. */
const nextKey = (): string => `key:${++counter}`;

await using trio = await startThree("plain");
await using redises = await startTogether(trio.ports.map(() => startRedis()));
await using client = trio.client();
const connections = redises.map(
  ({ port }) => new Redis({ port, host: "127.0.0.1", enableAutoPipelining: true }),
);
const set = () => client.send(`SET ${nextKey()} ${VALUE}`);
const redisSet = () => {
  const key = nextKey();
  return Promise.any(connections.map((connection) => connection.set(key, VALUE)));
};
const alone = (seconds: number, call: () => Promise<unknown> | undefined): Promise<Figures> =>
  measure({ callers: 1, seconds }, call);

await alone(SECONDS / 2, set);
await alone(SECONDS / 4, redisSet);
const signature = await alone(SECONDS / 2, () => {
  sign("sha256", REQUEST, trio.app.privateKey);
  return undefined;
});
await using echo = await startEcho();
using bare = roundTrip([echo.port], () => REQUEST, ECHO_BYTES);
const trip = await alone(SECONDS / 2, () => bare.call());
const rows = [];
let sequential = Number.NaN;
for (const callers of CALLERS) {
  const ours = await measure({ callers, seconds: SECONDS }, set);
  const redis = await measure({ callers, seconds: SECONDS }, redisSet);
  if (callers === 1) sequential = ours.p50;
  rows.push(
    [`dbsyncSend, ${callers} in flight`, ...figureCells(ours), (redis.p50 / ours.p50).toFixed(2)],
    [`ioredis, unsigned, ${callers} in flight`, ...figureCells(redis), "1"],
  );
}
for (const connection of connections) connection.disconnect();
const goal = 1.5 * signature.p50 + trip.p50;
report(
  "fanout",
  "Signed SET to three daemons, RSA-2048",
  `Three daemons in memory, compared with three redis-servers that ioredis writes to (automatic
pipelining, waiting for the first answer, without signatures). The last column is the p50 of ioredis divided by that of dbsync.

${table(
  ["", ...FIGURE_HEAD, "ioredis ÷"],
  [
    ["one RSA signature alone", ...figureCells(signature), ""],
    ["one loopback round trip alone", ...figureCells(trip), ""],
    ...rows,
  ],
)}

Sequential p50 is ${(sequential / signature.p50).toFixed(2)} × one signature, and ${(sequential / (signature.p50 + trip.p50)).toFixed(2)} × one signature and one round trip
together. Goal: at most 1.5 × one signature + one round trip = ${goal.toFixed(0)} µs; measured: ${sequential.toFixed(0)} µs
(${met(sequential <= goal)}).`,
);

// Measure in turn with all daemons running and with one of them stopped by SIGSTOP.
const victim = trio.daemon(2);
const [healthy = [], stopped = []] = await alternate(
  [false, true],
  { rounds: STOP_PAIRS },
  async (isStopped) => {
    victim.kill(isStopped ? "SIGSTOP" : "SIGCONT");
    const figures = await alone(SECONDS, set);
    victim.kill("SIGCONT");
    await client.sendAll("PING");
    return figures;
  },
);
const cells = (runs: readonly Figures[]) => {
  const { p50, p99 } = medians(runs);
  return [p50, p99, Math.max(...runs.map(({ max }) => max))];
};
const [, p99 = 0] = cells(healthy);
const [, stoppedP99 = 0, slowest = 0] = cells(stopped);
const p99Goal = Math.max(1.1 * p99, p99 + 300);
report(
  "one-daemon-stopped",
  "One of three daemons stopped (SIGSTOP)",
  `Medians of ${STOP_PAIRS} alternating pairs of runs with sequential calls.

${table(
  ["", "p50 µs", "p99 µs", "slowest call µs"],
  [
    ["all running", ...cells(healthy)],
    ["one stopped", ...cells(stopped)],
  ],
)}

Goal: p99 at most ${p99Goal.toFixed(0)} µs (${met(stoppedP99 <= p99Goal)}), no call above a tenth of its deadline, 300,000 µs
(${met(slowest <= SLOWEST_MAX)}).`,
);
