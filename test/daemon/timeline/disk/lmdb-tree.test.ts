/**
 * Tests LMDB's file: the size of a commit is known before it, and the reserve has its space, or reports the disk's
 * error.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { open } from "lmdb";
import { BINARY } from "../../../../daemon/timeline/disk/lmdb-reader.js";
import {
  commitBytesMax,
  emptyShape,
  LmdbReserve,
  sizesIn,
} from "../../../../daemon/timeline/disk/lmdb-tree.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { StorageOperation } from "../../../../daemon/timeline/entries/storage.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const USED = "lmdb".repeat(2000);
const BYTES = 300_000;

async function withReserve(use: (path: string, reserve: LmdbReserve) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-reserve-"));
  const path = join(folder, "data.mdb");
  writeFileSync(path, USED);
  const reserve = new LmdbReserve(path);
  try {
    await use(path, reserve);
  } finally {
    reserve.close(USED.length);
    assert.equal(readFileSync(path, "latin1"), USED, "LMDB's pages remain, and nothing else");
    rmSync(folder, { recursive: true });
  }
}

for (const [name, reserve] of Object.entries({
  "another thread": (target: LmdbReserve, used: number, bytes: number) => target.reserve(used, bytes),
  "this thread": async (target: LmdbReserve, used: number, bytes: number) => target.reserveNow(used, bytes),
})) {
  test(`the bytes of the next commit are on the disk (${name})`, () =>
    withReserve(async (path, target) => {
      await reserve(target, USED.length, BYTES);
      const bytes = readFileSync(path);
      assert.equal(bytes.toString("latin1", 0, USED.length), USED);
      assert.ok(bytes.length >= USED.length + BYTES);
      const reserved = bytes.subarray(USED.length);
      assert.ok(deflateRawSync(reserved).length >= reserved.length, "no file system can compress them");
    }));

  test(`a reserve that is long enough does not grow (${name})`, () =>
    withReserve(async (path, target) => {
      await reserve(target, USED.length, BYTES);
      const { size } = statSync(path);
      await reserve(target, USED.length, 1);
      await reserve(target, USED.length + 10_000, BYTES);
      assert.equal(statSync(path).size, size);
      await reserve(target, size, 1);
      assert.ok(statSync(path).size > size);
    }));

  test(`a full disk is reported, and the incomplete reserve is removed (${name})`, async (context) => {
    const disk = mkdtempSync(join(tmpdir(), "dbsync-small-"));
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", disk]).status !== 0) {
      rmSync(disk, { recursive: true });
      return context.skip("this user cannot mount a small disk");
    }

    const path = join(disk, "data.mdb");
    writeFileSync(path, USED);
    const target = new LmdbReserve(path);
    try {
      await assert.rejects(async () => reserve(target, USED.length, 2 * 1024 * 1024), /ENOSPC/);
      assert.equal(statSync(path).size, USED.length);
      await reserve(target, USED.length, BYTES);

      // Another program fills the disk. The bytes that were reserved before are still available.
      while (statfsSync(disk).bavail > 0) appendFileSync(join(disk, "other"), Buffer.alloc(4096));
      await reserve(target, USED.length, BYTES);
      await assert.rejects(async () => reserve(target, USED.length, 2 * BYTES), /ENOSPC/);
    } finally {
      target.close(USED.length);
      spawnSync("umount", [disk]);
      rmSync(disk, { recursive: true });
    }
  });
}

const COMMITS = amount(60, 400);
const OPERATIONS_MAX = 1024;
/** Maximum lengths of values: of many in a page, of one or two in a page, and of many pages. */
const VALUE_BYTES_MAX = [100, 2000, 2100, 20_000] as const;
/** Dates of entries: few, so that many are replaced, or many, so that most are new. */
const DATES = [500, 1_000_000] as const;
const PAGE_BYTES = 4096;

/** Returns the bytes that this process has passed to the system for writing. */
const writtenBytes = (): number => Number(/^wchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);

test("LMDB writes at most the calculated bytes in a commit, of any entries", {
  skip: process.platform === "linux" ? false : "the system does not count the bytes of a process",
}, () => {
  const seed = seedOfRun();
  console.log(`seed ${seed}`);

  const folder = mkdtempSync(join(tmpdir(), "dbsync-commit-"));
  const root = open<Buffer, Buffer>({ path: folder, noSubdir: false, noSync: true, maxDbs: 4, ...BINARY });
  try {
    const entries = root.openDB("entries", BINARY);
    const marks = root.openDB("marks", BINARY);
    for (let commit = 0; commit < COMMITS; commit++) {
      const operations = randomOperations(new SeededRandom(seed, commit), commit);
      const max = commitBytesMax(operations, sizesIn(entries).shape);
      const before = writtenBytes();
      root.transactionSync(() => {
        for (const operation of operations) {
          if (operation.kind === "put") entries.put(operation.orderKey, operation.value);
          else if (operation.kind === "remove") entries.remove(operation.orderKey);
          else marks.put(Buffer.from(operation.name), operation.value);
        }
      });

      const written = writtenBytes() - before;
      assert.ok(
        written <= max,
        `commit ${commit} of ${operations.length} operations: ${written} bytes instead of ${max}`,
      );
    }
  } finally {
    void root.close();
    rmSync(folder, { recursive: true });
  }
});

test("a commit of a few short entries needs less than a megabyte", () => {
  const operations = Array.from({ length: 20 }, (_, at) => put(at, 200));
  assert.ok(commitBytesMax(operations, emptyShape(PAGE_BYTES)) < 1024 * 1024);
});

/** Tests that LMDB never writes more bytes in a commit than were calculated before it. */
function randomOperations(random: SeededRandom, commit: number): StorageOperation[] {
  const valueBytesMax = VALUE_BYTES_MAX[random.below(VALUE_BYTES_MAX.length)] as number;
  const dates = DATES[random.below(DATES.length)] as number;
  const isAscending = random.below(3) === 0;
  const isRemoving = random.below(4) === 0;
  const length = 1 + random.below(random.below(2) === 0 ? 10 : OPERATIONS_MAX);
  return Array.from({ length }, (_, index) => {
    const at = isAscending ? commit * OPERATIONS_MAX + index : random.below(dates);
    if (random.below(10) === 0)
      return {
        kind: "mark",
        name: `mark ${random.below(20)}`,
        value: Buffer.alloc(random.below(valueBytesMax)),
      };
    if (isRemoving || random.below(4) === 0) return { kind: "remove", orderKey: put(at, 0).orderKey };
    return put(at, random.below(valueBytesMax));
  });
}

const put = (at: number, bytes: number) => ({
  kind: "put" as const,
  orderKey: writeOrderKey({ at, seq: 0, id: "i".repeat(32) }),
  value: Buffer.alloc(bytes),
});
