/** Tests that a full disk does not damage the log's JSON lines, although LMDB prints to standard error itself. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { createClient } from "../../client/public-api.js";
import { makeFolder } from "../daemon/replicas.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { programPaths } from "../support/programs.js";

/** The size of values in bytes. */
const VALUE_BYTES = 1000;
/** The size of the database file that is larger than each file of the log, in bytes. */
const DATABASE_BYTES = 18_000_000;
/** More values than fit in the file. */
const BATCHES_MAX = 1000;
const BATCH = 200;

/**
 * The number of daemons that are tried: LMDB writes the text of its error into a buffer that may be too short for it, and
 * then ends the process. The larger the values are, the more often this happens.
 */
const ATTEMPTS_MAX = 3;

/** Whether the file size of a running process can be limited. */
const hasPrlimit = spawnSync("prlimit", ["--version"]).status === 0;

test("each log line of a daemon whose disk is full is a JSON object, with standard error in the same stream", {
  skip: hasPrlimit ? false : "prlimit is not installed",
}, async () => {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const { lines, isEndedByLmdb } = await printedOnFullDisk();
    assert.ok(
      lines.some((line) => line.includes("Write error")),
      "LMDB prints its error",
    );
    for (const line of lines.filter((each) => each.includes('{"level":'))) JSON.parse(line);
    if (isEndedByLmdb) continue;
    assert.ok(
      lines.some((line) => line.startsWith('{"level":"error"') && line.includes("can no longer be written")),
    );
    return;
  }
});

/** Returns what a daemon prints until its disk is full and it has stopped, and whether LMDB ended it. */
async function printedOnFullDisk(): Promise<{ lines: readonly string[]; isEndedByLmdb: boolean }> {
  using folder = makeFolder();
  const key = makeKeyPair();
  const port = await freePort();
  const data = join(folder.path, "data");
  const args = ["-p", String(port), "-s", key.file, "--data", data, "--log-format", "json"];
  const script = 'exec "$@" 2>&1';
  const program = ["sh", process.execPath, programPaths.dbsyncd, ...args];
  const daemon = spawn("sh", ["-c", script, ...program], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  const output = createInterface(daemon.stdout);
  const ready = new Promise<void>((resolve) => {
    output.on("line", (line) => {
      lines.push(line);
      if (/"msg":"ready/.test(line)) resolve();
    });
  });
  const ended = once(daemon, "exit");
  await Promise.race([ready, ended]);
  await using client = createClient({ servers: [`127.0.0.1:${port}`], key: key.privateKey });
  const database = join(data, "timeline", "data.mdb");
  let failure: unknown = null;
  let isLimited = false;
  for (let batch = 0; batch < BATCHES_MAX && failure === null; batch++) {
    const calls = Array.from({ length: BATCH }, (_, number) =>
      client.call(["SET", `k${batch * BATCH + number}`, "v".repeat(VALUE_BYTES)]),
    );
    for (const { reason } of (await Promise.allSettled(calls)) as { reason?: unknown }[])
      failure ??= reason ?? null;
    const { size } = statSync(database);
    if (isLimited || size < DATABASE_BYTES) continue;
    // From now on, the file cannot grow.
    isLimited = true;
    const { status, stderr } = spawnSync("prlimit", ["--pid", String(daemon.pid), `--fsize=${size}`]);
    assert.equal(status, 0, String(stderr));
  }
  daemon.kill("SIGTERM");
  const [, signal] = await ended;
  const isEndedByLmdb = signal === "SIGABRT" || signal === "SIGSEGV";
  if (!isEndedByLmdb) assert.match(String(failure), /storage-failed/);
  return { lines, isEndedByLmdb };
}
