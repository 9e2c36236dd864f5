/**
 * Tests that a storage reports a torn head of LMDB's file. Without the check, each kind of damage in this test would
 * end the process.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DiskStorage } from "../../../../daemon/timeline/disk/disk-storage.js";
import { checkHeader } from "../../../../daemon/timeline/disk/lmdb-file.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { failingLog } from "../support/failing-log.js";

/** Size of the header in the LMDB version of the package lmdb. */
const HEAD_BYTES = 168;
/**
 * The positions of the bytes that have a meaning. Between them are the pages' own numbers and flags, which are not
 * checked.
 */
const MEANT = { pageBytes: 48, lastPage: 144, version: 28, magic: 24 } as const;

async function withFile(
  use: (path: string, bytes: Buffer, folder: string) => void | Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-header-"));
  try {
    const storage = new DiskStorage(folder, "always", failingLog);
    for (let i = 0; i < 500; i++) {
      const orderKey = writeOrderKey({ at: i, seq: 0, id: "i".repeat(32) });
      storage.put([[orderKey, Buffer.alloc(1000, i)]]);
      if (i % 100 === 0) await storage.flushed();
      if (i % 3 === 0) storage.remove([orderKey]);
    }
    await storage.close();
    const path = join(folder, "timeline", "data.mdb");
    await use(path, readFileSync(path), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("the check accepts a file that LMDB has written, a missing file and an empty file", () =>
  withFile((path, _, folder) => {
    assert.equal(checkHeader(path), true);
    assert.equal(checkHeader(join(folder, "absent")), false);
    writeFileSync(join(folder, "empty"), "");
    assert.equal(checkHeader(join(folder, "empty")), false);
  }));

test("a storage whose file has a damaged page is refused before LMDB reads the page", () =>
  withFile((path, bytes, folder) => {
    const pageBytes = bytes.readUInt32LE(MEANT.pageBytes);
    const damaged = changed(bytes, (copy) => copy.fill(0xff, 2 * pageBytes));
    writeFileSync(path, damaged);
    assert.throws(() => new DiskStorage(folder, "always", failingLog), {
      name: "DamagedFile",
      message: /^.*data\.mdb is damaged: page \d+: ./,
    });
  }));

test("a folder whose file has a torn head is refused, with the file's name", () =>
  withFile(async (path, bytes, folder) => {
    const second = bytes.readUInt32LE(MEANT.pageBytes);
    const torn: Record<string, Buffer> = {
      "its head is not LMDB's": changed(bytes, (copy) => copy.fill(0, 0, second)),
      "its head is of another version": changed(bytes, (copy) => copy.writeUInt32LE(3, MEANT.version)),
      "its head names no valid page size": changed(bytes, (copy) => copy.writeUInt32LE(0, MEANT.pageBytes)),
      "its head names an impossible last page": changed(bytes, (copy) =>
        copy.writeBigUInt64LE(2n ** 40n, second + MEANT.lastPage),
      ),
      "its head names a page that does not exist": bytes.subarray(0, 3 * second),
      "it is cut off": bytes.subarray(0, HEAD_BYTES - 1),
    };
    for (const [problem, content] of Object.entries(torn)) {
      writeFileSync(path, content);
      const message = `${path} is damaged: ${problem}`;
      assert.throws(() => new DiskStorage(folder, "always", failingLog), { name: "DamagedFile", message });
    }
    writeFileSync(path, bytes);
    await new DiskStorage(folder, "always", failingLog).close();
  }));

test("random bytes in the head are detected", (t) =>
  withFile((path, bytes) => {
    const seed = seedOfRun();
    t.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed, 0);
    for (let run = 0; run < amount(150, 500); run++) {
      const from = random.oneOf([0, bytes.readUInt32LE(MEANT.pageBytes)]);
      const noisy = changed(bytes, (copy) => {
        const [start, length] = [random.below(MEANT.magic + 1), HEAD_BYTES];
        for (let i = start; i < length; i++) copy[from + i] = random.below(256);
      });
      writeFileSync(path, noisy);
      assert.throws(() => checkHeader(path), { name: "DamagedFile" });
    }
  }));

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}
