/** Tests the timeline on disk: order, restarts, kills, a full or failing disk, and one process per folder. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { DiskStorage, type Fsync } from "../../../../daemon/timeline/disk/disk-storage.js";
import { entrySlices, SLICE_BYTES } from "../../../../daemon/timeline/disk/lmdb-reader.js";
import { LOG_END_FILE } from "../../../../daemon/timeline/disk/log-record.js";
import { FolderInUse } from "../../../../daemon/timeline/disk/timeline-folder.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { ENTRY_ORDER_KEY_BYTES } from "../../../../protocol/version-2/envelope.js";
import { some } from "../../../support/amount.js";
import { until } from "../../../support/until.js";
import { contentOf, KEPT, orderKeyOf, type ValueSize, WORKERS } from "../support/disk-child.js";
import { failingLog } from "../support/failing-log.js";
import { storageCases } from "../support/storage-cases.js";

const CHILD = fileURLToPath(new URL("../support/disk-child.js", import.meta.url));
/**
 * The number of acknowledgements after which the test kills the process: before or after LMDB has stored the first of
 * them.
 */
const ACKNOWLEDGED_MIN = [2000, 200, 6000] as const;
/** With more acknowledgements, LMDB may have stored the first of them. */
const EARLY_MAX = 150;

test("an iteration reads only a few long values ahead", () => {
  const value = Buffer.alloc(300_000);
  const keys = Array.from({ length: 100 }, (_, i) => writeOrderKey({ at: i, seq: 0, id: "i".repeat(32) }));

  let read = 0;
  const database = {
    *getRange({ start, limit }: { start?: Buffer; limit: number }) {
      for (const key of keys
        .filter((one) => start === undefined || one.compare(start) >= 0)
        .slice(0, limit)) {
        read++;
        yield { key, value };
      }
    },
  };

  const found: Buffer[] = [];
  for (const { items } of entrySlices(database as unknown as Parameters<typeof entrySlices>[0], null, null)) {
    const ahead = read - found.length;
    assert.ok(ahead * value.length < SLICE_BYTES + value.length, `${ahead} ahead`);
    for (const item of items) found.push(item.key);
  }
  assert.deepEqual(found, keys);
});

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-disk-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const fsyncs: readonly Fsync[] = ["always", { interval: 20 }, "never"];
for (const fsync of fsyncs) {
  storageCases(`the disk (--fsync ${JSON.stringify(fsync)})`, (use) =>
    withFolder(async (folder) => {
      const storage = new DiskStorage(folder, fsync, failingLog);
      try {
        await use(storage);
      } finally {
        await storage.close();
      }
    }),
  );

  test(`flushed data survives a restart (--fsync ${JSON.stringify(fsync)})`, () =>
    withFolder(async (folder) => {
      const orderKey = writeOrderKey({ at: 5, seq: 0, id: "i".repeat(32) });
      const first = new DiskStorage(folder, fsync, failingLog);
      first.put([[orderKey, Buffer.from("value")]], [["watermark", Buffer.from("7")]]);
      await first.synced();
      await first.close();
      const second = new DiskStorage(folder, fsync, failingLog);
      assert.equal(second.get(orderKey)?.toString(), "value");
      assert.equal(second.mark("watermark")?.toString(), "7");
      assert.ok(second.bytes > 0);
      await second.close();
    }));
}

test("a folder is accessible only to its owner, and only one process can open it at a time", () =>
  withFolder(async (data) => {
    const folder = join(data, "new");
    const storage = new DiskStorage(folder, "always", failingLog);
    assert.equal(statSync(join(folder, "timeline")).mode & 0o777, 0o700);
    assert.throws(() => new DiskStorage(folder, "always", failingLog), FolderInUse);
    await storage.close();
    await new DiskStorage(folder, "always", failingLog).close();
  }));

