/** Tests the lines that a daemon logs at its start: its data folder, and that it is ready. */
import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { test } from "node:test";
import type { Logger } from "pino";
import { StateLog } from "../../../daemon/program/state-log.js";
import type { StateName } from "../../../protocol/state-names.js";
import { runDbsync } from "../../client/child.js";
import { some } from "../../support/amount.js";
import { writeCertificate } from "../../support/certificate-files.js";
import { startDaemonHere } from "../../support/daemon-here.js";
import type { LogLine } from "../../support/daemon-process.js";
import { double } from "../../support/double.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { startRedis } from "../../support/redis-server.js";
import { skipWithout } from "../../support/requirements.js";
import { ScratchFolder } from "../../support/scratch-folder.js";
import { Trio } from "../../support/trio.js";
import { until } from "../../support/until.js";

const pair = makeKeyPair();

const isReady = ({ msg }: LogLine) => msg.startsWith("ready");
const isRefusing = ({ msg }: LogLine) => msg === "writes are refused";

/** Runs the command of a line that a daemon is ready. @returns what it prints */
async function tried({ msg }: LogLine, key: string): Promise<string> {
  const args = msg.replace("private.pem", key).split(" ").slice(3);
  const { stdout, stderr } = await runDbsync(args);
  return stdout + stderr;
}

test("the line that a daemon is ready waits for a state that serves clients", async () => {
  const lines: string[] = [];
  let state: StateName = "catching-up";
  const stateLog = new StateLog(
    () => ({ state, reason: "" }),
    double<Logger>({ info: (line: unknown) => void lines.push(String(line)) }),
  );
  stateLog.started("; try it");
  assert.deepEqual(lines, []);
  state = "live";
  await until("the line", () => lines.length > 0);
  assert.deepEqual(lines, ["ready; try it"]);
  await stateLog.stop();
});

test("a daemon is ready when it accepts commands, not while its database is down", {
  skip: skipWithout("redis-server"),
}, async () => {
  const port = await freePort();
  await using daemon = await startDaemonHere(["-d", `redis:127.0.0.1:${port}`]);
  await daemon.logged(isRefusing);
  assert.equal(daemon.log.find(isReady), undefined);
  await using redis = await startRedis({ port });
  assert.equal(redis.port, port);
  assert.equal(await tried(await daemon.logged(isReady), ""), "PONG\n");
});

test("the command of the line works with the daemon's own certificate, which no authority has signed", async () => {
  using folder = new ScratchFolder();
  const files = await writeCertificate(folder.path, { names: ["db1.example.org"] });
  await using daemon = await startDaemonHere([
    "-s",
    pair.file,
    "--tls-cert",
    files.certificate,
    "--tls-key",
    files.key,
  ]);
  const line = await daemon.logged(isReady);
  assert.ok(
    line.msg.includes(` -s dbsyncs://127.0.0.1:${daemon.port}#sha256:${files.fingerprint} -k `),
    line.msg,
  );
  assert.equal(await tried(line, folder.privateKey(pair)), "PONG\n");
});

test("a daemon that waits for its peers is ready when it accepts writes, and says so once", async () => {
  using folder = new ScratchFolder();
  await using trio = await Trio.make([], 2, { isInMemory: true, keys: "app", app: pair, areHere: true });
  const one = await trio.start(0);
  await one.logged(isRefusing);
  assert.equal(one.log.find(isReady), undefined);
  const two = await trio.start(1);
  for (const daemon of some([one, two])) {
    assert.equal(await tried(await daemon.logged(isReady), folder.privateKey(pair)), "PONG\n");
    assert.equal(daemon.log.filter(isReady).length, 1);
  }
});

test("the log names the path of a data folder: that it is new, or its entries and the date of the last one", async () => {
  using folder = new ScratchFolder();
  const data = folder.path;
  // A relative path, as in a terminal.
  const args = ["-s", pair.file, "--data", relative(process.cwd(), join(data, "own"))];
  const folderLine = ({ msg }: LogLine) => msg.endsWith("data folder");
  const before = Date.now();
  {
    await using daemon = await startDaemonHere(args);
    const { msg, data: path, entries } = await daemon.logged(folderLine);
    assert.deepEqual([msg, path, entries], ["created a new data folder", join(data, "own"), undefined]);
    using client = await EnvelopeClient.open(daemon.port, pair);
    for (const each of ["a", "b"]) await client.replies([["SET", each, "1"]]);
    await daemon.stop();
  }

  await using daemon = await startDaemonHere(args);
  const { msg, data: path, entries, last } = await daemon.logged(folderLine);
  assert.deepEqual([msg, path, entries], ["opened the data folder", join(data, "own"), 2]);
  const date = Date.parse(String(last));
  assert.ok(date >= before && date <= Date.now(), String(last));
});
