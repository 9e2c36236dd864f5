/**
 * Tests that a daemon whose disk is full refuses writes, and runs until it is stopped. LMDB would end the process if it
 * found the disk full itself, so the daemon has to find it before each commit. Each log line remains a JSON line.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { createClient } from "../../client/public-api.js";
import { makeFolder } from "../daemon/program/replicas.js";
import { amount } from "../support/amount.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { programPaths } from "../support/programs.js";
import { skipWithout } from "../support/requirements.js";
import { stopProcess } from "../support/stop-process.js";
import { until } from "../support/until.js";

/** The number of daemons that are tried with each size of values: LMDB would not end all of them. */
const DAEMONS = amount(1, 5);
/** The sizes of values in bytes: LMDB writes the short ones as part of a page, and each long one to several pages. */
const VALUE_BYTES = [1000, 10_000] as const;
/** The size of the database file that is larger than each file of the log, and than both files, in bytes. */
const DATABASE_BYTES = { one: 18_000_000, both: 40_000_000 } as const;
/** The size of the small disk. */
const DISK = "size=160m";
/** More batches than fit on the disk, and the bytes of values in a batch. */
const BATCHES_MAX = 2000;
const BATCH_BYTES = 200_000;

interface Run {
  readonly data: string;
  readonly valueBytes: number;
  /** The size of the database file at which the disk becomes full. */
  readonly databaseBytes: number;
  /** Makes the disk full. From then on, only the log can be written. */
  readonly fill: (pid: number, database: string) => Promise<void>;
}

for (const valueBytes of VALUE_BYTES)
  test(`a daemon whose files can no longer grow refuses writes, and logs JSON lines (values of ${valueBytes} bytes)`, {
    skip: skipWithout("prlimit"),
  }, async () => {
    for (let daemon = 0; daemon < DAEMONS; daemon++) {
      using folder = makeFolder();
      const fill = async (pid: number, database: string) => {
        // Stop the daemon for this moment, so that the file does not grow between both calls.
        await stopProcess(pid);
        const { size } = statSync(database);
        const { status, stderr } = spawnSync("prlimit", ["--pid", String(pid), `--fsize=${size}`]);
        process.kill(pid, "SIGCONT");
        assert.equal(status, 0, String(stderr));
      };
      await checkFull({
        data: join(folder.path, "data"),
        valueBytes,
        databaseBytes: DATABASE_BYTES.one,
        fill,
      });
    }
  });

test("a daemon whose disk is filled by another program refuses writes, and logs JSON lines", async (context) => {
  const disk = mkdtempSync(join(tmpdir(), "dbsync-small-"));
  try {
    if (spawnSync("mount", ["-t", "tmpfs", "-o", DISK, "none", disk]).status !== 0)
      return context.skip("this user cannot mount a small disk");
    // The daemon takes some of the space meanwhile.
    const fill = async () => {
      const { blocks, bsize } = statfsSync(disk);
      assert.throws(() => writeFileSync(join(disk, "other"), Buffer.alloc(blocks * bsize)), /ENOSPC/);
    };
    const [, valueBytes] = VALUE_BYTES;
    await checkFull({ data: join(disk, "data"), valueBytes, databaseBytes: DATABASE_BYTES.both, fill });
  } finally {
    spawnSync("umount", ["--lazy", disk]);
    rmSync(disk, { recursive: true });
  }
});

/** Writes to a daemon until its disk is full and it refuses a write, and checks its log and its end. */
async function checkFull(run: Run): Promise<void> {
  const key = makeKeyPair();
  const port = await freePort();
  const args = ["-p", String(port), "-s", key.file, "--data", run.data, "--log-format", "json"];

  // Standard error is in the same stream as the log, because LMDB prints its errors there.
  const program = ["sh", process.execPath, programPaths.dbsyncd, ...args];
  const daemon = spawn("sh", ["-c", 'exec "$@" 2>&1', ...program], { stdio: ["ignore", "pipe", "inherit"] });
  using _ = { [Symbol.dispose]: () => void daemon.kill("SIGKILL") };

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
  const database = join(run.data, "timeline", "data.mdb");
  const batch = Math.ceil(BATCH_BYTES / run.valueBytes);
  let failure: unknown = null;
  let isFull = false;

  for (let number = 0; number < BATCHES_MAX && failure === null; number++) {
    const calls = Array.from({ length: batch }, (_, index) =>
      client.call(["SET", `k${number * batch + index}`, "v".repeat(run.valueBytes)]),
    );
    for (const { reason } of (await Promise.allSettled(calls)) as { reason?: unknown }[])
      failure ??= reason ?? null;

    if (isFull || statSync(database).size < run.databaseBytes) continue;
    isFull = true;
    await run.fill(daemon.pid as number, database);
  }

  assert.ok(isFull, "the daemon wrote enough before its disk was full");
  assert.match(String(failure), /storage-failed/);

  // Reads are refused until the state no longer includes what the disk does not have.
  const isServed = () => client.call(["EXISTS", "k0"]).catch(() => null);
  await until("the daemon serves reads", async () => (await isServed()) === 1);

  daemon.kill("SIGTERM");
  const [code, signal] = await ended;
  assert.deepEqual([code, signal], [0, null], lines.slice(-5).join("\n"));

  for (const line of lines) JSON.parse(line);
  assert.ok(
    lines.some(
      (line) => line.startsWith('{"level":"error"') && /can no longer be written \((EFBIG|ENOSPC)/.test(line),
    ),
    lines.slice(-5).join("\n"),
  );
}
