/**
 * Measures version 1 of the protocol with three daemons, each before a Redis, alongside three bare proxies. As in PHP's
 * driver, each daemon has one connection, and each call is signed once.
 */
import { frameOf } from "../client/settings/signing-key.js";
import { signCommand } from "../keys/signatures.js";
import { startDaemon } from "../test/support/daemon-process.js";
import { makeKeyPair } from "../test/support/envelope-client.js";
import { startRedis } from "../test/support/redis-server.js";
import { roundTrip } from "./clients.js";
import { alternate, measure, medians } from "./measure.js";
import { isSmoke, report, table } from "./report.js";
import { startEcho, startTogether } from "./servers.js";

const SECONDS = isSmoke ? 0.3 : 2;
const ROUNDS = isSmoke ? 1 : 5;
const SERVERS = [0, 1, 2];
const VALUE = "x".repeat(20);
/** About the length of an unsigned SET. */
const REQUEST = Buffer.alloc(60, "x");
const ECHO_BYTES = 20;
/** The length of the answer OK. */
const OK_BYTES = Buffer.byteLength("ds:11:redis:3:OK\0");
/**
 * The original's calls per second: C driver, three daemons, each before a Redis; medians of three runs with two other
 * cores. Source: the measurements of php-dbsync 0.1.0.
 */
const ORIGINAL = { unsigned: "3380", signed: "1377" };

let counter = 0;
const command = () => `SET key:${++counter} ${VALUE}`;

const key = makeKeyPair("rsa");
await using redises = await startTogether(SERVERS.map(() => startRedis()));
const backends = redises.map(({ port }) => ["-d", `redis:127.0.0.1:${port}`]);
await using unsigned = await startTogether(backends.map((args) => startDaemon(args)));
await using signed = await startTogether(backends.map((args) => startDaemon([...args, "-s", key.file])));
await using proxies = await startTogether(redises.map(({ port }) => startEcho("--redis", String(port))));
const sign = (text: Buffer) => signCommand(text, key.privateKey);
const portsOf = (servers: readonly { readonly port: number }[]) => servers.map(({ port }) => port);
using bareTrip = roundTrip(portsOf(proxies), () => REQUEST, ECHO_BYTES);
using plainTrip = roundTrip(portsOf(unsigned), () => frameOf(command(), null), OK_BYTES);
using signedTrip = roundTrip(portsOf(signed), () => frameOf(command(), sign), OK_BYTES);
const subjects = [
  { name: "three bare proxies, each before a Redis", trip: bareTrip, original: "" },
  { name: "unsigned", trip: plainTrip, original: ORIGINAL.unsigned },
  { name: "signed, RSA-2048", trip: signedTrip, original: ORIGINAL.signed },
];
const runs = await alternate(subjects, { rounds: ROUNDS, warmUps: 2 }, ({ trip }) =>
  measure({ callers: 1, seconds: SECONDS }, () => trip.call()),
);
const figures = runs.map(medians);
const rows = figures.map(({ perSecond, p50 }, i) => [
  subjects[i]?.name ?? "",
  Math.round(perSecond),
  p50,
  (perSecond / (figures[0]?.perSecond ?? Number.NaN)).toFixed(2),
  subjects[i]?.original ?? "",
]);
report(
  "version-1",
  "Version 1 before Redis",
  `Sequential SETs to three daemons, each with \`-d redis:\`, medians of ${ROUNDS} alternating rounds of ${SECONDS} s. A bare proxy is a
Node program that reads a request, sends a SET to its Redis, and answers after Redis; a call writes to all three servers and waits for the first answer. The
original (a C program) cannot run here; the last column was recorded on another idle machine with two cores.

${table(["", "per second", "p50 µs", "÷ bare proxies", "original, recorded"], rows)}`,
);
