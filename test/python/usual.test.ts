/**
 * Tests the ordinary use of the Python package: runs programs/usual.py with three daemons in memory, and with two peers
 * that have data folders.
 */
import { after, before, test } from "node:test";
import { makeFolder } from "../daemon/program/replicas.js";
import { amount } from "../support/amount.js";
import { knowsSecret } from "../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { skipWithout } from "../support/requirements.js";
import { keyFile, PYTHON, runCases } from "./running.js";

const skip = skipWithout(PYTHON);
const daemons: DaemonProcess[] = [];
const folders: ReturnType<typeof makeFolder>[] = [];
let servers: string[];
let peers: string[];

before(async () => {
  if (skip) return;
  const signed = ["-s", keyFile("ed25519", "public")];
  const inMemory = [0, 1, 2].map(() => startDaemon(signed));
  const ports = [await freePort(), await freePort()] as const;
  const recording = ports.map((port, index) => {
    const folder = makeFolder();
    folders.push(folder);
    const peer = `127.0.0.1:${ports[1 - index]}`;
    const own = ["-p", String(port), "--data", folder.path, "--peer", peer];
    return startDaemon([...signed, ...knowsSecret, ...own]);
  });
  daemons.push(...(await Promise.all([...inMemory, ...recording])));
  servers = daemons.slice(0, 3).map(({ port }) => `127.0.0.1:${port}`);
  peers = ports.map((port) => `127.0.0.1:${port}`);
});
after(async () => {
  await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  for (const folder of folders) folder[Symbol.dispose]();
});

test("the Python package's commands, views, threads and loops behave as documented", { skip }, async () => {
  const calls = amount(200, 900);
  await runCases("usual.py", { servers, peers, calls, key: keyFile("ed25519", "private") });
});
