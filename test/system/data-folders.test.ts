/** Tests data folders that a daemon must not modify, and a full disk. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DbsyncError } from "../../client/public-api.js";
import { timelineFolder } from "../../daemon/timeline/disk/lmdb-reader.js";
import { lines } from "../../faces/redis/test/redis-comparison.js";
import { exchange } from "../../faces/redis/test/scene.js";
import { type DaemonProcess, runDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { skipWithout } from "../support/requirements.js";
import { Trio } from "../support/trio.js";

/** The timeout in milliseconds. It is long because the machine may be busy. */
const LEVEL_MS = 120_000;

let trio: Trio;
before(async () => {
  trio = await Trio.start(["--admin", "0", "--resp", "0"]);
});
after(() => trio[Symbol.asyncDispose]());

test("a daemon refuses to start with keys other than the folder's, and does not modify the folder", async () => {
  await using client = trio.client();
  await client.send("SET k v", { replicated: 3 });
  await trio.end(2, "SIGKILL");
  const args = trio.argsOf(2).map((arg) => (arg === trio.app.file ? makeKeyPair().file : arg));
  const { code, stderr } = await runDaemon(args);
  assert.equal(code, 2);
  assert.match(stderr, /created with other keys.*dbsync keys add FILE/s);
  await trio.start(2);
  await trio.level(LEVEL_MS);
});

test("a second daemon refuses to start on the same folder, even while the first daemon is frozen", async () => {
  const args = ["-p", "0", "-s", trio.app.file, "--root-key", trio.root.file, "--data", trio.folder(0)];
  for (const isFrozen of [false, true]) {
    if (isFrozen) trio.daemon(0).kill("SIGSTOP");
    const { code, stderr } = await runDaemon(args);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`in use by process ${trio.daemon(0).pid}`));
  }
  trio.daemon(0).kill("SIGCONT");
  await using client = trio.client();
  assert.equal(await client.send("SET k v"), "OK");
  await trio.until("the daemon continues", async () => (await trio.status(0)).state === "live");
});

test("a daemon with a full disk refuses and reports writes, serves reads and peers, and recovers when space is free", {
  skip: skipWithout("prlimit"),
}, async () => {
  await using client = trio.client([0]);
  await client.send("SET k v", { replicated: 3 });

  limitFiles(trio.daemon(0), statSync(join(timelineFolder(trio.folder(0)), "data.mdb")).size + 65_536);
  const acknowledged: string[] = [];
  const refused = await fill(async (key) => {
    await client.send(["SET", key, "x".repeat(10_000)]);
    acknowledged.push(key);
  });
  assert.match(refused.message, /storage-failed/);
  const line = await trio.daemon(0).logged(({ level, msg }) => level === "error" && /data folder/.test(msg));
  assert.match(JSON.stringify(line), /reason/);

  // Reads are refused until the state no longer includes the writes that the disk does not have.
  let read: string | null | undefined;
  await trio.until("the daemon serves reads", async () => {
    read = await client.send("GET k");
    return true;
  });
  assert.equal(read, "v");

  assert.notEqual((await trio.status(0)).failure, null);
  const health = await fetch(
    `http://127.0.0.1:${await trio.daemon(0).portOf("/healthz and /metrics")}/healthz`,
  );
  assert.equal(health.status, 503);

  // The ready check of a Redis client sends this command.
  const info = await exchange(await trio.daemon(0).portOf("Redis clients"), lines("INFO persistence"));
  assert.match(info, /^loading:0\r$/m, "it reads");
  assert.match(info, /^aof_last_write_status:err\r$/m, "INFO reports the failed writes");

  await using others = trio.client([1, 2]);
  assert.equal(await others.send("SET k w", { replicated: 2 }), "OK");

  await trio.end(0, "SIGTERM");
  await trio.start(0);
  await trio.level(LEVEL_MS);
  await using reader = trio.client([0]);
  assert.equal(await reader.call(["EXISTS", ...acknowledged]), acknowledged.length);
  assert.equal(await reader.send("GET k"), "w");
});

/** Limits the size of the files that a process writes. */
function limitFiles({ pid }: DaemonProcess, bytes: number): void {
  execFileSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:${bytes}`]);
}

const WRITES_MAX = 10_000;

/** Writes until a write fails. @returns the error */
async function fill(write: (key: string) => Promise<void>): Promise<DbsyncError> {
  for (let number = 0; number < WRITES_MAX; number++) {
    try {
      await write(`fill:${number}`);
    } catch (problem) {
      assert.ok(problem instanceof DbsyncError);
      return problem;
    }
  }
  throw new Error("no write failed");
}
