/** Tests --fsync interval: data that is not on the disk is not reported as synced, and nothing is after a failed sync. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DiskStorage, StorageFailure } from "../../timeline/disk/disk-storage.js";
import { writePlace } from "../../timeline/entries/entry.js";
import { untold } from "./support/untold.js";

interface HeldCall {
  readonly succeed: () => void;
  readonly fail: (problem: Error) => void;
}

/** A storage whose syncs the test completes. */
class HeldSync extends DiskStorage {
  readonly syncs: HeldCall[] = [];

  protected override sync(): Promise<void> {
    return new Promise((succeed, fail) => this.syncs.push({ succeed, fail }));
  }
}

const entry = (at: number) => [writePlace({ at, seq: 0, id: "i".repeat(32) }), Buffer.alloc(2000)] as const;

async function withStorage(use: (storage: HeldSync) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-disk-sync-"));
  try {
    await use(new HeldSync(folder, { interval: 5 }, untold));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Appends the outcome of a promise to `told`. */
function note(told: string[], name: string, promise: Promise<void>): Promise<void> {
  return promise.then(
    () => void told.push(`${name} is on the disk`),
    (problem) => void told.push(`${name}: ${problem instanceof StorageFailure}`),
  );
}

test("what is put while a sync runs is told with the next one only", () =>
  withStorage(async (storage) => {
    const told: string[] = [];
    storage.put([entry(1)]);
    const first = note(told, "first", storage.synced());
    await until(() => storage.syncs.length === 1);
    storage.put([entry(2)]);
    const second = note(told, "second", storage.synced());
    await storage.flushed();
    assert.deepEqual(told, []);
    storage.syncs[0]?.succeed();
    await first;
    assert.deepEqual(told, ["first is on the disk"]);
    await until(() => storage.syncs.length === 2);
    storage.syncs[1]?.succeed();
    await second;
    assert.deepEqual(told, ["first is on the disk", "second is on the disk"]);
    await storage.close();
  }));

for (const isWritten of [true, false]) {
  const when = isWritten ? "handed to the system" : "on its way";
  test(`after a sync that failed nothing is told as synced, also not what was ${when} meanwhile`, () =>
    withStorage(async (storage) => {
      const told: string[] = [];
      storage.put([entry(1)]);
      const first = note(told, "first", storage.synced());
      await until(() => storage.syncs.length === 1);
      storage.put([entry(2)]);
      const second = note(told, "second", storage.synced());
      if (isWritten) await storage.flushed();
      // The write begins now, and ends after the failure.
      else await new Promise((resolve) => setImmediate(resolve));
      storage.syncs[0]?.fail(new Error("EIO"));
      await Promise.all([first, second]);
      storage.put([entry(3)]);
      await note(told, "third", storage.synced());
      assert.deepEqual(told.sort(), ["first: true", "second: true", "third: true"]);
      await assert.rejects(storage.flushed(), /cannot be written any more \(EIO\)/);
      await storage.close();
      assert.equal(storage.syncs.length, 1, "it is not tried again");
    }));
}
