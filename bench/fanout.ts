/**
 * `npm run bench`: measures signed SETs to three daemons. In the same run it measures one signature, and SETs that
 * ioredis sends to three redis-servers. `--smoke` is short and does not change RESULTS.md.
 */
import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { type Client, createClient } from "../client/public-api.js";
import { frameOf } from "../client/settings/signing-key.js";
import { signCommand } from "../keys/sign.js";
import { type RedisServer, startRedis } from "../test/support/redis-server.js";
import { type Figures, figuresOf, measure, median } from "./measure.js";
import { type Server, startDaemon, startEcho } from "./processes.js";
import { FIGURE_HEAD, figureCells, machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const SECONDS = smoke ? 0.3 : 4;
const CALLERS = [1, 16, 64];
const DAEMONS = 3;
const STOP_PAIRS = smoke ? 1 : 5;
const VALUE = "x".repeat(20);
/** The length of the answer OK in version 1. */
const OK_BYTES = Buffer.byteLength("ds:11:redis:3:OK\0");

let counter = 0;
/** Returns a new command, so that the client cannot reuse an earlier signature. */
const command = () => `SET key:${++counter} ${VALUE}`;

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const publicFile = join(mkdtempSync(join(tmpdir(), "dbsync-bench-")), "public.pem");
writeFileSync(publicFile, publicKey.export({ type: "spki", format: "pem" }));

const address = ({ port }: { port: number }) => `127.0.0.1:${port}`;

async function main(): Promise<void> {
  await using daemons = await startDaemons();
  await using redises = await startRedises();
  const servers = daemons.all.map(address);
  await using client = createClient({ servers, key: privateKey });
  await measure({ callers: 1, seconds: smoke ? 0.2 : 2 }, () => client.send(command()));

  const signature = bareSignature(privateKey);
  const roundTrip = await bareRoundTrip();
  const rows = await againstRedis(client, redises.all);
  const sequential = (rows[0] as Row).ours;
  const floor = signature.p50 + roundTrip.p50;
  report(
    "fanout",
    fanoutText({ signature, roundTrip, rows, ratio: sequential.p50 / signature.p50, floor }),
    smoke,
  );

  report("one-daemon-stopped", await oneStopped(client, daemons.all), smoke);
  report("version-1", await beforeRedis(redises.all), smoke);
}

async function startDaemons() {
  return group(await Promise.all(Array.from({ length: DAEMONS }, () => startDaemon(["-s", publicFile]))));
}

async function startRedises() {
  return group(await Promise.all(Array.from({ length: DAEMONS }, () => startRedis())));
}

function group<T extends AsyncDisposable>(all: T[]) {
  const dispose = async () => void (await Promise.all(all.map((one) => one[Symbol.asyncDispose]())));
  return { all, [Symbol.asyncDispose]: dispose };
}

function bareSignature(key: KeyObject): Figures {
  const latencies: number[] = [];
  const end = performance.now() + SECONDS * 500;
  for (let before = performance.now(); before < end; ) {
    sign("sha256", Buffer.from(`${command()}\0`), { key, padding: constants.RSA_PKCS1_PADDING });
    const after = performance.now();
    latencies.push((after - before) * 1000);
    before = after;
  }
  return figuresOf(latencies, SECONDS / 2);
}

/** Measures a round trip with about as many bytes as a signed SET and its answer have. */
async function bareRoundTrip(): Promise<Figures> {
  await using echo = await startEcho();
  const socket = connect({ port: echo.port, host: "127.0.0.1", noDelay: true });
  const request = Buffer.alloc(300, "x");
  let answered: () => void = () => {};
  socket.on("data", () => answered());
  const figures = await measure(
    { callers: 1, seconds: SECONDS / 2 },
    () =>
      new Promise<void>((resolve) => {
        answered = resolve;
        socket.write(request);
      }),
  );
  socket.destroy();
  return figures;
}

interface Row {
  readonly callers: number;
  readonly ours: Figures;
  readonly redis: Figures;
}

async function againstRedis(client: Client, servers: readonly RedisServer[]): Promise<Row[]> {
  const connections = servers.map(
    ({ port }) => new Redis({ port, host: "127.0.0.1", enableAutoPipelining: true }),
  );
  const fan = () => {
    const key = `key:${++counter}`;
    return Promise.any(connections.map((connection) => connection.set(key, VALUE)));
  };
  await measure({ callers: 1, seconds: SECONDS / 4 }, fan);
  const rows: Row[] = [];
  for (const callers of CALLERS) {
    const ours = await measure({ callers, seconds: SECONDS }, () => client.send(command()));
    const redis = await measure({ callers, seconds: SECONDS }, fan);
    rows.push({ callers, ours, redis });
  }
  for (const connection of connections) connection.disconnect();
  return rows;
}

function fanoutText(found: {
  signature: Figures;
  roundTrip: Figures;
  rows: Row[];
  ratio: number;
  floor: number;
}) {
  const { signature, roundTrip, rows, ratio, floor } = found;
  const goal = 1.5 * signature.p50 + roundTrip.p50;
  const sequential = (rows[0] as Row).ours.p50;
  const lines = rows.flatMap(({ callers, ours, redis }) => [
    [`dbsyncSend, ${callers} in flight`, ...figureCells(ours), (redis.p50 / ours.p50).toFixed(2)],
    [`ioredis, unsigned, ${callers} in flight`, ...figureCells(redis), "1"],
  ]);
  return `## Signed SET to three daemons, RSA-2048

${machine()} \`npm run bench\`. Three daemons in memory, compared with three redis-servers that ioredis writes to (automatic
pipelining, waiting for the first answer, without signatures). The last column is the p50 of ioredis divided by that of dbsync.

${table(
  ["", ...FIGURE_HEAD, "ioredis ÷"],
  [
    ["one RSA signature alone", ...figureCells(signature), ""],
    ["one loopback round trip alone", ...figureCells(roundTrip), ""],
    ...lines,
  ],
)}

Sequential p50 is ${ratio.toFixed(2)} × one signature, and ${(sequential / floor).toFixed(2)} × one signature and one round trip
together. Goal: at most 1.5 × one signature + one round trip = ${goal.toFixed(0)} µs; measured: ${sequential.toFixed(0)} µs
(${sequential <= goal ? "met" : "missed"}).`;
}

/** Measures in turn with all three daemons running and with one of them stopped by SIGSTOP. */
async function oneStopped(client: Client, daemons: readonly Server[]): Promise<string> {
  const victim = daemons.at(-1) as Server;
  const pairs: { healthy: Figures; stopped: Figures }[] = [];
  for (let pair = 0; pair < STOP_PAIRS; pair++) {
    const healthy = await measure({ callers: 1, seconds: SECONDS }, () => client.send(command()));
    victim.process.kill("SIGSTOP");
    const stopped = await measure({ callers: 1, seconds: SECONDS }, () => client.send(command()));
    victim.process.kill("SIGCONT");
    await client.sendAll("PING");
    pairs.push({ healthy, stopped });
  }
  const healthy = median(pairs.map((pair) => pair.healthy.p99));
  const stopped = median(pairs.map((pair) => pair.stopped.p99));
  const slowest = Math.max(...pairs.map((pair) => pair.stopped.max));
  const goal = Math.max(1.1 * healthy, healthy + 300);
  return `## One of three daemons stopped (SIGSTOP)

Medians of ${pairs.length} alternating pairs of runs with sequential calls.

${table(
  ["", "p50 µs", "p99 µs", "slowest call µs"],
  [
    [
      "all running",
      median(pairs.map((pair) => pair.healthy.p50)),
      healthy,
      Math.max(...pairs.map((pair) => pair.healthy.max)),
    ],
    ["one stopped", median(pairs.map((pair) => pair.stopped.p50)), stopped, slowest],
  ],
)}

Goal: p99 at most ${goal.toFixed(0)} µs (${stopped <= goal ? "met" : "missed"}), no call above a tenth of its deadline, 300,000 µs
(${slowest <= 300_000 ? "met" : "missed"}).`;
}

/**
 * The original's figures: C driver, three daemons, each before a Redis; medians of three runs with two other cores, in calls
 * per second. Source: the measurements of php-dbsync 0.1.0.
 */
const ORIGINAL = { unsigned: 3380, signed: 1377 };

/**
 * Measures version 1 of the protocol with three daemons, each before a Redis, alongside three bare proxies. As in PHP's
 * driver, each daemon has one connection, and each call is signed once.
 */
async function beforeRedis(redises: readonly RedisServer[]): Promise<string> {
  const backends = redises.map(({ port }) => ["-d", `redis:127.0.0.1:${port}`]);
  await using unsigned = group(await Promise.all(backends.map((args) => startDaemon(args))));
  await using signed = group(
    await Promise.all(backends.map((args) => startDaemon([...args, "-s", publicFile]))),
  );
  await using bare = group(await Promise.all(redises.map(({ port }) => startEcho("--redis", String(port)))));
  const sign = (text: Buffer) => signCommand(text, privateKey);
  const bareTrip = roundTripToAll(bare.all, () => Buffer.alloc(60, "x"), 20);
  const plainTrip = roundTripToAll(unsigned.all, () => frameOf(command(), null), OK_BYTES);
  const signedTrip = roundTripToAll(signed.all, () => frameOf(command(), sign), OK_BYTES);
  const subjects = [
    { name: "three bare proxies, each before a Redis", call: bareTrip.call, original: "" },
    { name: "unsigned", call: plainTrip.call, original: String(ORIGINAL.unsigned) },
    { name: "signed, RSA-2048", call: signedTrip.call, original: String(ORIGINAL.signed) },
  ];
  const runs = subjects.map((): Figures[] => []);
  for (const { call } of subjects) await measure({ callers: 1, seconds: SECONDS }, call);
  for (let round = 0; round < STOP_PAIRS; round++)
    for (const [i, { call }] of subjects.entries())
      runs[i]?.push(await measure({ callers: 1, seconds: SECONDS / 2 }, call));
  for (const { close } of [bareTrip, plainTrip, signedTrip]) close();
  const rates = runs.map((all) => median(all.map(({ perSecond }) => perSecond)));
  const rows = subjects.map(({ name, original }, i) => [
    name,
    Math.round(rates[i] as number),
    median((runs[i] as Figures[]).map(({ p50 }) => p50)),
    ((rates[i] as number) / (rates[0] as number)).toFixed(2),
    original,
  ]);
  return `## Version 1 before Redis

${machine()} \`npm run bench -- fanout\`. Sequential SETs to three daemons, each with \`-d redis:\`, medians of ${STOP_PAIRS} alternating rounds of ${SECONDS / 2} s. A bare proxy is a
Node program that reads a request, sends a SET to its Redis, and answers after Redis; a call writes to all three servers and waits for the first answer. The
original (a C program) cannot run here; the last column was recorded on another idle machine with two cores.

${table(["", "per second", "p50 µs", "÷ bare proxies", "original, recorded"], rows)}`;
}

/**
 * Returns a call that writes a request to all servers, and waits for the first answer.
 * @param answerBytes  the length of each answer
 */
function roundTripToAll(servers: readonly Server[], request: () => Buffer, answerBytes: number) {
  const answers = servers.map(() => 0);
  let calls = 0;
  let resolve: () => void = () => {};
  const sockets = servers.map(({ port }, i) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.on("data", (chunk) => {
      answers[i] = (answers[i] as number) + chunk.length;
      if (answers[i] === calls * answerBytes) resolve();
    });
    return socket;
  });
  return {
    call: () =>
      new Promise<void>((settled) => {
        calls++;
        resolve = settled;
        const bytes = request();
        for (const socket of sockets) socket.write(bytes);
      }),
    close: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

await main();