test("only the owner can read the files of a folder, whatever the umask, and whatever their modes were before", () =>
  withFolder(async (data) => {
    const folder = join(data, "timeline");
    const open = async () => {
      const storage = new DiskStorage(data, "always", failingLog);
      storage.put([[writeOrderKey({ at: 5, seq: 0, id: "i".repeat(32) }), Buffer.from("value")]]);
      await storage.synced();
      const files = readdirSync(folder);
      await storage.close();
      return files;
    };
    const modes = () => readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777]);

    const umask = process.umask(0);
    try {
      const files = await open();
      assert.deepEqual(
        ["data.mdb", "lock.mdb"].filter((name) => !files.includes(name)),
        [],
      );
      assert.deepEqual(
        modes(),
        readdirSync(folder).map((name) => [name, 0o600]),
      );

      for (const name of ["data.mdb", "lock.mdb"]) chmodSync(join(folder, name), 0o664);
      await open();
      assert.deepEqual(
        modes(),
        readdirSync(folder).map((name) => [name, 0o600]),
      );
    } finally {
      process.umask(umask);
    }
  }));

test("a storage refuses a folder that another process uses, and names that process", () =>
  withFolder(async (folder) => {
    const { child, acknowledged } = startChild(folder);
    await until("an entry is acknowledged", () => acknowledged.length > 0);
    assert.throws(
      () => new DiskStorage(folder, "always", failingLog),
      new RegExp(`in use by process ${child.pid}`),
    );
    child.kill("SIGKILL");
    await once(child, "exit");
  }));

/** The beginning of a command line that runs a program with process id 1, as in a container. */
const CONTAINER = ["unshare", "--kill-child", "-p", "-f", "--mount-proc"] as const;
const canContain = spawnSync(CONTAINER[0], [...CONTAINER.slice(1), "true"]).status === 0;

test("a folder that a process of another container uses is refused", { skip: !canContain }, () =>
  withFolder(async (folder) => {
    const { child, acknowledged } = startChild(folder, { wrapper: CONTAINER });
    try {
      await until("an entry is acknowledged", () => acknowledged.length > 0);
      const inUse = /in use by a process of another container/;
      const lock = join(folder, "timeline", "lock");
      const text = readFileSync(lock, "latin1");
      assert.throws(() => new DiskStorage(folder, "always", failingLog), inUse);

      // The second process has the same process id. In containers most daemons have process id 1.
      const args = [...CONTAINER.slice(1), process.execPath, CHILD, folder, "always", "small", "0"];
      const second = spawnSync(CONTAINER[0], args, { encoding: "utf8", timeout: 60_000 });
      assert.match(second.stderr, inUse);
      assert.equal(readFileSync(lock, "latin1"), text, "the first process's lock is restored");

      const before = acknowledged.length;
      await until("another entry is acknowledged", () => acknowledged.length > before);
    } finally {
      child.kill("SIGKILL");
      await once(child, "close");
    }

    const storage = new DiskStorage(folder, "always", failingLog);
    checkLeft(storage, acknowledged.map(Number));
    await storage.close();
  }),
);

test("a process that only reads the folder does not prevent another process from opening it", () =>
  withFolder(async (folder) => {
    await new DiskStorage(folder, "always", failingLog).close();
    const readCode = `import("lmdb").then(({ open }) => {
      const root = open({ path: process.argv[1], readOnly: true, maxDbs: 4 });
      root.openDB("marks", { encoding: "binary", keyEncoding: "binary" }).get(Buffer.from("genesis"));
      process.stdout.write("looks");
      setInterval(() => {}, 1000);
    })`;
    const child = spawn(process.execPath, ["-e", readCode, join(folder, "timeline")]);
    await once(child.stdout, "data");
    await new DiskStorage(folder, "always", failingLog).close();
    child.kill("SIGKILL");
    await once(child, "close");
  }));

test("a lock left by an earlier process with the same process id does not prevent opening the folder", () =>
  withFolder(async (folder) => {
    await new DiskStorage(folder, "always", failingLog).close();
    for (const text of [`${process.pid} 1\n`, `${process.ppid} 1\n`, "4194303 1\n", "garbage", ""]) {
      writeFileSync(join(folder, "timeline", "lock"), text);
      await new DiskStorage(folder, "always", failingLog).close();
    }
  }));

/**
 * The microseconds that an inline write may take. With this value the event loop makes all writes, however slow the
 * disk is.
 */
const INLINE_MICROS = 1e9;

