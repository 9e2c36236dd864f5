/** A damaged entry is asked for again, and is neither lost nor applied twice: whoever finds it, and whenever. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, placeOf } from "../../timeline/entry.js";
import {
  bulk,
  entryAt,
  fiveMinutes,
  HeldStorage,
  MEMBER,
  START,
  TimelineSubject,
} from "./support/timeline-subject.js";

test("a damaged entry that a read finds is given again and not applied twice", async () => {
  const subject = await fiveMinutes();
  for (const which of [5, 300, 595]) {
    const entry = subject.entries[which] as Entry;
    subject.damage(entry);
    assert.equal(subject.timeline.read(placeOf(entry)), null);
    assert.ok(!subject.timeline.holds(placeOf(entry)));
    assert.equal(subject.counts.indexed, 599);
    assert.equal(subject.timeline.receive([entry], MEMBER).length, 1);
    await subject.pass(6000);
    await expectWhole(subject, entry, 600);
  }
});

test("a damaged entry that a restart finds is given again and not lost", async () => {
  for (const which of [5, 300, 595]) {
    for (const isRead of [false, true]) {
      const subject = await fiveMinutes();
      const entry = subject.entries[which] as Entry;
      subject.damage(entry);
      if (isRead) subject.timeline.read(placeOf(entry));
      const restarted = await subject.restarted().open();
      assert.deepEqual(restarted.get("k"), bulk("599"));
      assert.equal(restarted.counts.indexed, 599);
      assert.ok(!restarted.timeline.holds(placeOf(entry)));
      assert.equal(restarted.timeline.receive([entry], MEMBER).length, 1);
      await restarted.pass(6000);
      await expectWhole(restarted, entry, 600);
      await expectWhole(await restarted.restarted().open(), entry, 600);
    }
  }
});

test("a damaged entry below a snapshot is in the state after a restart, and is found by the next read", async () => {
  for (const isRead of [false, true]) {
    const subject = await new TimelineSubject({ every: 10 }).open();
    const entries = await subject.writes(60, 20_000, () => "INCR k");
    const entry = entries[2] as Entry;
    subject.damage(entry);
    if (isRead) assert.equal(subject.timeline.read(placeOf(entry)), null);
    const restarted = await subject.restarted().open();
    assert.deepEqual(restarted.get("k"), bulk("60"));
    assert.equal(restarted.timeline.read(placeOf(entry)), null);
    assert.equal(restarted.counts.indexed, 59);
    assert.equal(restarted.timeline.receive([entry], MEMBER).length, 1);
    await restarted.pass(6000);
    await expectWhole(restarted, entry, 60);
  }
});

/** Turns of a refold of 600 entries, 64 in each, after which something happens; the last: it is over. */
const MOMENTS = [0, 2, 6, 9, 40] as const;

for (const which of [5, 300, 595]) {
  for (const found of ["by a read", "by the refold"] as const) {
    test(`entry ${which} of 600, damaged around a refold and found ${found}, is neither lost nor applied twice`, async () => {
      for (const [i, damagedAfter] of MOMENTS.entries())
        for (const givenAfter of MOMENTS.slice(i))
          await damagedAround(which, found, damagedAfter, givenAfter);
    });
  }
}

/** @param damagedAfter  @param givenAfter  turns of the refold */
async function damagedAround(
  which: number,
  found: "by a read" | "by the refold",
  damagedAfter: number,
  givenAfter: number,
): Promise<void> {
  const subject = await fiveMinutes();
  const { timeline } = subject;
  const entry = subject.entries[which] as Entry;
  const damage = (): void => {
    subject.damage(entry);
    if (found === "by a read") assert.equal(timeline.read(placeOf(entry)), null);
  };
  subject.isSlow = true;
  if (damagedAfter === 0) damage();
  timeline.receive([entryAt(START + 1, "SET below 1")], MEMBER);
  for (let turn = 0; turn <= (MOMENTS.at(-1) as number); turn++) {
    if (turn > 0 && turn === damagedAfter) damage();
    if (turn === givenAfter) timeline.receive([entry], MEMBER);
    await subject.turns(1);
  }
  subject.isSlow = false;
  await subject.pass(11_000);
  if (timeline.read(placeOf(entry)) === null) {
    assert.equal(timeline.receive([entry], MEMBER).length, 1, "it is asked for again");
    await subject.pass(11_000);
  }
  const moment = `damaged after ${damagedAfter}, given after ${givenAfter} turns`;
  await expectWhole(subject, entry, 600, moment);
  await expectWhole(await subject.restarted().open(), entry, 600, moment);
}

