/**
 * Measures protocol version 2 under load: signed calls from one client to three daemons, in a closed and an open
 * loop. The same run measures ioredis, with automatic pipelining, and three redis-servers. `--smoke` is short and
 * does not change RESULTS.md.
 */

import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { type Client, createClient } from "../client/public-api.js";
import { type RedisServer, startRedis } from "../test/support/redis-server.js";
import { type Figures, measure, measureOpen } from "./measure.js";
import { type Server, startDaemon } from "./processes.js";
import { FIGURE_HEAD, figureCells, machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const SECONDS = smoke ? 0.4 : 3;
const CALLERS = smoke ? [1, 64] : [1, 16, 64, 256, 1024];
const DAEMONS = 3;
/** The rate of calls in the open loop, as a share of the closed loop's throughput. */
const OPEN_LOAD = 0.5;

const folder = mkdtempSync(join(tmpdir(), "dbsync-bench-"));
const address = ({ port }: { port: number }) => `127.0.0.1:${port}`;

let counter = 0;
const KEYS = 100_000;
const nextKey = () => `key:${++counter % KEYS}`;

interface Row {
  readonly what: string;
  readonly ours: Figures;
  readonly redis: Figures | null;
  readonly batch: number;
}

async function main(): Promise<void> {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ed25519 = generateKeyPairSync("ed25519");
  writeFileSync(join(folder, "rsa.pem"), rsa.publicKey.export({ type: "spki", format: "pem" }));
  writeFileSync(join(folder, "ed25519.pem"), ed25519.publicKey.export({ type: "spki", format: "pem" }));
  const daemons = await Promise.all(Array.from({ length: DAEMONS }, () => startDaemon(["-s", folder])));
  const redises = await Promise.all(Array.from({ length: DAEMONS }, () => startRedis()));
  try {
    const rows = [
      ...(await measured("RSA-2048", rsa.privateKey, daemons, redises)),
      ...(await measured("Ed25519", ed25519.privateKey, daemons, [])),
    ];
    report("envelopes", rowsText(rows), smoke);
    report("one-daemon-stopped-under-load", await stoppedUnderLoad(rsa.privateKey, daemons), smoke);
  } finally {
    await Promise.all([...daemons, ...redises].map((server) => server[Symbol.asyncDispose]()));
  }
}

function clientOf(key: KeyObject, daemons: readonly Server[]): Client {
  return createClient({ servers: daemons.map(address), key, versions: "2" });
}

/**
 * Measures SETs and GETs of several value sizes, with several numbers of calls in flight.
 * @param redises  servers that are measured alternately through ioredis; if empty, only the daemons are measured
 */
async function measured(
  name: string,
  key: KeyObject,
  daemons: readonly Server[],
  redises: readonly RedisServer[],
): Promise<Row[]> {
  await using client = clientOf(key, daemons);
  const connections = redises.map(
    ({ port }) => new Redis({ port, host: "127.0.0.1", enableAutoPipelining: true }),
  );
  const first = (call: (connection: Redis, key: string) => Promise<unknown>) => () => {
    const key = nextKey();
    return Promise.any(connections.map((connection) => call(connection, key)));
  };
  const rows: Row[] = [];
  for (const bytes of smoke ? [16] : [16, 1024]) {
    const value = "x".repeat(bytes);
    const set = () => client.send(["SET", nextKey(), value]);
    const get = () => client.send(["GET", nextKey()]);
    const redisSet = first((connection, key) => connection.set(key, value));
    const redisGet = first((connection, key) => connection.get(key));
    await measure({ callers: 64, seconds: SECONDS / 2 }, set);
    if (connections.length > 0) await measure({ callers: 64, seconds: SECONDS / 2 }, redisSet);
    for (const [command, call, redisCall] of [
      ["SET", set, redisSet],
      ["GET", get, redisGet],
    ] as const) {
      for (const callers of CALLERS) {
        const what = `${name} ${command} ${bytes} B, ${callers} in flight`;
        rows.push(await loaded(what, callers, call, connections.length > 0 ? redisCall : null));
      }
      if (bytes === 16) rows.push(await openLoop(`${name} ${command} 16 B`, call, rows));
    }
  }
  for (const connection of connections) connection.disconnect();
  return rows;
}

async function loaded(
  what: string,
  callers: number,
  call: () => Promise<unknown>,
  redisCall: (() => Promise<unknown>) | null,
): Promise<Row> {
  const before = sent;
  const ours = await measure({ callers, seconds: SECONDS }, call);
  const batch = (ours.perSecond * SECONDS) / Math.max(1, (sent - before) / DAEMONS);
  const redis = redisCall === null ? null : await measure({ callers, seconds: SECONDS }, redisCall);
  return { what, ours, redis, batch };
}

/** Sends calls at random intervals (Poisson), without waiting for earlier answers. */
async function openLoop(name: string, call: () => Promise<unknown>, rows: readonly Row[]): Promise<Row> {
  const closed = rows.find(({ what }) => what === `${name}, 64 in flight`) as Row;
  const perSecond = closed.ours.perSecond * OPEN_LOAD;
  const ours = await measureOpen({ perSecond, seconds: SECONDS }, call);
  return { what: `${name}, open loop`, ours, redis: null, batch: Number.NaN };
}

/** Stops one of three daemons while 64 calls are in flight, and resumes it later. */
async function stoppedUnderLoad(key: KeyObject, daemons: readonly Server[]): Promise<string> {
  await using client = clientOf(key, daemons);
  const victim = daemons.at(-1) as Server;
  const set = () => client.send(["SET", nextKey(), "x".repeat(16)]);
  const load = { callers: 64, seconds: SECONDS };
  await measure(load, set);
  const healthy = await measure(load, set);
  const before = process.memoryUsage.rss();
  victim.process.kill("SIGSTOP");
  const stopped = await measure(load, set);
  const growth = process.memoryUsage.rss() - before;
  victim.process.kill("SIGCONT");
  const resumed = await measure(load, set);
  const rows = [
    ["all running", ...figureCells(healthy), healthy.max],
    ["one stopped", ...figureCells(stopped), stopped.max],
    ["all running again", ...figureCells(resumed), resumed.max],
  ];
  return `## One of three daemons stopped under load, 64 calls in flight

${table(["", ...FIGURE_HEAD, "slowest µs"], rows)}

The client's resident memory grew by ${(growth / 2 ** 20).toFixed(0)} MiB while the daemon was stopped for ${SECONDS} s.`;
}

/**
 * The number of envelopes sent so far, counted on the client's diagnostics channel, which reports each envelope once
 * per daemon.
 */
let sent = 0;
subscribe("dbsync:outcome", () => sent++);

function rowsText(rows: readonly Row[]): string {
  const cells = rows.map(({ what, ours, redis, batch }) => [
    what,
    ...figureCells(ours),
    Number.isNaN(batch) ? "" : batch.toFixed(1),
    redis === null ? "" : Math.round(redis.perSecond),
    redis === null ? "" : (ours.perSecond / redis.perSecond).toFixed(2),
  ]);
  return `## Version 2: signed calls to three daemons

${machine()} \`npm run bench\`. One client process, three daemons in memory, policy \`first\`. ioredis uses automatic pipelining to
three redis-servers, without signatures, and waits for the first answer. Both are measured in turn. The client and the six servers share the cores.

${table(["", ...FIGURE_HEAD, "commands per envelope", "ioredis per second", "ours ÷ ioredis"], cells)}`;
}

await main();