for (const [fsync, inlineMicros] of [
  ["always", 0],
  ["always", INLINE_MICROS],
  ["interval=20", 0],
  ["never", 0],
] as const) {
  const how = `--fsync ${fsync}, ${inlineMicros === 0 ? "threads" : "inline"}`;
  test(`everything that a killed process had flushed is on the disk (${how})`, () =>
    withFolder(async (folder) => {
      for (const minimum of some(ACKNOWLEDGED_MIN)) {
        const { child, acknowledged } = startChild(folder, { fsync, inlineMicros });
        await until("enough entries are acknowledged", () => acknowledged.length >= minimum);
        child.kill("SIGKILL");
        await once(child, "close");
        const storage = new DiskStorage(folder, "always", failingLog);
        checkLeft(storage, acknowledged.map(Number));
        await storage.close();
      }
    }));
}

/** Checks that acknowledged entries are in the storage, and removed entries are not. */
function checkLeft(storage: DiskStorage, acknowledged: readonly number[]): void {
  const newest = new Map(acknowledged.map((number) => [number % WORKERS, number]));
  for (const number of acknowledged) {
    const last = newest.get(number % WORKERS) as number;
    const age = (last - number) / WORKERS;
    const value = storage.get(orderKeyOf(number));
    if (age < KEPT - 1) assert.deepEqual(value, contentOf(number), `entry ${number} is lost`);
    else if (age >= KEPT) assert.equal(value, null, `entry ${number} is back`);
  }
  const mark = Number(storage.mark("watermark"));
  assert.ok(mark >= Math.max(...acknowledged) - WORKERS, `mark ${mark}`);
}

test("the next start writes to LMDB the groups that LMDB did not have when the process ended", () =>
  withFolder(async (folder) => {
    const copy = join(folder, "copy");
    const storage = new DiskStorage(join(folder, "data"), "always", failingLog);
    const file = (data: string, name: string) => join(data, "timeline", name);

    for (let number = 0; number < 100; number++) storage.put([[orderKeyOf(number), contentOf(number)]]);
    storage.put([], [["genesis", Buffer.from("g")]]);
    await storage.settled();
    await new DiskStorage(copy, "always", failingLog).close();
    copyFileSync(file(join(folder, "data"), "data.mdb"), file(copy, "data.mdb"));

    for (let number = 100; number < 200; number++) {
      storage.put([[orderKeyOf(number), contentOf(number)]], [["watermark", Buffer.from(String(number))]]);
      storage.remove([orderKeyOf(number - 50)]);
      if (number % 10 === 0) await storage.flushed();
    }
    await storage.flushed();

    // LMDB is restored to an earlier state, but the log is not.
    for (const name of ["log-1", "log-2"]) copyFileSync(file(join(folder, "data"), name), file(copy, name));
    await storage.close();

    for (let round = 0; round < 2; round++) {
      const next = new DiskStorage(copy, "always", failingLog);
      const expected = [...Array(50).keys(), ...Array.from({ length: 50 }, (_, i) => 150 + i)];
      assert.deepEqual([...next.orderKeys(null, null)], expected.map(orderKeyOf));
      assert.equal(next.mark("watermark")?.toString(), "199");
      assert.equal(next.mark("genesis")?.toString(), "g");
      await next.close();
    }

    assert.equal(statSync(file(copy, "log-1")).size, 0, "a stopped daemon's folder needs no log");
  }));

/**
 * Kills a child before LMDB has stored its first group, which is then only in the log. On a busy machine, more than one
 * attempt may be necessary.
 * @returns the numbers of the acknowledged entries
 */
async function killEarly(folder: string): Promise<readonly number[]> {
  let numbers: readonly number[] = [];
  await until(`a killed child has acknowledged fewer than ${EARLY_MAX} entries`, async () => {
    rmSync(join(folder, "timeline"), { recursive: true, force: true });
    const { child, acknowledged } = startChild(folder);
    await until("ten entries are acknowledged", () => acknowledged.length >= 10);
    child.kill("SIGKILL");
    await once(child, "close");
    numbers = acknowledged.map(Number);
    return numbers.length < EARLY_MAX;
  });
  return numbers;
}

