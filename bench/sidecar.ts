/**
 * `npm run bench -- sidecar`: SETs in pipelines of 16 by redis-benchmark through a sidecar to three daemons, beside the client
 * library's own figure with as many calls of the same kind on their way, turn about in one run; and one call alone, which is to
 * take no longer than a signature and two round trips: the library's own is a signature and one.
 */
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "../client/entry.js";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { measure, median } from "./measure.js";
import { startDaemon } from "./processes.js";
import { type Measured, measureCommand, untilItWrites } from "./redis-benchmark.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const SECONDS = smoke ? 0 : 4;
const ROUNDS = smoke ? 1 : 5;
const CLIENTS = 50;
const PIPELINE = 16;
const BYTES = 20;
const KEYS = 100_000;
const KEY_DIGITS = 12;
/** About as long as an envelope of one SET. */
const SIGNED = Buffer.alloc(300, "x");

const folder = mkdtempSync(join(tmpdir(), "dbsync-bench-"));
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const publicFile = join(folder, "public.pem");
const privateFile = join(folder, "private.pem");
writeFileSync(publicFile, publicKey.export({ type: "spki", format: "pem" }));
writeFileSync(privateFile, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });

await using one = await startDaemon(["-s", publicFile]);
await using two = await startDaemon(["-s", publicFile]);
await using three = await startDaemon(["-s", publicFile]);
const servers = [one, two, three].map(({ port: its }) => `127.0.0.1:${its}`).join(",");
const port = await freePort();
const args = ["-d", `dbsync:${servers}`, "--key", privateFile, "--resp", String(port)];
await using sidecar = await startDaemon(args);
const target = { port, pid: sidecar.process.pid as number };
await untilItWrites(target);
await using client = createClient({ servers, key: privateKey });

const value = "x".repeat(BYTES);
/** As redis-benchmark writes them. */
const set = () => {
  const key = String(Math.floor(Math.random() * KEYS)).padStart(KEY_DIGITS, "0");
  return ["SET", `key:${key}`, value];
};
const seconds = Math.max(SECONDS, 0.2);
const own = () => measure({ callers: CLIENTS * PIPELINE, seconds }, () => client.send(set()));
const through = () =>
  measureCommand(target, { clients: CLIENTS, pipeline: PIPELINE, bytes: BYTES, keys: KEYS }, "SET", SECONDS);
/** How long a call takes by itself. */
const alone = async (call: () => Promise<unknown>) => (await measure({ callers: 1, seconds }, call)).p50;

await own();
through();
const library: number[] = [];
const carried: Measured[] = [];
for (let round = 0; round < ROUNDS; round++) {
  library.push((await own()).perSecond);
  carried.push(through());
}
using connection = await RedisConnection.open(port);
const ownCalls: number[] = [];
const calls: number[] = [];
const pings: number[] = [];
const signatures: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  ownCalls.push(await alone(() => client.send(set())));
  calls.push(await alone(() => connection.call(...set())));
  pings.push(await alone(() => connection.call("PING")));
  signatures.push(await alone(async () => sign("sha256", SIGNED, privateKey)));
}
const [ownRate, rate] = [median(library), median(carried.map(({ perSecond }) => perSecond))];
const rows = [
  ["the client library, 800 calls on their way", Math.round(ownRate), ""],
  [
    `redis-benchmark through the sidecar, -c ${CLIENTS} -P ${PIPELINE}`,
    Math.round(rate),
    (rate / ownRate).toFixed(2),
  ],
];
const text = table(
  ["SET to three daemons", "a second", "× the library"],
  rows.map((row) => row.map(String)),
);
const cpu = median(carried.map((one) => one.cpu)).toFixed(1);
const [ownCall, call, ping, signature] = [ownCalls, calls, pings, signatures].map((all) =>
  Math.round(median(all)),
) as [number, number, number, number];
const most = signature + 2 * (ownCall - signature);
const single =
  `One SET alone, median µs: ${ownCall} by the library, of which ${signature} are the signature; ${call} through the sidecar ` +
  `(≤ signature and two round trips, ${most}: ${call <= most ? "met" : "missed"}), whose PING takes ${ping}.`;
report("sidecar", `${machine()}\n\n${text}\nOf the sidecar's CPU a SET takes ${cpu} µs.\n${single}`, smoke);
