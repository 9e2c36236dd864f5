/** Tests the low watermark: what moves it, and when other daemons receive it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DiskFailure } from "../../../daemon/timeline/disk-failure.js";
import type { TimelineParts } from "../../../daemon/timeline/timeline-environment.js";
import { Watermark } from "../../../daemon/timeline/watermark.js";
import { double } from "../../support/double.js";
import { nextTurn } from "../../support/until.js";
import { DAY_MS, MINUTE_MS, START, UnsyncedStorage } from "./support/timeline-subject.js";

const PAST_MS = 30_000;

class Subject {
  readonly storage = new UnsyncedStorage();
  readonly failures: string[] = [];
  readonly watermark: Watermark;
  clock = START;
  uptime = 0;
  isJoining = false;

  readonly votes = { openDate: Number.POSITIVE_INFINITY };

  constructor(isAlone: boolean) {
    const parts = double<TimelineParts>({
      storage: this.storage,
      clock: () => this.clock,
      uptime: () => this.uptime,
      window: { past: PAST_MS, future: 5000 },
      isAlone: () => isAlone,
      isJoining: () => this.isJoining,
      log: { error: () => {} },
      handlers: { failed: (detail) => void this.failures.push(detail) },
    });
    this.watermark = new Watermark(parts, new DiskFailure(parts), this.votes);
  }

  pass(ms: number, isSkewed = false): void {
    for (let left = ms; left > 0; left -= 100) {
      this.clock += 100;
      this.uptime += 100;
      this.watermark.tick(isSkewed);
    }
  }
}

test("the watermark follows the clock at the distance of the window", () => {
  const subject = new Subject(false);
  subject.pass(MINUTE_MS);
  const distance = subject.clock - PAST_MS - subject.watermark.value;
  assert.ok(distance >= 0 && distance <= 2000, `${distance} ms distance`);
});

test("a watermark is sent to members only once it is on the disk", async () => {
  const subject = new Subject(false);
  subject.pass(100);
  const { value } = subject.watermark;
  subject.pass(MINUTE_MS);
  await nextTurn();
  assert.equal(subject.watermark.published, 0);
  subject.storage.sync();
  await nextTurn();
  assert.equal(subject.watermark.published, value);
});

test("a watermark stays below the date of a decision that may have been made", async () => {
  const subject = new Subject(false);
  subject.votes.openDate = START + 10;
  subject.watermark.raise(START + 1_000);
  const publish = async () => {
    subject.pass(2_100, true);
    subject.storage.sync();
    await nextTurn();
    return subject.watermark.published;
  };
  assert.equal(await publish(), START + 9);
  subject.votes.openDate = Number.POSITIVE_INFINITY;
  assert.equal(await publish(), START + 1_000);
  subject.votes.openDate = START + 10;
  assert.equal(await publish(), START + 1_000, "a published watermark is never lowered");
});

test("a watermark is neither sent nor stored while its initial value is unknown", async () => {
  const subject = new Subject(false);
  subject.isJoining = true;
  subject.watermark.raise(START);
  subject.pass(MINUTE_MS, true);
  subject.storage.sync();
  await nextTurn();
  assert.equal(subject.watermark.published, 0);
  assert.equal(subject.storage.readMark("watermark"), null, "a restart determines the watermark again");
  subject.isJoining = false;
  subject.pass(MINUTE_MS, true);
  subject.storage.sync();
  await nextTurn();
  assert.equal(subject.watermark.published, START);
});

test("a watermark that the disk did not accept is never sent, and the failure is reported", async () => {
  const subject = new Subject(false);
  subject.pass(100);
  subject.storage.fail();
  await nextTurn();
  subject.pass(MINUTE_MS);
  subject.storage.sync();
  await nextTurn();
  assert.equal(subject.watermark.published, 0);
  assert.deepEqual(subject.failures, ["the disk is broken"]);
});

test("a clock that is known to be wrong does not move the watermark", () => {
  const subject = new Subject(false);
  subject.pass(3000);
  const { value } = subject.watermark;
  subject.clock += DAY_MS;
  subject.pass(MINUTE_MS, true);
  assert.equal(subject.watermark.value, value);
});

test("a jump of a lone daemon's clock moves the watermark only after ten minutes", () => {
  const subject = new Subject(true);
  subject.pass(3000);
  subject.clock += DAY_MS;
  subject.pass(9 * MINUTE_MS);
  const right = subject.clock - DAY_MS - PAST_MS;
  assert.ok(subject.watermark.value <= right, `${subject.watermark.value - right} ms ahead`);
  assert.ok(subject.watermark.value > right - 3000, "the watermark advances by the time that has passed");
  subject.pass(2 * MINUTE_MS);
  assert.ok(subject.watermark.value > subject.clock - PAST_MS - 3000);
});
