/** Tests a timeline without the code of a command: it applies nothing from that command on, and names the face. */
import "./support/without-geo.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { orderKeyOf } from "../../../daemon/timeline/entries/entry.js";
import { bulk, entryAt, MEMBER, START, TimelineSubject } from "./support/timeline-subject.js";

const REASON = "this build does not contain the code of GEOADD and similar commands (redis/geo)";
const NIL = { kind: "nil" };

/** The entries of a member, whose second one needs the code. */
const [before, needing, after] = [
  entryAt(START, "SET before 1"),
  entryAt(START + 1000, "GEOADD places 13.361389 38.115556 Palermo"),
  entryAt(START + 2000, "SET after 1"),
] as const;

async function outdated(): Promise<TimelineSubject> {
  const subject = await new TimelineSubject({ now: START + 10_000 }).open();
  subject.timeline.receive([before], MEMBER);
  await subject.settle();
  subject.timeline.receive([needing, after], MEMBER);
  await subject.settle();
  return subject;
}

test("entries of a member are stored, and none is applied from the one without code on", async () => {
  const subject = await outdated();
  const { timeline } = subject;
  assert.equal(timeline.standstill, REASON);
  assert.deepEqual([subject.get("before"), subject.get("after")], [bulk("1"), NIL]);
  assert.ok([before, needing, after].every((entry) => timeline.holds(orderKeyOf(entry))));
  assert.equal(timeline.isFolded(before.envelope.at), false);
  assert.deepEqual(timeline.accept(entryAt(subject.now, "SET own 1")), { kind: "failed", detail: REASON });

  const { watermark } = timeline;
  timeline.receive([entryAt(START + 500, "SET late 1")], MEMBER);
  await subject.pass(120_000);
  assert.deepEqual(subject.get("late"), NIL);
  assert.equal(timeline.watermark, watermark);
});

test("a start applies the log up to the entry without code", async () => {
  const subject = await (await outdated()).restarted().open();
  assert.equal(subject.timeline.standstill, REASON);
  assert.deepEqual([subject.get("before"), subject.get("after")], [bulk("1"), NIL]);
  assert.equal(subject.timeline.isFolded(before.envelope.at), false);
});
