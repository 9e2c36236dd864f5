/**
 * Tests a timeline whose release does not know the semantics from a date on: it stores everything, applies nothing, and
 * continues once it knows the semantics.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import { orderKeyOf } from "../../../../daemon/timeline/entries/entry.js";
import { EARLIER_SEMANTICS, NEXT_SEMANTICS } from "../../../support/next-semantics.js";
import { hexId, key, pem, ROOT } from "../support/fold-subject.js";
import { entryOf, KEY_IDS, withId } from "../support/random-timeline.js";
import {
  entryAt,
  MEMBER,
  MINUTE_MS,
  START,
  type SubjectOptions,
  TimelineSubject,
} from "../support/timeline-subject.js";

const root = KEY_IDS[ROOT];
const SWITCH = "CLUSTER SEMANTICS 2";

/** Returns a minute of writes with the switch in the middle. */
function minute() {
  const entries = Array.from({ length: 60 }, (_, i) => entryAt(START + 1000 * i, `INCR k${i % 3}`));
  return [...entries, entryAt(START + 30_500, SWITCH, root)];
}

async function subjectOf(options: SubjectOptions = {}): Promise<TimelineSubject> {
  return await new TimelineSubject({ now: START + MINUTE_MS, known: EARLIER_SEMANTICS, ...options }).open();
}

const stateOf = ({ timeline }: TimelineSubject) => canonicalState(timeline.database);

test("the timeline stores and sends entries, but does not answer them or report them as final", async () => {
  const subject = await subjectOf({ every: 10, limits: { retainMs: 3 * MINUTE_MS } });
  const entries = minute();
  subject.timeline.receive(entries, MEMBER);
  await subject.settle();

  const { timeline } = subject;
  const { watermark, index } = timeline;
  assert.match(
    timeline.standstill ?? "",
    /^semantics version 2 applies from .*, but this release knows only version 1: upgrade it$/,
  );
  assert.equal(index.total("data").count, 60);
  assert.equal(timeline.isFolded(START + 30_500), false);
  assert.equal(timeline.isFolded(START + 30_000), true);
  assert.deepEqual(timeline.accept(entryAt(subject.now, "SET a 1")), {
    kind: "failed",
    detail: timeline.standstill,
  });

  const answered = subject.folded.flatMap((report) => report.answered.map(({ entry }) => entry));
  assert.ok(answered.every(({ envelope }) => envelope.at < START + 30_500));

  for (let minutes = 0; minutes < 10; minutes++) {
    await subject.pass(MINUTE_MS);
    timeline.receive([entryAt(subject.now, `SET x ${minutes}`)], MEMBER);
  }

  const late = entryAt(START + 20_000, "INCR late");
  timeline.receive([late, entryAt(START + 40_000, "INCR later")], MEMBER);
  await subject.settle();
  await subject.pass(10_000);

  assert.deepEqual([subject.get("late").kind, subject.get("later").kind], ["bulk", "nil"]);
  assert.equal(timeline.watermark, watermark);
  assert.equal(timeline.digests.isExact(subject.now), false);
  assert.ok(timeline.prunedTo < START + 30_500, "entries that are not in the state are not pruned");
  for (const at of subject.snapshots.list()) assert.ok(at < START + 30_500, `a snapshot of ${at}`);
  for (const entry of [...entries, late]) assert.ok(timeline.holds(orderKeyOf(entry)));
});

test("a release that knows the version continues with the same folder and reaches the same state", async () => {
  const old = await subjectOf({ known: EARLIER_SEMANTICS, every: 10 });
  const entries = minute();
  for (const entry of entries) {
    old.timeline.receive([entry], MEMBER);
    await old.settle();
  }
  await old.pass(3 * MINUTE_MS);

  const again = await old.restarted().open();
  assert.equal(again.timeline.standstill, old.timeline.standstill);
  assert.deepEqual(stateOf(again), stateOf(old));
  again.timeline.receive([entryAt(again.now, "INCR k0")], MEMBER);
  await again.settle();

  const upgraded = await again.restarted({ known: NEXT_SEMANTICS }).open();
  assert.equal(upgraded.timeline.standstill, null);
  assert.deepEqual(upgraded.get("k0"), { kind: "bulk", bytes: "111" });

  const fresh = await subjectOf({ known: NEXT_SEMANTICS, now: again.now });
  fresh.timeline.receive(again.announced, MEMBER);
  fresh.timeline.receive(entries, MEMBER);
  await fresh.settle();
  assert.deepEqual(stateOf(upgraded), stateOf(fresh));

  upgraded.write("INCR k0");
  assert.deepEqual(upgraded.get("k0"), { kind: "bulk", bytes: "121" });
});

test("the timeline continues if the switch turns out not to be permitted", async () => {
  const subject = await subjectOf();
  const { timeline } = subject;
  const commands = [["KEY", "ADD", pem(3), "RULES", "+@all", "~*"]];
  const adding = withId(entryOf({ at: START, key: key(ROOT), commands }));
  timeline.receive([adding, entryAt(START + 2000, SWITCH, key(3))], MEMBER);
  timeline.receive([entryAt(START + 3000, "INCR n")], MEMBER);
  await subject.settle();
  assert.notEqual(timeline.standstill, null);
  timeline.receive([entryAt(START + 1000, `KEY REVOKE ${hexId(3)}`, root)], MEMBER);
  await subject.pass(20_000);
  assert.equal(timeline.standstill, null);
  assert.deepEqual(subject.get("n"), { kind: "bulk", bytes: "1" });
});

test("a snapshot contains the semantics version, which a start applies", async () => {
  const subject = await subjectOf({ known: NEXT_SEMANTICS, every: 10 });
  subject.timeline.receive(minute(), MEMBER);
  await subject.writes(3, 2 * MINUTE_MS, (i) => `SET x ${i}`);
  await subject.pass(1000);
  assert.ok(subject.snapshots.list().some((at) => at > START + 30_500));
  const again = await subject.restarted().open();
  assert.equal(again.timeline.ring.semantics, 2);
  assert.deepEqual(stateOf(again), stateOf(subject));
  const older = await subject.restarted({ known: EARLIER_SEMANTICS }).open();
  assert.match(older.timeline.standstill ?? "", /semantics version 2/);
  assert.deepEqual(older.get("k0"), subject.get("k0"), "the snapshot's state is complete");
});