test("a damaged log is reported and moved aside, and the groups after the damage are used", () =>
  withFolder(async (folder) => {
    const acknowledged = await killEarly(folder);
    const path = join(folder, "timeline", "log-1");
    const bytes = readFileSync(path);

    // The first group contains the first entries of all workers.
    const first = bytes.indexOf(orderKeyOf(0));
    assert.notEqual(first, -1);
    bytes[first + ENTRY_ORDER_KEY_BYTES + 100]! ^= 1;
    writeFileSync(path, bytes);

    const reports: object[] = [];
    const storage = new DiskStorage(folder, "always", {
      ...failingLog,
      error: (facts) => reports.push(facts),
    });
    assert.deepEqual(reports, [
      { lost: 1, kept: ["log-1", "log-2"].map((name) => join(folder, "timeline", `${name}.damaged`)) },
    ]);

    assert.equal(storage.get(orderKeyOf(0)), null);
    const last = Math.max(...acknowledged);
    assert.deepEqual(storage.get(orderKeyOf(last)), contentOf(last));
    await storage.close();
    await new DiskStorage(folder, "always", failingLog).close();
    assert.ok(existsSync(`${path}.damaged`));
  }));

for (const fsync of ["always", "never"] as const)
  test(`with --fsync ${fsync}, a storage ${fsync === "never" ? "may have" : "has not"} forgotten writes if the machine may have restarted`, () =>
    withFolder(async (folder) => {
      const { child, acknowledged } = startChild(folder);
      await until("ten entries are acknowledged", () => acknowledged.length >= 10);
      child.kill("SIGKILL");
      await once(child, "close");

      const same = new DiskStorage(folder, fsync, failingLog);
      assert.equal(same.mayHaveForgotten, false);
      await same.close();

      const path = join(folder, "timeline", LOG_END_FILE);
      const bytes = readFileSync(path);
      // The id of another start of the machine.
      bytes[bytes.length - 1]! ^= 1;
      bytes.writeUInt32BE(crc32(bytes.subarray(4)));
      writeFileSync(path, bytes);

      const next = new DiskStorage(folder, fsync, { ...failingLog, warn: () => {} });
      assert.equal(next.mayHaveForgotten, fsync === "never");
      await next.close();
    }));

test("data put after closing is dropped and not acknowledged; closing twice is harmless", () =>
  withFolder(async (folder) => {
    const storage = new DiskStorage(folder, "always", failingLog);
    storage.put([[orderKeyOf(1), contentOf(1)]]);
    const closing = storage.close();
    storage.put([[orderKeyOf(2), contentOf(2)]]);
    await assert.rejects(storage.flushed(), /is closed/);
    await Promise.all([closing, storage.close()]);
    const next = new DiskStorage(folder, "always", failingLog);
    assert.deepEqual([...next.orderKeys(null, null)], [orderKeyOf(1)]);
    await next.close();
  }));

test("a storage whose folder was removed no longer acknowledges writes", () =>
  withFolder(async (data) => {
    const folder = join(data, "gone");
    const storage = new DiskStorage(folder, "always", failingLog);
    storage.put([[orderKeyOf(1), contentOf(1)]]);
    await storage.flushed();
    rmSync(folder, { recursive: true });
    assert.ok(storage.bytes >= 0);
    storage.put([[orderKeyOf(2), contentOf(2)]]);
    await assert.rejects(storage.flushed(), /can no longer be written \(ENOENT.*nothing is acknowledged/);
    await storage.close();
  }));

/** Maximum file size in blocks of 512 or 1024 bytes: one is too small for the log, the other only for LMDB's file. */
const BLOCKS_MAX = { small: 2048, large: 40_000 } as const;

for (const [size, inlineMicros] of [
  ["small", 0],
  ["small", INLINE_MICROS],
  ["large", 0],
] as const) {
  test(`a full disk is reported for all later writes, and flushed data stays (${size} values, ${inlineMicros} µs inline)`, () =>
    withFolder(async (folder) => {
      const wrapper = ["sh", "-c", `ulimit -f ${BLOCKS_MAX[size]}; exec "$@"`, "sh"];
      const { child, acknowledged, lines } = startChild(folder, { size, wrapper, inlineMicros });
      await once(child, "close");

      const failures = lines.filter((line) => line.startsWith("failed: "));
      assert.equal(failures.length, 2, lines.slice(-3).join("\n"));
      assert.equal(failures[0], failures[1]);
      assert.match(
        failures[0] as string,
        /can no longer be written \((EFBIG|ENOSPC): [^)]+\): nothing is acknowledged/,
      );

      const storage = new DiskStorage(folder, "always", failingLog);
      if (size === "small") checkLeft(storage, acknowledged.map(Number));
      else
        for (const number of acknowledged.map(Number))
          assert.deepEqual(
            storage.get(orderKeyOf(number)),
            contentOf(number, size),
            `entry ${number} is lost`,
          );
      await storage.close();
    }));
}

