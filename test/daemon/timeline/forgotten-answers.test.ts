/**
 * Tests that a daemon that may have answered units that it no longer has does not count towards a majority for
 * earlier writes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { orderKeyOf } from "../../../daemon/timeline/entries/entry.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { entryAt, MEMBER, START, TimelineSubject } from "./support/timeline-subject.js";

const FUTURE_MS = 5000;

/** Whether a write with the given date is late. */
function isLate({ timeline }: TimelineSubject, at: number): boolean {
  const taking = timeline.accept(entryAt(at, "SET k v NX"));
  assert.ok(taking.kind === "accepted");
  return taking.answers[0]?.late === true;
}

/** Returns a disk on which everything acknowledged is safe. */
const safeStorage = (): MemoryStorage => Object.assign(new MemoryStorage(), { isSafe: true });

test("a daemon that begins without data marks writes dated before its start as late", async () => {
  const subject = await new TimelineSubject().open();
  assert.ok(isLate(subject, subject.now + 1));
  assert.ok(isLate(subject, subject.now + FUTURE_MS));
  assert.ok(!isLate(subject, subject.now + FUTURE_MS + 1));
});

test("a daemon counts as new if the other members have no data either", async () => {
  const subject = await new TimelineSubject().open();
  subject.timeline.forgotten.clear();
  assert.ok(!isLate(subject, subject.now + 1));
});

test("a daemon that is alone and has a new folder counts as new", async () => {
  const subject = await new TimelineSubject({ isAlone: true }).open();
  assert.ok(!isLate(subject, subject.now + 1));
});

for (const isSafe of [true, false])
  test(`after a restart answers are ${isSafe ? "not late" : "late"} if a power failure ${isSafe ? "loses nothing" : "may lose writes"}`, async () => {
    const storage = isSafe ? safeStorage() : new MemoryStorage();
    const before = await new TimelineSubject({ storage, isAlone: true }).open();
    before.write("SET a 1");
    await before.pass(5000);
    const after = await before.restarted().open();
    assert.equal(isLate(after, after.now + 1), !isSafe);
  });

test("a daemon with a damaged entry does not know what it has answered", async () => {
  const storage = safeStorage();
  const before = await new TimelineSubject({ storage, isAlone: true }).open();
  const entry = before.write("SET a 1");
  await before.settle();
  before.damage(entry);
  const after = await before.restarted().open();
  assert.ok(isLate(after, after.now + 1));
});

test("an entry from a member is marked as late too", async () => {
  const subject = await new TimelineSubject().open();
  subject.timeline.receive([entryAt(subject.now + 1, "SET k v NX")], "member");
  await subject.settle();
  const answers = subject.folded.flatMap(({ answered }) => answered.flatMap((each) => each.answers));
  assert.deepEqual(
    answers.map(({ late }) => late),
    [true],
  );
});

test("a daemon that drops a damaged entry does not know what it has answered, until its clients' dates have passed", async () => {
  const subject = await new TimelineSubject({ storage: safeStorage(), isAlone: true }).open();
  const { timeline } = subject;
  const entry = subject.write("SET k w NX");
  await subject.pass(60_000);
  assert.ok(!isLate(subject, subject.now + 1));

  subject.damage(entry);
  assert.equal(timeline.read(orderKeyOf(entry)), null);
  timeline.damagedEntries.drop();
  await subject.settle();
  assert.ok(isLate(subject, subject.now + 2));
  assert.ok(!isLate(subject, subject.now + FUTURE_MS + 1));
  await subject.pass(FUTURE_MS + 1000);

  // A later refold reads the damaged entry again.
  timeline.receive([entryAt(START + 1, "SET below 1")], MEMBER);
  await subject.pass(11_000);
  assert.ok(!isLate(subject, subject.now + 1));
});
