/** Tests that snapshots of a data folder are made in a separate thread, which reports its findings to the timeline. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeState } from "../../../../daemon/cluster/replica/replica-context.js";
import { snapshotParts } from "../../../../daemon/cluster/replica/snapshot-maker.js";
import { BUILD } from "../../../../daemon/program/installed-faces.js";
import { DiskStorage } from "../../../../daemon/timeline/disk/disk-storage.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { writeValue } from "../../../../daemon/timeline/entries/stored-value.js";
import type { DamagedEntry } from "../../../../daemon/timeline/snapshots/make-snapshot.js";
import { double } from "../../../support/double.js";
import { makeFolder } from "../../program/replicas.js";
import { log } from "../../program/scene.js";
import { genesisRing } from "../../timeline/support/random-timeline.js";
import { entryAt, START } from "../../timeline/support/timeline-subject.js";

test("the thread that makes a snapshot reports the damaged entry, and leaves no file", async () => {
  using folder = makeFolder();
  const storage = new DiskStorage(folder.path, "always", log);
  try {
    const entries = [1, 2, 3].map((i) => entryAt(START + i, `SET k ${i}`));
    const damaged = entries[1] as Entry;
    for (const entry of entries)
      storage.put([[writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature)]]);
    storage.put([[writeOrderKey(orderKeyOf(damaged)), Buffer.from("rotten")]]);
    await storage.settled();
    const node = double<NodeState>({
      settings: {
        data: folder.path,
        retain: Number.POSITIVE_INFINITY,
        limits: { snapshotEntries: 200_000 },
      },
      storage,
      signers: { makeRing: () => genesisRing({ hasRoots: true }) },
      environment: { uptime: () => 0 },
      soon: setImmediate,
      startThread: BUILD.startThread,
    });
    const { snapshots, make } = snapshotParts(node);
    const isReported = (problem: Error & Partial<DamagedEntry>) => {
      assert.deepEqual(problem.damaged, orderKeyOf(damaged));
      return true;
    };
    await assert.rejects(make(null, START + 10), isReported);
    assert.deepEqual(snapshots.list(), []);
    storage.remove([writeOrderKey(orderKeyOf(damaged))]);
    await storage.settled();
    await make(null, START + 10);
    assert.deepEqual(snapshots.list(), [START + 10]);
  } finally {
    await storage.close();
  }
});
