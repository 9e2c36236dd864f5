/**
 * `npm start`: makes keys, starts three daemons and sends signed commands. It stops one daemon, and the remaining
 * ones answer. It starts the daemon again, which then receives what it missed. With `--once` the program ends here,
 * otherwise the daemons keep running for you to try, with a dashboard that shows them.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Client, createClient, type Outcome } from "../client/public-api.js";

const DAEMONS = 3;
const FIRST_PORT = 1111;
const FIRST_ADMIN_PORT = 9464;
const HOST = "127.0.0.1";

const built = dirname(dirname(fileURLToPath(import.meta.url)));
const keyFolder = join(dirname(built), "keys");
const privateKey = join(keyFolder, "private.pem");
const publicKey = join(keyFolder, "public.pem");
const clusterSecret = join(keyFolder, "cluster.secret");
/** The maximum number of milliseconds until the daemons have found each other. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 100;

interface Daemon {
  readonly port: number;
  readonly process: ChildProcess;
}

const running = new Set<ChildProcess>();

/**
 * Stops all daemons after Ctrl-C, when the terminal is closed, or when the reader of the output ends, as with `|
 * head`.
 */
const ended = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  process.stdout.once("error", () => resolve());
});

async function main(once: boolean): Promise<void> {
  console.log("\ndbsync: sign a command once, send it to every daemon, use the first successful answer.\n");
  const isNew = makeKeys();
  console.log(
    `  keys     ${displayPath(privateKey)} signs, ${displayPath(publicKey)} verifies${isNew ? " (just made)" : ""}`,
  );
  const ports = await freePorts(FIRST_PORT, DAEMONS);
  const [admin = FIRST_ADMIN_PORT] = await freePorts(FIRST_ADMIN_PORT, 1);
  const daemons = await Promise.all(
    ports.map((port, i) => startDaemon(port, ports, i === 0 ? ["--admin", String(admin)] : [])),
  );
  console.log(
    `  daemons  ${ports.map((port) => `${HOST}:${port}`).join("   ")}   in memory, signed commands only, peers of each other\n`,
  );

  const servers = ports.map((port) => `${HOST}:${port}`);
  await using client = createClient({ servers, key: privateKey });
  await untilAllAnswer(client, "DEL nothing");
  const send = async (command: string) => {
    const { outcomes } = await client.sendAll(command);
    console.log(`  ${command}`);
    console.log(table(outcomes));
  };
  await send("SET greeting hello");
  await send("INCR visits");

  const [last] = daemons.slice(-1) as [Daemon];
  await stopDaemon(last.process);
  console.log(`  ${HOST}:${last.port} is stopped. The next commands are still answered:\n`);
  await send("SET greeting bonjour");
  await send("INCR visits");

  await startDaemon(last.port, ports);
  await untilAllAnswer(client, "DEL nothing");
  // A daemon's answer to a read counts only after the daemon has shown that it has this client's writes.
  await untilAllAnswer(client, "GET nothing");
  console.log(`  ${HOST}:${last.port} runs again, and has received what it missed from the other daemons:\n`);
  await send("GET greeting");
  await send("GET visits");
  if (once) return;

  console.log("  From another terminal, in this folder:\n");
  const options = `-s ${servers.join(",")} -k ${displayPath(privateKey)}`;
  for (const command of ["SET greeting hola", "GET greeting", "INCR visits"]) {
    console.log(`  npx dbsync send ${options} ${command}`);
  }
  console.log(`  npx dbsync repl ${options}`);
  console.log(
    `  npx dbsync doctor ${options}\n\n  The dashboard: http://${HOST}:${admin}\n\nCtrl-C stops the daemons.`,
  );
  await ended;
}

/** Makes the keys if they do not exist. @returns whether it has made them */
function makeKeys(): boolean {
  if (!existsSync(clusterSecret)) keygen("--cluster-secret", clusterSecret);
  if (existsSync(privateKey) && existsSync(publicKey)) return false;
  keygen("--out", keyFolder);
  return true;
}

function keygen(...args: string[]): void {
  const program = join(built, "bundles/dbsync-keygen.js");
  const { status, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the keys could not be made:\n${stderr}`);
}

/**
 * Sends a command until all daemons answer it: they accept writes shortly after they have found each other.
 * @throws Error after the timeout
 */
async function untilAllAnswer(client: Client, command: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const { outcomes } = await client.sendAll(command);
    const failed = outcomes.find((outcome) => outcome.status === "failed");
    if (failed === undefined) return;
    if (performance.now() > deadline)
      throw new Error(`a daemon does not accept commands:\n${table(outcomes)}`);
    await pause(PAUSE_MS);
  }
}

/** Returns the first free ports from a number on. */
async function freePorts(from: number, count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let port = from; ports.length < count; port++) if (await isFree(port)) ports.push(port);
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

/** Starts a daemon and waits until it listens. @param ports  the ports of all daemons */
function startDaemon(port: number, ports: readonly number[], more: readonly string[] = []): Promise<Daemon> {
  const program = join(built, "bundles/dbsyncd.js");
  const peers = ports.filter((other) => other !== port).flatMap((other) => ["--peer", `${HOST}:${other}`]);
  const keys = ["-s", publicKey, "--cluster-secret", clusterSecret];
  const args = [program, "-p", String(port), ...keys, ...peers, ...more, "--log-format", "json"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      running.delete(child);
      reject(new Error(`the daemon on port ${port} ended with code ${code}`));
    });
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      if (line.includes('"msg":"listening"')) resolve({ port, process: child });
    });
  });
}

function stopDaemon(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

function table(outcomes: readonly Outcome[]): string {
  const answers = outcomes.filter((outcome) => outcome.status === "ok");
  const first = answers.sort((a, b) => a.ms - b.ms)[0];
  const lines = outcomes.map((outcome) => {
    const result = outcome.status === "ok" ? (outcome.value ?? "(nil)") : `failed: ${outcome.stage}`;
    const mark = outcome === first ? "   ← the first successful answer" : "";
    return `    ${outcome.address}   ${result.padEnd(16)}${outcome.ms.toFixed(1).padStart(6)} ms${mark}`;
  });
  return `${lines.join("\n")}\n`;
}

function displayPath(file: string): string {
  return relative(process.cwd(), file);
}

try {
  await Promise.race([main(process.argv.includes("--once")), ended]);
} catch (problem) {
  console.error(problem instanceof Error ? problem.message : problem);
  process.exitCode = 1;
} finally {
  await Promise.all([...running].map(stopDaemon));
  process.exit(); // After a signal, nothing more must be started.
}
