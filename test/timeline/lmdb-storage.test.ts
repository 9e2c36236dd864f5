/** The timeline on disk: order, restarts, kills, a disk that takes no more, and one process for each folder. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { writePlace } from "../../timeline/entry.js";
import { FolderInUse } from "../../timeline/folder-lock.js";
import { entriesOf, SLICE_BYTES } from "../../timeline/lmdb-reader.js";
import { type Fsync, LmdbStorage } from "../../timeline/lmdb-storage.js";
import { storageCases } from "./support/storage-cases.js";

const CHILD = fileURLToPath(new URL("./support/lmdb-child.js", import.meta.url));
const ACKNOWLEDGED_MIN = 300;
const KILOBYTES_MAX = 2048;

test("long values are not read many at a time", () => {
  const value = Buffer.alloc(300_000);
  const keys = Array.from({ length: 100 }, (_, i) => writePlace({ at: i, seq: 0, id: "i".repeat(32) }));
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
  for (const [place] of entriesOf(database as unknown as Parameters<typeof entriesOf>[0], null, null)) {
    found.push(place);
    assert.ok(
      (read - found.length) * value.length < SLICE_BYTES + value.length,
      `${read - found.length} ahead`,
    );
  }
  assert.deepEqual(found, keys);
});

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-lmdb-"));
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
      const storage = new LmdbStorage(folder, fsync);
      try {
        await use(storage);
      } finally {
        await storage.close();
      }
    }),
  );

  test(`what was flushed is there after a restart (--fsync ${JSON.stringify(fsync)})`, () =>
    withFolder(async (folder) => {
      const place = writePlace({ at: 5, seq: 0, id: "i".repeat(32) });
      const first = new LmdbStorage(folder, fsync);
      first.put([[place, Buffer.from("value")]], [["watermark", Buffer.from("7")]]);
      await first.synced();
      await first.close();
      const second = new LmdbStorage(folder, fsync);
      assert.equal(second.get(place)?.toString(), "value");
      assert.equal(second.mark("watermark")?.toString(), "7");
      assert.ok(second.bytes > 0);
      await second.close();
    }));
}

test("a folder is its owner's alone, and belongs to one process", () =>
  withFolder(async (data) => {
    const folder = join(data, "new");
    const storage = new LmdbStorage(folder, "always");
    assert.equal(statSync(join(folder, "timeline")).mode & 0o777, 0o700);
    assert.throws(() => new LmdbStorage(folder, "always"), FolderInUse);
    await storage.close();
    await new LmdbStorage(folder, "always").close();
  }));

test("a folder that another process has is refused, and named", () =>
  withFolder(async (folder) => {
    const { child, acknowledged } = startChild(folder);
    await until(() => acknowledged.length > 0);
    assert.throws(() => new LmdbStorage(folder, "always"), new RegExp(`in use by process ${child.pid}`));
    child.kill("SIGKILL");
    await once(child, "exit");
  }));

test("a lock that a process of that number left before is no obstacle", () =>
  withFolder(async (folder) => {
    await new LmdbStorage(folder, "always").close();
    for (const text of [`${process.pid} 1\n`, `${process.ppid} 1\n`, "4194303 1\n", "garbage", ""]) {
      writeFileSync(join(folder, "timeline", "lock"), text);
      await new LmdbStorage(folder, "always").close();
    }
  }));

test("a killed process has left everything whose flush had resolved", () =>
  withFolder(async (folder) => {
    for (let round = 0; round < 3; round++) {
      const { child, acknowledged } = startChild(folder);
      await until(() => acknowledged.length >= ACKNOWLEDGED_MIN);
      child.kill("SIGKILL");
      await once(child, "close");
      const storage = new LmdbStorage(folder, "always");
      for (const line of acknowledged) {
        const value = storage.get(writePlace({ at: Number(line), seq: 0, id: "i".repeat(32) }));
        assert.deepEqual(value, Buffer.alloc(500, Number(line)), `entry ${line} is lost`);
      }
      await storage.close();
    }
  }));

test("a disk that takes no more is told, for good, and what was flushed stays", () =>
  withFolder(async (folder) => {
    const { child, acknowledged, lines } = startChild(folder, [
      "sh",
      "-c",
      `ulimit -f ${KILOBYTES_MAX}; exec "$@"`,
      "sh",
    ]);
    await once(child, "close");
    const failures = lines.filter((line) => line.startsWith("failed: "));
    assert.equal(failures.length, 2, lines.slice(-3).join("\n"));
    assert.equal(failures[0], failures[1]);
    assert.match(failures[0] as string, /cannot be written any more \(.+\): nothing is acknowledged/);
    const storage = new LmdbStorage(folder, "always");
    for (const line of acknowledged)
      assert.ok(storage.get(writePlace({ at: Number(line), seq: 0, id: "i".repeat(32) })) !== null);
    await storage.close();
  }));

/** @param wrapper  command line that runs the program behind it */
function startChild(folder: string, wrapper: readonly string[] = []) {
  const [command, ...args] = [...wrapper, process.execPath, CHILD, folder];
  const child = spawn(command as string, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  const acknowledged: string[] = [];
  createInterface(child.stdout).on("line", (line) => {
    lines.push(line);
    if (/^\d+$/.test(line)) acknowledged.push(line);
  });
  return { child, lines, acknowledged };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
