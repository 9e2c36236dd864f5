/** What a daemon costs while nobody calls: memory, start, a thousand idle connections; and the client's import. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createClient } from "../client/entry.js";
import { clientPackage } from "../test/support/make-client-package.js";
import { buildRoot } from "../test/support/repository.js";
import { measure, median } from "./measure.js";
import { startDaemon } from "./processes.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const STARTS = smoke ? 2 : 11;
const SECONDS = smoke ? 0.3 : 3;
const PAIRS = smoke ? 1 : 5;
const IDLE_CONNECTIONS = 1000;
/** In which Node counts what a file takes. */
const BLOCK_BYTES = 512;

async function main(): Promise<void> {
  const starts: { startMs: number; residentMiB: number }[] = [];
  for (let i = 0; i < STARTS; i++) {
    await using daemon = await startDaemon([]);
    starts.push({ startMs: daemon.startMs, residentMiB: residentMiB(daemon.process.pid as number) });
  }
  const imports = Array.from({ length: STARTS }, () => importMs(join(buildRoot, "bundles")));
  const ofClientAlone = Array.from({ length: STARTS }, () => importMs(join(clientPackage, "lib")));
  const { withNone, withMany } = await idleConnections();
  const rows = [
    ["start to listening, ms", median(starts.map((start) => start.startMs)), "≤ 400"],
    ["resident memory, idle, MiB", median(starts.map((start) => start.residentMiB)), "≤ 80"],
    ["import of the client, ms", median(imports), "≤ 60"],
    ["import of dbsync-client, ms", median(ofClientAlone), "≤ 60"],
    ["dbsync-client on the disk, MB", megabytes(clientPackage), "≤ 3"],
    ["PING p99, no other connection, µs", withNone, ""],
    [`PING p99, ${IDLE_CONNECTIONS} idle connections, µs`, withMany, `≤ ${(2 * withNone).toFixed(0)}`],
  ];
  const text = `## A daemon at rest

${machine()} Medians of ${STARTS} starts; p99: medians of ${PAIRS} alternating pairs.

${table(["", "measured", "goal"], rows)}`;
  report("footprint", text, smoke);
}

function residentMiB(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}

/** What the import adds to a process that does nothing. */
function importMs(folder: string): number {
  const entry = join(folder, "client.js");
  const script = `const start = performance.now(); await import(${JSON.stringify(entry)}); console.log(performance.now() - start);`;
  return Number(execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }));
}

/** As it lies in node_modules once it is installed, in whole blocks. */
function megabytes(folder: string): number {
  const blocks = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => statSync(join(folder, file)).blocks)
    .reduce((sum, some) => sum + some, 0);
  return (blocks * BLOCK_BYTES) / 1e6;
}

async function idleConnections(): Promise<{ withNone: number; withMany: number }> {
  await using daemon = await startDaemon([]);
  await using client = createClient(`127.0.0.1:${daemon.port}`);
  const p99 = async () => (await measure({ callers: 1, seconds: SECONDS }, () => client.send("PING"))).p99;
  await p99();
  const none: number[] = [];
  const many: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    none.push(await p99());
    const sockets = await Promise.all(Array.from({ length: IDLE_CONNECTIONS }, () => open(daemon.port)));
    many.push(await p99());
    for (const socket of sockets) socket.destroy();
  }
  return { withNone: median(none), withMany: median(many) };
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", reject);
  });
}

await main();
