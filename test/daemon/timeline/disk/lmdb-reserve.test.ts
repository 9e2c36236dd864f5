/** Tests the reserve of LMDB's file: it has the space of the next commit, or the disk's own error is reported. */
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
import { LmdbReserve } from "../../../../daemon/timeline/disk/lmdb-tree.js";

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