test("a write by a thread is not reported as flushed before it has completed", () =>
  withFolder(async (folder) => {
    const storage = new DiskStorage(folder, "always", failingLog);
    assert.ok(storage.flushNow(), "nothing was put");
    for (let number = 0; number < 20; number++) {
      await sleep(1);
      storage.put([[orderKeyOf(number), contentOf(number)]]);
      assert.ok(!storage.flushNow(), `entry ${number}`);
      await storage.flushed();
      assert.ok(storage.flushNow(), `entry ${number}, after it was flushed`);
    }
    await storage.close();
  }));

test("a write flushed by an idle event loop survives the process, and all data of one turn is written in one operation", () =>
  withFolder(async (folder) => {
    const [copied, copy] = [join(folder, "data"), join(folder, "copy")];
    const storage = new DiskStorage(copied, "always", failingLog, INLINE_MICROS);
    storage.put([[orderKeyOf(0), contentOf(0)]]);
    await until("the file has grown", () => storage.bytes > 200_000);
    await storage.settled();
    await sleep(1);

    storage.put([[orderKeyOf(1), contentOf(1)]]);
    assert.ok(storage.flushNow());
    storage.put([[orderKeyOf(2), contentOf(2)]]);
    assert.ok(!storage.flushNow());
    storage.put([[orderKeyOf(3), contentOf(3)]]);
    assert.ok(!storage.flushNow());

    mkdirSync(join(copy, "timeline"), { recursive: true });
    for (const name of ["format", "data.mdb", "log-1", "log-2", "log-end"])
      copyFileSync(join(copied, "timeline", name), join(copy, "timeline", name));
    await storage.flushed();
    assert.ok(storage.flushNow());
    await storage.close();

    const next = new DiskStorage(copy, "always", failingLog);
    assert.deepEqual([...next.orderKeys(null, null)], [orderKeyOf(0), orderKeyOf(1)]);
    await next.close();
  }));

test("a write that fails on the event loop is reported, and no later write is acknowledged", () =>
  withFolder(async (folder) => {
    const storage = new DiskStorage(folder, "always", failingLog, INLINE_MICROS);
    storage.put([[orderKeyOf(1), contentOf(1)]]);
    await storage.flushed();
    // For the first group, a thread has extended the file, so zeros follow the group.
    await until("the file has grown", () => storage.bytes > 200_000);
    const log = join(folder, "timeline", "log-1");
    const descriptor = readdirSync("/proc/self/fd").find((name) => linkOf(name) === log);
    makeReadOnly(Number(descriptor), log);
    storage.put([[orderKeyOf(2), contentOf(2)]]);
    await assert.rejects(storage.flushed(), /can no longer be written \(EBADF.*nothing is acknowledged/);
    await assert.rejects(storage.flushed(), /can no longer be written/);
    await storage.close();
  }));

/**
 * Opens a file only for reading, as a descriptor that is in use. The descriptor remains in use, so that the storage,
 * which closes it at the end, closes no file of another test.
 */
function makeReadOnly(descriptor: number, path: string): void {
  closeSync(descriptor);
  // The system chooses the lowest descriptor that is not in use.
  const lower: number[] = [];
  let opened = openSync(path, "r");
  for (; opened < descriptor; opened = openSync(path, "r")) lower.push(opened);
  for (const one of lower) closeSync(one);
  assert.equal(opened, descriptor);
}

/** Returns the target of a descriptor, or null if it was closed in the meantime. */
function linkOf(descriptor: string): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return null;
  }
}

interface ChildOptions {
  readonly fsync?: string;
  readonly size?: ValueSize;
  /** The command line that runs the program given after it. */
  readonly wrapper?: readonly string[];
  readonly inlineMicros?: number;
}

function startChild(
  folder: string,
  { fsync = "always", size = "small", wrapper = [], inlineMicros = 0 }: ChildOptions = {},
) {
  const program = [process.execPath, CHILD, folder, fsync, size, String(inlineMicros)];
  const [command, ...args] = [...wrapper, ...program];
  const child = spawn(command as string, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  const acknowledged: string[] = [];
  createInterface(child.stdout).on("line", (line) => {
    lines.push(line);
    if (/^\d+$/.test(line)) acknowledged.push(line);
  });
  return { child, lines, acknowledged };
}
