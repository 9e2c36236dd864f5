/**
 * Tests --fsync interval: data is reported as synced only when it is on the disk, and never after a sync has failed.
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DiskStorage, StorageFailure } from "../../../../daemon/timeline/disk/disk-storage.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { nextTurn, until } from "../../../support/until.js";
import { failingLog } from "../support/failing-log.js";

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

const entry = (at: number) =>
  [writeOrderKey({ at, seq: 0, id: "i".repeat(32) }), Buffer.alloc(2000)] as const;

async function withStorage(use: (storage: HeldSync) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-disk-sync-"));
  try {
    await use(new HeldSync(folder, { interval: 5 }, failingLog));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Appends the outcome of a promise to `outcomes`. */
function note(outcomes: string[], name: string, promise: Promise<void>): Promise<void> {
  return promise.then(
    () => void outcomes.push(`${name} is on the disk`),
    (problem) => void outcomes.push(`${name}: ${problem instanceof StorageFailure}`),
  );
}

test("data that is put during a sync is reported as synced only after the next sync", () =>
  withStorage(async (storage) => {
    const outcomes: string[] = [];
    storage.put([entry(1)]);
    const first = note(outcomes, "first", storage.synced());
    await until("the first sync begins", () => storage.syncs.length === 1);

    storage.put([entry(2)]);
    const second = note(outcomes, "second", storage.synced());
    await storage.flushed();
    assert.deepEqual(outcomes, []);

    storage.syncs[0]?.succeed();
    await first;
    assert.deepEqual(outcomes, ["first is on the disk"]);

    await until("the second sync begins", () => storage.syncs.length === 2);
    storage.syncs[1]?.succeed();
    await second;
    assert.deepEqual(outcomes, ["first is on the disk", "second is on the disk"]);
    await storage.close();
  }));

for (const isWritten of [true, false]) {
  const when = isWritten ? "passed to the system" : "in flight";
  test(`after a failed sync nothing is reported as synced, not even data that was ${when} at the time`, () =>
    withStorage(async (storage) => {
      const outcomes: string[] = [];
      storage.put([entry(1)]);
      const first = note(outcomes, "first", storage.synced());
      await until("the first sync begins", () => storage.syncs.length === 1);
      storage.put([entry(2)]);
      const second = note(outcomes, "second", storage.synced());
      if (isWritten) await storage.flushed();
      // The write begins now, and ends after the failure.
      else await nextTurn();

      storage.syncs[0]?.fail(new Error("EIO"));
      await Promise.all([first, second]);
      storage.put([entry(3)]);
      await note(outcomes, "third", storage.synced());

      assert.deepEqual(outcomes.sort(), ["first: true", "second: true", "third: true"]);
      await assert.rejects(storage.flushed(), /can no longer be written \(EIO\)/);
      await storage.close();
      assert.equal(storage.syncs.length, 1, "the sync is not retried");
    }));
}
