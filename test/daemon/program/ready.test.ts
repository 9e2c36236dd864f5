/** Tests the notifications of the daemon to systemd, and SIGHUP before the daemon is ready. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { startDaemon } from "../../support/daemon-process.js";
import { programPaths } from "../../support/programs.js";
import { RawClient } from "../../support/raw-client.js";
import { skipWithout } from "../../support/requirements.js";
import { until } from "../../support/until.js";

const folder = mkdtempSync(join(tmpdir(), "dbsync-ready-"));
after(() => rmSync(folder, { recursive: true }));

/**
 * A Python program that prints a line for each received datagram. Like systemd it closes the received descriptors,
 * which confirms the receipt to the sender.
 */
const SYSTEMD = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print("listening", flush=True)
while True:
    print(repr(receiver.recv(4096).decode()), flush=True)
`;

async function startSystemd(path: string): Promise<AsyncDisposable & { next(): Promise<string> }> {
  const child = spawn("/usr/bin/python3", ["-c", SYSTEMD, path], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string;
  assert.equal(await next(), "listening");
  return {
    next,
    async [Symbol.asyncDispose]() {
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
    },
  };
}

test("systemd is notified when the daemon is ready", { skip: skipWithout("systemd-notify") }, async () => {
  const path = join(folder, "notify");
  await using systemd = await startSystemd(path);
  await using daemon = await startDaemon([], { env: { NOTIFY_SOCKET: path } });
  assert.match(await systemd.next(), /READY=1/);
  using client = await RawClient.open(daemon.port);
  assert.ok(client);
  assert.equal((await daemon.stop()).code, 0);
});

test("a daemon that cannot notify systemd logs this, and serves clients", async () => {
  await using daemon = await startDaemon([], { env: { NOTIFY_SOCKET: join(folder, "no-such-socket") } });
  const line = await daemon.logged(({ msg }) => msg.startsWith("could not notify systemd"));
  assert.equal(line.level, "warn");
  using client = await RawClient.open(daemon.port);
  assert.ok(client);
  assert.equal((await daemon.stop()).code, 0);
});

/** Matches a process that has a handler for SIGHUP (signal 1), in /proc/PID/status. */
const HANDLES_SIGHUP = /^SigCgt:\s[0-9a-f]*[13579bdf]$/m;

test("many SIGHUPs do not end a starting daemon once it handles the signal", async (t) => {
  const child: ChildProcess = spawn(process.execPath, [programPaths.dbsyncd, "--port", "0"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  const closed = once(child, "close");
  let log = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (log += text));

  let isSent = false;
  const signal = async () => {
    assert.equal(child.exitCode ?? child.signalCode, null, log);
    if (HANDLES_SIGHUP.test(readFileSync(`/proc/${child.pid}/status`, "utf8"))) isSent = child.kill("SIGHUP");
    await delay(1);
  };
  const isReadAgain = () => /configuration and keys read again/.test(log);
  await until("the daemon has read the configuration again", isReadAgain, { pause: signal });

  assert.ok(isSent);
  child.kill("SIGTERM");
  assert.deepEqual(await closed, [0, null]);
});
