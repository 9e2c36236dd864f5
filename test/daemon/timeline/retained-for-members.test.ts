/** Tests that entries that members may need are not pruned, within limits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { TimelineSubject } from "./support/timeline-subject.js";

test("a daemon retains the entries that a member asks for, within limits", async () => {
  const storage = new MemoryStorage();
  const source = await new TimelineSubject({ storage, every: 100, limits: { retainBytes: 40_000 } }).open();
  source.timeline.snapshotTransfer.delayPruning();
  const write = (i: number) => {
    if (storage.bytes < 60_000) source.timeline.snapshotTransfer.delayPruning();
    return `SET k${i % 20} v${i}`;
  };
  await source.writes(200, 1000, write);
  const { bytes } = storage;
  assert.ok(bytes > 40_000 && source.timeline.prunedTo === -1, `${bytes} bytes`);
  await source.writes(100, 1000, write);
  assert.ok(source.timeline.prunedTo > 0, "beyond the limits it prunes in spite of the request");
});

test("a daemon retains what its members may be missing, and prunes older entries by age and when space runs out", async () => {
  for (const limits of [{ retainMs: 1_000 }, { retainBytes: 40_000 }]) {
    const subject = await new TimelineSubject({ storage: new MemoryStorage(), every: 50, limits }).open();
    const write = (i: number) => `SET k${i % 20} v${i}`;
    subject.timeline.snapshotTransfer.retainFrom(0);
    await subject.writes(200, 1000, write);
    assert.equal(subject.timeline.prunedTo, -1);
    const date = subject.now - 60_000;
    subject.timeline.snapshotTransfer.retainFrom(date);
    await subject.writes(20, 1000, write);
    const { prunedTo } = subject.timeline;
    assert.ok(prunedTo > 0 && prunedTo < date, `${prunedTo} of ${date}`);
  }
});
