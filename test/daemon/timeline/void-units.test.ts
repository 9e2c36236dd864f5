/**
 * Tests that no snapshot covers a void write that is not stored as a dead letter yet: after a restart, the daemon would
 * not find it. Source: docs/decisions/0081-decided-keys.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import type { Fold } from "../../../daemon/timeline/fold/fold.js";
import { limitToApplied } from "../../../daemon/timeline/fold/semantics-standstill.js";
import { readEntryBody, writeDecision } from "../../../protocol/version-2/decision-body.js";
import { signedBytes } from "../../../protocol/version-2/envelope.js";
import { double } from "../../support/double.js";
import { ROOT } from "./support/fold-subject.js";
import { KEY_IDS } from "./support/random-timeline.js";
import { entryAt, hash, MEMBER, MINUTE_MS, START, TimelineSubject } from "./support/timeline-subject.js";

/** Returns the members' decision in a slot, on an administrator's command. */
function decided(slot: number, at: number, command: string): Entry {
  const { body, signature } = entryAt(at - 50, command, KEY_IDS[ROOT]);
  const previous = slot === 1 ? null : { at: START, seq: 0, id: hash(Buffer.from("previous")) };
  const unit = { body, signature };
  const bytes = writeDecision({
    slot,
    index: 0,
    count: 1,
    previous,
    at,
    seq: 0,
    outcomes: ["applied"],
    unit,
  });
  return { id: hash(signedBytes(bytes)), body: bytes, signature, envelope: readEntryBody(bytes) };
}

test("what a snapshot may contain ends before the first void unit, and where the semantics are unknown", () => {
  const limits = (endAt: number | null, firstAt: number) => {
    const unknownFrom = endAt === null ? null : { at: endAt, seq: 0, id: "" };
    const { cutAt, finalTo } = limitToApplied(
      double<Fold>({ unknownFrom, cutAt: 1_000, voids: { firstAt } }),
      800,
    );
    return [cutAt, finalTo];
  };
  assert.deepEqual(limits(null, Number.POSITIVE_INFINITY), [1_000, 800]);
  assert.deepEqual(limits(null, 500), [499, 499]);
  assert.deepEqual(limits(900, 950), [899, 800]);
  assert.deepEqual(limits(400, 500), [399, 399]);
});

test("a void write whose position is not final is found again after a restart, whatever snapshots are made", async () => {
  const subject = await new TimelineSubject({ every: 5, now: START + 2_000 }).open();
  const write = entryAt(START + 1_000, "SET d:a 1");
  subject.timeline.receive(
    [decided(1, START + 100, "CLUSTER DECIDE d:*"), decided(2, START + 200, "CLUSTER DECIDED d:*"), write],
    MEMBER,
  );
  await subject.settle();
  assert.equal(subject.timeline.voids.firstAt, START + 1_000);

  // A member is down, so nothing becomes final, while this daemon stores writes and makes snapshots.
  await subject.writes(20, MINUTE_MS / 4, (i) => `SET other ${i}`);
  const again = await subject.restarted().open();
  assert.equal(again.timeline.voids.firstAt, START + 1_000);

  // It has become a dead letter.
  again.timeline.voids.drop(START + 1_000);
  await again.writes(10, MINUTE_MS / 4, (i) => `SET other ${i}`);
  assert.ok(
    again.snapshots.list().some((at) => at >= START + 1_000),
    "then snapshots cover it",
  );
});
