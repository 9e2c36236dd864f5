/**
 * `npm run bench -- sidecar`: SETs in pipelines of 16 by redis-benchmark through a sidecar to three daemons, beside the client
 * library's own figure with as many calls on their way, turn about in one run.
 */
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "../client/entry.js";
import { freePort } from "../test/support/free-port.js";
import { measure, median } from "./measure.js";
import { startDaemon } from "./processes.js";
import { measureCommand, untilItWrites } from "./redis-benchmark.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const SECONDS = smoke ? 0 : 4;
const ROUNDS = smoke ? 1 : 5;
const CLIENTS = 50;
const PIPELINE = 16;
const BYTES = 20;
const KEYS = 100_000;

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

let counter = 0;
const value = "x".repeat(BYTES);
const own = () =>
  measure({ callers: CLIENTS * PIPELINE, seconds: Math.max(SECONDS, 0.2) }, () =>
    client.send(["SET", `key:${++counter % KEYS}`, value]),
  );
const through = (pipeline: number, clients: number) =>
  measureCommand(target, { clients, pipeline, bytes: BYTES, keys: KEYS }, "SET", SECONDS);

await own();
through(PIPELINE, CLIENTS);
const library: number[] = [];
const carried: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  library.push((await own()).perSecond);
  carried.push(through(PIPELINE, CLIENTS).perSecond);
}
const single = through(1, 1).perSecond;
const [ownRate, rate] = [median(library), median(carried)];
const rows = [
  ["the client library, 800 calls on their way", Math.round(ownRate), ""],
  [
    `redis-benchmark through the sidecar, -c ${CLIENTS} -P ${PIPELINE}`,
    Math.round(rate),
    (rate / ownRate).toFixed(2),
  ],
  ["the same, -c 1 -P 1", Math.round(single), ""],
];
const text = table(
  ["SET to three daemons", "a second", "× the library"],
  rows.map((row) => row.map(String)),
);
report("sidecar", `${machine()}\n\n${text}`, smoke);
