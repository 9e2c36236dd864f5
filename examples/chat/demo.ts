/**
 * `npm run chat`: starts three daemons that are peers of each other and two chat servers on two of them, and prints
 * the address of the page. Ctrl-C stops everything.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const HOST = "127.0.0.1";
/** The port that the exercise prescribes. If it is in use, the next free port is used. */
const CHAT_PORT = 8888;
const DAEMON_PORT = 1111;
const REDIS_PORT = 6379;
const MONGO_PORT = 27017;
const DAEMONS = 3;
const SERVERS = 2;

const built = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "dbsync-chat-"));
const running = new Set<ChildProcess>();
const usedPorts = new Set<number>();

const ended = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  process.stdout.once("error", () => resolve());
});

async function main(): Promise<void> {
  const secret = join(folder, "cluster.secret");
  keygen("--out", folder, "--name", "app");
  keygen("--cluster-secret", secret);
  const ports = await freePorts(DAEMON_PORT, DAEMONS);
  const redis = await freePorts(REDIS_PORT, DAEMONS);
  const mongo = await freePorts(MONGO_PORT, DAEMONS);
  await Promise.all(
    ports.map((port, index) =>
      start("dbsyncd", "bundles/dbsyncd.js", '"msg":"serving Redis clients"', [
        ...["-p", String(port), "-s", join(folder, "app-public.pem"), "--data", join(folder, `data${index}`)],
        ...ports.filter((other) => other !== port).flatMap((peer) => ["--peer", `${HOST}:${peer}`]),
        ...["--cluster-secret", secret, "--resp", String(redis[index]), "--mongo", String(mongo[index])],
        ...["--log-format", "json"],
      ]),
    ),
  );
  console.log(
    `  daemons  ${ports.map((port) => `${HOST}:${port}`).join("   ")}   with timelines, peers of each other`,
  );
  const chats = await freePorts(CHAT_PORT, SERVERS);
  for (const [index, port] of chats.entries()) {
    // Each chat server prefers a different daemon, and connects to the next daemon when it loses the preferred one.
    const turned = <Port>(ports: readonly Port[]) => [...ports.slice(index), ...ports.slice(0, index)];
    const hosts = turned(redis).map((one) => `${HOST}:${one}`);
    const urls = turned(mongo).map((one) => `mongodb://${HOST}:${one}/chat`);
    const config = join(folder, `config${index}`);
    writeFileSync(config, `HOST=${HOST}\nPORT=${port}\nDB_HOST=${hosts}\nMONGO_URL=${urls.join(" ")}\n`);
    const child = await start("chat server", "examples/chat/main.js", "chat at", [config]);
    console.log(
      `  chat     http://${HOST}:${port}/   process ${child.pid}, on the ${["first", "second"][index]} daemon`,
    );
  }
  console.log(`
Open the page, once at each server. In a terminal: node dist/examples/chat/terminal.js -p ${chats[0]}
Kill a server (kill -9 and its process id): its clients continue on the other one. Ctrl-C stops everything, and deletes all messages.`);
  await ended;
}

function keygen(...args: readonly string[]): void {
  const made = spawnSync(process.execPath, [join(built, "bundles/dbsync-keygen.js"), ...args], {
    encoding: "utf8",
  });
  if (made.status !== 0) throw new Error(made.stderr);
}

/** Starts a program. Resolves when it reports that it is ready. */
function start(name: string, program: string, ready: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(built, program), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    // Ctrl-C on a terminal ends only this process, which then stops the others in order.
    detached: true,
  });
  running.add(child);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      running.delete(child);
      reject(new Error(`a ${name} ended with code ${code}`));
    });
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      if (line.includes(ready)) resolve(child);
    });
  });
}

async function freePorts(first: number, count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let port = first; ports.length < count; port++) {
    if (usedPorts.has(port) || !(await isFree(port))) continue;
    usedPorts.add(port);
    ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

try {
  await Promise.race([main(), ended]);
} catch (problem) {
  console.error(problem instanceof Error ? problem.message : problem);
  process.exitCode = 1;
} finally {
  // The servers are stopped before the daemons that they need.
  for (const child of [...running].reverse()) await stop(child);
  rmSync(folder, { recursive: true, force: true });
  process.exit();
}