async function expectWhole(subject: TimelineSubject, entry: Entry, count: number, when = ""): Promise<void> {
  const { timeline } = subject;
  assert.deepEqual(subject.get("k"), bulk(String(count)), when);
  assert.deepEqual(timeline.read(placeOf(entry))?.body, entry.body, when);
  const { indexed, kept } = subject.counts;
  assert.equal(indexed, kept, when);
  assert.ok(timeline.isFolded(subject.now), when);
  assert.equal(timeline.receive([entry], MEMBER).length, 0, when);
}

test("an entry that rots before the disk is sure of it, and is found by a refold, is asked for again and folded", async () => {
  const storage = new HeldStorage();
  const subject = await new TimelineSubject({ storage }).open();
  const { timeline } = subject;
  await subject.writes(200, 500, () => "INCR k");
  const entry = entryAt(subject.now - 1000, "INCR k");
  timeline.receive([entry], MEMBER);
  await subject.settle();
  assert.deepEqual(subject.get("k"), bulk("201"));
  subject.damage(entry);
  timeline.receive([entryAt(START + 1, "SET below 1")], MEMBER);
  await subject.pass(11_000);
  assert.deepEqual(subject.get("k"), bulk("200"));
  storage.sync();
  await subject.settle();
  assert.equal(timeline.read(placeOf(entry)), null);
  assert.equal(timeline.receive([entry], MEMBER).length, 1);
  await subject.pass(11_000);
  storage.sync();
  await subject.settle();
  await expectWhole(subject, entry, 201);
});

test("a damaged entry that nobody has goes out of the state when it is let go of, as at a restart, and may come again", async () => {
  const subject = await new TimelineSubject({ every: 10 }).open();
  const { timeline } = subject;
  const entries = await subject.writes(60, 20_000, () => "INCR k");
  const [kept, lost] = [entries[50] as Entry, entries[2] as Entry];
  timeline.damagedInState.letGo();
  await subject.pass(11_000);
  assert.deepEqual(subject.get("k"), bulk("60"), "nothing is damaged");
  for (const entry of [kept, lost]) {
    subject.damage(entry);
    assert.equal(timeline.read(placeOf(entry)), null);
  }
  timeline.receive([kept], MEMBER);
  assert.equal(timeline.damagedInState.lastAt, lost.envelope.at);
  timeline.damagedInState.letGo();
  await subject.pass(11_000);
  assert.equal(timeline.damagedInState.lastAt, null);
  assert.deepEqual(subject.get("k"), bulk("59"));
  const restarted = await subject.restarted().open();
  assert.deepEqual(restarted.get("k"), bulk("59"), "no snapshot has it either");
  assert.equal(timeline.receive([lost], MEMBER).length, 1);
  await subject.pass(11_000);
  await expectWhole(subject, lost, 60);
});

test("a damaged entry that waits for its date is not applied twice, though a refold runs before it is given again", async () => {
  const subject = await fiveMinutes();
  const { timeline } = subject;
  const entry = entryAt(subject.now + 60_000, "INCR k");
  timeline.receive([entry], MEMBER);
  await subject.settle();
  subject.damage(entry);
  assert.equal(timeline.read(placeOf(entry)), null);
  timeline.receive([entryAt(START + 1, "SET below 1")], MEMBER);
  await subject.pass(11_000);
  assert.equal(timeline.receive([entry], MEMBER).length, 1);
  await subject.pass(60_000);
  await expectWhole(subject, entry, 601);
  await expectWhole(await subject.restarted().open(), entry, 601);
});
