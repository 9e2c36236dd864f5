/**
 * Tests examples/python/listen.py, which uses only the Python package of this repository: a WebSocket client in another
 * language signs commands and receives messages.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { makeFolder } from "../daemon/program/replicas.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { env, PYTHON } from "./running.js";

const FILE = join(repositoryRoot, "examples", "python", "listen.py");
const skip = skipWithout("python3-websockets");
const pair = makeKeyPair();

async function serverOf(daemon: DaemonProcess): Promise<string> {
  const port = await daemon.portOf("WebSocket clients");
  return `ws://127.0.0.1:${port}`;
}

test("a Python client signs commands over WebSocket, and receives messages and changes of keys", {
  skip,
}, async () => {
  using folder = makeFolder();
  const keyFile = join(folder.path, "private.pem");
  writeFileSync(keyFile, pair.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  await using daemon = await startDaemon(["-s", pair.file, "--ws", "0"]);
  const args = [FILE, "--key", keyFile, "--server", await serverOf(daemon)];
  const set = await run(PYTHON, [...args, "SET", "k", "höhe"], { env });
  assert.deepEqual(set, { code: 0, stdout: "OK\n", stderr: "" });
  assert.equal((await run(PYTHON, [...args, "GET", "k"], { env })).stdout, "höhe\n");
  assert.match((await run(PYTHON, [...args, "NONESUCH"], { env })).stdout, /unknown command/i);

  using client = await EnvelopeClient.open(daemon.port, pair);
  const cases = [
    { command: ["SUBSCRIBE", "news"], act: ["PUBLISH", "news", "hello"], told: "message news hello" },
    { command: ["WATCHPREFIX", "shop:"], act: ["SET", "shop:book", "1"], told: "changed 0 shop:book" },
  ];
  for (const { command, act, told } of cases) {
    const child = spawn(PYTHON, [...args, ...command], { env: { ...process.env, ...env } });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, "1", "the client has subscribed to one name");
    await client.replies([act]);
    assert.equal((await lines.next()).value, told);
    const ended = once(child, "close");
    child.kill();
    await ended;
  }
});

test("an unknown key is refused, and the client ends with the daemon", { skip }, async () => {
  using folder = makeFolder();
  const files = [makeKeyPair(), pair].map(({ privateKey }, index) => {
    const file = join(folder.path, `${index}.pem`);
    writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    return file;
  });

  const daemon = await startDaemon(["-s", pair.file, "--ws", "0"]);
  const server = await serverOf(daemon);
  const argsOf = (file: string | undefined) => [FILE, "--key", String(file), "--server", server];

  const refused = await run(PYTHON, [...argsOf(files[0]), "PING"], { env });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^listen\.py: unknown-key: /);

  const child = spawn(PYTHON, [...argsOf(files[1]), "SUBSCRIBE", "news"], {
    env: { ...process.env, ...env },
  });
  await once(child.stdout, "data");
  const ended = once(child, "close");
  await daemon[Symbol.asyncDispose]();
  assert.equal((await ended)[0], 1);
});
