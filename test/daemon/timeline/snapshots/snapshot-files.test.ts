/** Tests that snapshot files are complete or absent. */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SnapshotFiles } from "../../../../daemon/timeline/snapshots/snapshot-stores.js";

async function withFolder(use: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-snapshots-"));
  try {
    await use(join(folder, "snapshots"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("a store lists snapshots in ascending order and returns the bytes that were written", () =>
  withFolder((folder) => {
    const files = new SnapshotFiles(folder);
    const large = Buffer.alloc(600_000, 7);
    files.write(1_767_225_600_000, [Buffer.from("new"), large]);
    files.write(5, [Buffer.from("old")]);
    assert.deepEqual(files.list(), [5, 1_767_225_600_000]);
    assert.deepEqual(
      Buffer.concat([...files.read(1_767_225_600_000)!]),
      Buffer.concat([Buffer.from("new"), large]),
    );

    files.write(5, [Buffer.from("again")]);
    assert.equal(Buffer.concat([...files.read(5)!]).toString(), "again");

    files.remove(5);
    files.remove(6);
    assert.equal(files.read(5), null);
    assert.deepEqual(files.list(), [1_767_225_600_000]);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
  }));

test("a failed write leaves the previous snapshot unchanged", () =>
  withFolder((folder) => {
    const files = new SnapshotFiles(folder);
    files.write(5, [Buffer.from("good")]);
    const failing = function* () {
      yield Buffer.from("half");
      throw new Error("an entry is damaged");
    };
    assert.throws(() => files.write(5, failing()), /an entry is damaged/);
    assert.equal(Buffer.concat([...files.read(5)!]).toString(), "good");
    assert.equal(readdirSync(folder).length, 1);
  }));

test("a file that was half written at a crash is not listed, and is removed at the next start", () =>
  withFolder((folder) => {
    const files = new SnapshotFiles(folder);
    files.write(5, [Buffer.from("good")]);
    writeFileSync(join(folder, "0000000000000007.snapshot.123.tmp"), "half");
    writeFileSync(join(folder, "readme"), "somebody's");
    assert.deepEqual(files.list(), [5]);
    assert.deepEqual(new SnapshotFiles(folder).list(), [5]);
    assert.deepEqual(readdirSync(folder).sort(), ["0000000000000005.snapshot", "readme"]);
  }));

test("a snapshot that arrives piece by piece exists only once it is complete", () =>
  withFolder(async (folder) => {
    const files = new SnapshotFiles(folder);
    files.write(5, [Buffer.from("old")]);
    const staged = files.stage(5);
    for (const piece of ["a ", "new ", "one"]) staged.write(Buffer.from(piece));
    assert.equal(Buffer.concat([...staged.read()]).toString(), "a new one");
    assert.equal(Buffer.concat([...files.read(5)!]).toString(), "old");
    const { seal } = staged;
    assert.deepEqual(seal, { bytes: 9, seal: "a new one" });

    await staged.commit();
    staged.settle();
    staged.discard();
    assert.equal(Buffer.concat([...files.read(5)!]).toString(), "a new one");
    assert.deepEqual([files.sealOf(5), files.sealOf(6)], [seal, null]);

    files.write(6, [Buffer.alloc(50, "b"), Buffer.alloc(20, "e")]);
    assert.deepEqual(files.sealOf(6), { bytes: 70, seal: "b".repeat(12) + "e".repeat(20) });
    files.remove(6);

    const left = files.stage(7);
    assert.ok(left.room > 0 && left.room <= statfsSync(folder).bavail * statfsSync(folder).bsize);
    left.write(Buffer.from("half"));
    assert.deepEqual(files.list(), [5]);
    assert.equal(readdirSync(folder).length, 2);

    assert.deepEqual(new SnapshotFiles(folder).list(), [5]);
    assert.equal(readdirSync(folder).length, 1, "the file left by a crash is removed");
    left.discard();
  }));

test("until a snapshot is settled, discarding it or restarting restores the snapshot that it replaced", () =>
  withFolder(async (folder) => {
    const contents = (files: SnapshotFiles) => Buffer.concat([...files.read(5)!]).toString();
    const replace = async () => {
      const files = new SnapshotFiles(folder);
      files.write(5, [Buffer.from("own")]);
      const staged = files.stage(5);
      staged.write(Buffer.from("given"));
      await staged.commit();
      assert.equal(contents(files), "given");
      assert.deepEqual(files.list(), [5]);
      return { files, staged };
    };

    const replacement = await replace();
    replacement.staged.discard();
    assert.equal(contents(replacement.files), "own");

    await replace();
    assert.equal(contents(new SnapshotFiles(folder)), "own", "a crash");

    rmSync(join(folder, "0000000000000005.snapshot"));
    writeFileSync(join(folder, "0000000000000005.snapshot.replaced"), "own");
    assert.equal(contents(new SnapshotFiles(folder)), "own", "a crash between two steps");

    (await replace()).staged.settle();
    assert.equal(contents(new SnapshotFiles(folder)), "given");
    assert.equal(readdirSync(folder).length, 1);
  }));
