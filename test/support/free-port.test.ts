import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { freePort, listenAtFreePort } from "./free-port.js";
import { buildRoot, ownFiles, repositoryRoot } from "./repository.js";

/** More ports than a block has. */
const PORTS = 150;

const PROGRAM = `
  const { freePort } = await import(${JSON.stringify(pathToFileURL(join(buildRoot, "test/support/free-port.js")).href)});
  const ports = [];
  while (ports.length < ${PORTS}) ports.push(await freePort());
  console.log(JSON.stringify(ports));
  await new Promise((resolve) => process.stdin.on("data", resolve));
  process.exit();
`;

/** Returns the ports that another process receives; it reserves them until it is disposed of. */
async function portsOfProcess(): Promise<{ readonly ports: readonly number[] } & Disposable> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { ports: JSON.parse(line.toString()) as number[], [Symbol.dispose]: () => void child.kill() };
}

async function refusal(port: number): Promise<string | undefined> {
  const socket = connect(port, "127.0.0.1");
  const [error] = (await Promise.race([
    once(socket, "error"),
    once(socket, "connect").then(() => [{ code: "connected" }]),
  ])) as [NodeJS.ErrnoException];
  socket.destroy();
  return error.code;
}

test("processes that run at the same time receive no port twice, and all of them refuse", async () => {
  const processes = await Promise.all([portsOfProcess(), portsOfProcess()]);
  try {
    const own = await Promise.all(Array.from({ length: PORTS }, freePort));
    const all = [...own, ...processes.flatMap(({ ports }) => ports)];
    assert.equal(new Set(all).size, all.length);
    for (const port of all) assert.equal(await refusal(port), "ECONNREFUSED", String(port));
    // By default the system uses ports from here on for clients and for port 0.
    assert.ok(all.every((port) => port < 32_768));
  } finally {
    for (const process of processes) process[Symbol.dispose]();
  }
});

test("a port where a test's server has stopped refuses, and is not used again", async () => {
  const server = createServer();
  const port = await listenAtFreePort(server);
  server.close();
  await once(server, "close");
  const later = await Promise.all(Array.from({ length: PORTS }, freePort));
  assert.ok(!later.includes(port));
  assert.equal(await refusal(port), "ECONNREFUSED");
});

/** On a port that the system chooses, another run's server might start where one has just stopped. */
test("servers of tests listen on ports of free-port.ts", () => {
  const files = ownFiles().filter((file) => file.startsWith("test/") && file.endsWith(".ts"));
  const own = "test/support/free-port.test.ts";
  const chosen = files.filter(
    (file) => file !== own && /\.listen\(\s*0\b/.test(readFileSync(join(repositoryRoot, file), "utf8")),
  );
  assert.deepEqual(chosen, []);
});
