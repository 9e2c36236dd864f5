/** Tests that the remains of damaged entries are removed only if the disk can be read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, orderKeyOf } from "../../../daemon/timeline/entries/entry.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { bulk, TimelineSubject } from "./support/timeline-subject.js";

class FailingStorage extends MemoryStorage {
  isFailing = false;

  override get(orderKey: Buffer): Buffer | null {
    if (this.isFailing) throw new Error("the disk cannot be read");
    return super.get(orderKey);
  }
}

test("a damaged entry stays while the disk cannot be read, and is dropped at the next attempt", async () => {
  const storage = new FailingStorage();
  const subject = await new TimelineSubject({ storage, every: 10 }).open();
  const { timeline } = subject;
  const entries = await subject.writes(60, 20_000, () => "INCR k");
  const lost = entries[2] as Entry;
  subject.damage(lost);
  assert.equal(timeline.read(orderKeyOf(lost)), null);

  storage.isFailing = true;
  timeline.damagedEntries.drop();
  await subject.settle();
  storage.isFailing = false;
  assert.equal(timeline.damagedEntries.lastAt, lost.envelope.at);

  timeline.damagedEntries.drop();
  await subject.pass(11_000);
  assert.equal(timeline.damagedEntries.lastAt, null);
  assert.deepEqual(subject.get("k"), bulk("59"));
});
