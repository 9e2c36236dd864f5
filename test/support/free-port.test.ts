import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { isOfTests } from "./chosen-files.js";
import { freePort, listenAtFreePort } from "./free-port.js";
import { buildRoot, ownFiles, repositoryRoot } from "./repository.js";

/** The number of ports that each process reserves. It is larger than one block. */
const PORTS = 150;

const PROGRAM = `
  const { freePort } = await import(${JSON.stringify(pathToFileURL(join(buildRoot, "test/support/free-port.js")).href)});
  const ports = [];
  while (ports.length < ${PORTS}) ports.push(await freePort());
  console.log(JSON.stringify(ports));
  await new Promise((resolve) => process.stdin.on("data", resolve));
  process.exit();
`;

/** Starts a process that reserves ports until it is disposed of. @returns its ports */
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

test("concurrent processes receive different ports, and every port refuses connections", async () => {
  const processes = await Promise.all([portsOfProcess(), portsOfProcess()]);
  try {
    const ownPorts = await Promise.all(Array.from({ length: PORTS }, freePort));
    const all = [...ownPorts, ...processes.flatMap(({ ports }) => ports)];
    assert.equal(new Set(all).size, all.length);
    for (const port of all) assert.equal(await refusal(port), "ECONNREFUSED", String(port));
    // By default Linux uses ports from 32,768 upwards for clients and for port 0.
    assert.ok(all.every((port) => port < 32_768));
  } finally {
    for (const process of processes) process[Symbol.dispose]();
  }
});

test("a port refuses connections after its server has stopped, and is not returned again", async () => {
  const server = createServer();
  const port = await listenAtFreePort(server);
  server.close();
  await once(server, "close");
  const later = await Promise.all(Array.from({ length: PORTS }, freePort));
  assert.ok(!later.includes(port));
  assert.equal(await refusal(port), "ECONNREFUSED");
});

/**
 * If a test let the operating system choose the port, another run's server could receive the same port as soon as the
 * first server stops.
 */
test("tests let their servers listen only on ports of free-port.ts", () => {
  const files = ownFiles().filter((file) => isOfTests(file) && file.endsWith(".ts"));
  const thisFile = "test/support/free-port.test.ts";
  const chosen = files.filter(
    (file) => file !== thisFile && /\.listen\(\s*0\b/.test(readFileSync(join(repositoryRoot, file), "utf8")),
  );
  assert.deepEqual(chosen, []);
});
