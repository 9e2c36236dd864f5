/**
 * Tests that the entries for which a daemon waits before it is live are in its state after some time, however many old
 * entries arrive.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bulk, entryAt, fiveMinutes, MEMBER, START } from "./support/timeline-subject.js";

test("a stream of old entries, each of which requires a refold, does not delay the marked entries", async () => {
  const subject = await fiveMinutes();
  const { timeline } = subject;
  subject.isSlow = true;
  timeline.receive([entryAt(START + 1, "SET marked 1")], MEMBER);
  timeline.waiting.mark();
  assert.ok(!timeline.waiting.areMarkedFolded);

  let turns = 0;
  for (; !timeline.waiting.areMarkedFolded && turns < 2000; turns++) {
    // The next refold becomes necessary before the previous refold is over.
    if (turns % 5 === 0) timeline.receive([entryAt(START + 2, `SET old${turns} 1`)], MEMBER);
    subject.elapse(20);
    if (turns % 5 === 0) timeline.tick();
    await subject.turns(1);
    assert.ok(turns < 20 || !timeline.isFolded(subject.now), "some old entries always remain");
  }

  assert.ok(timeline.waiting.areMarkedFolded, `not after ${turns} turns`);
  assert.deepEqual(subject.get("marked"), bulk("1"));
});
