/**
 * Measures signed SETs to three daemons. In the same run it measures one signature, one round trip, and SETs that
 * ioredis sends to three redis-servers. `--smoke` is short and does not change RESULTS.md.
 */
import { sign } from "node:crypto";
import { Redis } from "ioredis";
import { startRedis } from "../test/support/redis-server.js";
import { type Figures, measure } from "./measure.js";
import { startEcho } from "./processes.js";
import { FIGURE_HEAD, figureCells, isSmoke, machine, met, report, table } from "./report.js";
import { roundTrip } from "./round-trip.js";
import { Workspace } from "./timeline-daemons.js";

const SECONDS = isSmoke ? 0.3 : 4;
const CALLERS = [1, 16, 64];
const VALUE = "x".repeat(20);
/** About the length of a signed SET. */
const REQUEST = Buffer.alloc(300, "x");
const ECHO_BYTES = 20;

let counter = 0;
/** Returns a new key, so that the client cannot reuse an earlier signature. */
const nextKey = (): string => `key:${++counter}`;

using workspace = new Workspace();
await using daemons = await workspace.start("plain");
const redises = await Promise.all(daemons.map(() => startRedis()));
await using client = workspace.client(daemons);
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
  sign("sha256", REQUEST, workspace.key.privateKey);
  return undefined;
});
await using echo = await startEcho();
using bare = roundTrip([echo.port], REQUEST, ECHO_BYTES);
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
await Promise.all(redises.map((redis) => redis.stop()));
const goal = 1.5 * signature.p50 + trip.p50;
report(
  "fanout",
  `## Signed SET to three daemons, RSA-2048

${machine("fanout")} Three daemons in memory, compared with three redis-servers that ioredis writes to (automatic
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
