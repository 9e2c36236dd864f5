/** What comes from a refold's begin to its end is in the state once: the refold may find it on the disk, and leaves it out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bulk, entryAt, fiveMinutes, MEMBER, START } from "./support/timeline-subject.js";

/** Turns after which it comes: before the first of its entries is read, and while it is at them. */
for (const turns of [0, 2, 4]) {
  test(`what comes ${turns} turns after a refold has begun is folded once`, async () => {
    const subject = await fiveMinutes();
    const { timeline } = subject;
    subject.isSlow = true;
    timeline.receive([entryAt(START + 1, "INCR below")], MEMBER);
    await subject.turns(turns);
    assert.ok(!timeline.isFolded(subject.now), "the refold runs");
    subject.write("INCR own");
    timeline.receive([entryAt(subject.now - 1, "INCR given")], MEMBER);
    assert.ok(!timeline.isFolded(subject.now), "it still does");
    subject.isSlow = false;
    await subject.pass(6000);
    assert.ok(timeline.isFolded(subject.now), "and has ended");
    for (const key of ["below", "own", "given"]) assert.deepEqual(subject.get(key), bulk("1"), key);
  });
}
