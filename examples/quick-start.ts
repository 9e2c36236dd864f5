/**
 * `npm start`: keys, three daemons, signed commands; then one daemon fails and nobody notices. With `--once` it ends
 * there, otherwise the daemons stay for you to play with.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createClient, type Outcome } from "../client/entry.js";

const DAEMONS = 3;
const FIRST_PORT = 1111;
const HOST = "127.0.0.1";

const built = dirname(dirname(fileURLToPath(import.meta.url)));
const keyFolder = join(dirname(built), "keys");
const privateKey = join(keyFolder, "private.pem");
const publicKey = join(keyFolder, "public.pem");

interface Daemon {
  readonly port: number;
  readonly process: ChildProcess;
}

const running = new Set<ChildProcess>();

/** Ctrl-C, a closed terminal, or nobody who reads on, as behind `| head`: whichever it is, no daemon stays behind. */
const ended = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  process.stdout.once("error", () => resolve());
});

async function main(once: boolean): Promise<void> {
  console.log("\ndbsync: sign a command once, send it to every daemon, use the first good answer.\n");
  const made = makeKeys();
  console.log(
    `  keys     ${shown(privateKey)} signs, ${shown(publicKey)} verifies${made ? " (just made)" : ""}`,
  );
  const ports = await freePorts();
  const daemons = await Promise.all(ports.map(startDaemon));
  console.log(
    `  daemons  ${ports.map((port) => `${HOST}:${port}`).join("   ")}   in memory, signed commands only\n`,
  );

  const servers = ports.map((port) => `${HOST}:${port}`);
  await using client = createClient({ servers, key: privateKey });
  const send = async (command: string) => {
    const { outcomes } = await client.sendAll(command);
    console.log(`  ${command}`);
    console.log(table(outcomes));
  };
  await send("SET greeting hello");
  await send("INCR visits");

  const [last] = daemons.slice(-1) as [Daemon];
  await stopDaemon(last.process);
  console.log(`  ${HOST}:${last.port} is stopped. The next command is still answered:\n`);
  await send("GET greeting");
  if (once) return;

  await startDaemon(last.port);
  console.log(
    `  ${HOST}:${last.port} runs again, with nothing in its memory. From another terminal, in this folder:\n`,
  );
  const options = `-s ${servers.join(",")} -k ${shown(privateKey)}`;
  for (const command of ["SET greeting bonjour", "GET greeting", "INCR visits"]) {
    console.log(`  npx dbsync send ${options} ${command}`);
  }
  console.log(`  npx dbsync repl ${options}`);
  console.log(`  npx dbsync doctor ${options}\n\nCtrl-C stops the daemons.`);
  await ended;
}

/** @returns whether there were none yet */
function makeKeys(): boolean {
  if (existsSync(privateKey) && existsSync(publicKey)) return false;
  const keygen = spawnSync(process.execPath, [join(built, "bundles/dbsync-keygen.js"), "--out", keyFolder], {
    encoding: "utf8",
  });
  if (keygen.status !== 0) throw new Error(`no keys could be made:\n${keygen.stderr}`);
  return true;
}

async function freePorts(): Promise<number[]> {
  const ports: number[] = [];
  for (let port = FIRST_PORT; ports.length < DAEMONS; port++) if (await isFree(port)) ports.push(port);
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

/** Resolves when the daemon listens. */
function startDaemon(port: number): Promise<Daemon> {
  const args = [
    join(built, "bundles/dbsyncd.js"),
    "-p",
    String(port),
    "-s",
    publicKey,
    "--log-format",
    "json",
  ];
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
    const said = outcome.status === "ok" ? (outcome.value ?? "(nil)") : `failed: ${outcome.stage}`;
    const mark = outcome === first ? "   ← the first good answer" : "";
    return `    ${outcome.address}   ${said.padEnd(16)}${outcome.ms.toFixed(1).padStart(6)} ms${mark}`;
  });
  return `${lines.join("\n")}\n`;
}

function shown(file: string): string {
  return relative(process.cwd(), file);
}

try {
  await Promise.race([main(process.argv.includes("--once")), ended]);
} catch (problem) {
  console.error(problem instanceof Error ? problem.message : problem);
  process.exitCode = 1;
} finally {
  await Promise.all([...running].map(stopDaemon));
  process.exit(); // where a signal came in the middle, nothing more is started
}
