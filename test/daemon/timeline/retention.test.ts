/**
 * Tests that exactly the entries of a snapshot are pruned, and that entries with earlier dates do no harm when they
 * arrive afterwards.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { roundestDate } from "../../../daemon/timeline/snapshots/snapshot-schedule.js";
import { amount } from "../../support/amount.js";
import {
  bulk,
  CountingStorage,
  DAY_MS,
  entryAt,
  MEMBER,
  MINUTE_MS,
  START,
  TimelineSubject,
} from "./support/timeline-subject.js";

const RETAIN_MS = 7 * DAY_MS;

/** The number of writes within twenty days. */
const WRITES = amount(160, 400);

/** The time without an entry in which a timeline could make another snapshot, in milliseconds. */
const QUIET_MS = amount(5, 20) * MINUTE_MS;

/** Creates twenty days of writes. Writes older than a week are pruned. */
async function twentyDays(storage = new CountingStorage()): Promise<TimelineSubject> {
  const subject = await new TimelineSubject({
    storage,
    every: WRITES / 40,
    limits: { retainMs: RETAIN_MS },
  }).open();
  await subject.writes(WRITES, (20 * DAY_MS) / WRITES, (i) => `SET k${i % 20} v${i}`);
  return subject;
}

/** Creates a timeline in memory with more entries than it has space for. */
async function fullMemory(): Promise<TimelineSubject> {
  const limits = { retainBytes: amount(25_000, 100_000) };
  const subject = await new TimelineSubject({ every: amount(100, 400), limits }).open();
  await subject.writes(amount(375, 1500), 1000, (i) => `SET k${i % 20} v${i}`);
  return subject;
}

for (const [name, make] of [
  ["a timeline that keeps entries for days", twentyDays],
  ["a timeline in memory", fullMemory],
] as const) {
  test(`${name} prunes exactly up to a snapshot that it still has`, async () => {
    const subject = await make();
    const { pruned, snapshots } = subject.mark;
    assert.ok(pruned !== null && snapshots.includes(pruned), `${pruned} is not in ${snapshots}`);
    assert.ok(subject.snapshots.list().includes(pruned));
    assert.deepEqual(subject.snapshots.list(), snapshots);
    assert.ok(
      [...subject.storage.orderKeys(null, null)].every((orderKey) => orderKey.readBigUInt64BE() > pruned),
    );
  });

  test(`${name} refuses an entry before the pruned date, and continues, even after a restart`, async () => {
    const subject = await make();
    const { pruned } = subject.mark;
    const before = subject.counts;

    for (const back of [0, 1000, DAY_MS])
      assert.deepEqual(
        subject.timeline.receive([entryAt((pruned as number) - back, "SET late x")], MEMBER),
        [],
      );
    await subject.pass(1000);
    assert.equal(subject.timeline.failure, null);
    assert.deepEqual(subject.counts, before);
    assert.deepEqual(subject.get("late"), { kind: "nil" });

    subject.write("SET after 1");
    const restarted = await subject.restarted().open();
    assert.deepEqual(restarted.get("after"), bulk("1"));
    assert.deepEqual(restarted.get("k19"), subject.get("k19"));
  });

  test(`${name} accepts an entry just after the pruned date, and has it even after a restart`, async () => {
    const subject = await make();
    const late = entryAt((subject.mark.pruned as number) + 1, "SET late x");
    assert.equal(subject.timeline.receive([late], MEMBER).length, 1);
    await subject.pass(6000);
    assert.equal(subject.timeline.failure, null);
    assert.deepEqual(subject.get("late"), bulk("x"));
    const restarted = await subject.restarted().open();
    assert.deepEqual(restarted.get("late"), bulk("x"));
    assert.deepEqual(restarted.get("k19"), subject.get("k19"));
  });
}

test("a member that was away for less than --retain catches up, and one that was away for longer does not", async () => {
  const subject = await twentyDays();
  const within = entryAt(subject.now - 6.5 * DAY_MS, "SET within x");
  assert.equal(subject.timeline.receive([within], MEMBER).length, 1);
  const outside = entryAt(subject.now - 10 * DAY_MS, "SET without x");
  assert.equal(subject.timeline.receive([outside], MEMBER).length, 0);
  await subject.pass(6000);
  assert.equal(subject.timeline.failure, null);
  assert.deepEqual([subject.get("within"), subject.get("without")], [bulk("x"), { kind: "nil" }]);
});

test("some snapshots are retained over the time of --retain, at intervals", async () => {
  const subject = await twentyDays();
  const kept = subject.snapshots.list();
  assert.deepEqual(kept, subject.mark.snapshots);
  assert.ok(kept.length >= 5 && kept.length <= 11, `${kept.length} snapshots`);
  const [first, second] = kept as [number, number];
  assert.ok(first <= subject.now - RETAIN_MS && second > subject.now - RETAIN_MS - DAY_MS);
  const gaps = kept.slice(1, -2).map((date, i) => date - (kept[i] as number));
  assert.ok(
    gaps.every((gap) => gap >= RETAIN_MS / 8 && gap < RETAIN_MS / 3),
    `${gaps}`,
  );
});

test("a timeline in memory retains at most three snapshots", async () => {
  assert.ok((await fullMemory()).snapshots.list().length <= 3);
});

test("a jump of a lone daemon's clock for a few minutes prunes nothing", async () => {
  const limits = { retainMs: RETAIN_MS };
  const subject = await new TimelineSubject({ every: 10, isAlone: true, limits }).open();
  await subject.writes(100, DAY_MS / 20, (i) => `SET k${i} v`);
  await subject.pass(MINUTE_MS);
  subject.now += 30 * DAY_MS;
  await subject.pass(9 * MINUTE_MS);
  assert.equal(subject.mark.pruned, null);
  assert.equal(subject.counts.kept, 100);
  await subject.pass(2 * MINUTE_MS);
  assert.notEqual(subject.mark.pruned, null);
});

test("a daemon that knows that its clock is ahead prunes nothing until the clock is right", async () => {
  const subject = await new TimelineSubject({ every: 10, limits: { retainMs: RETAIN_MS } }).open();
  await subject.writes(100, DAY_MS / 20, (i) => `SET k${i} v`);
  await subject.pass(MINUTE_MS);
  subject.now += 30 * DAY_MS;
  subject.timeline.isSkewed = true;
  await subject.pass(MINUTE_MS);
  assert.equal(subject.mark.pruned, null);
  assert.equal(subject.counts.kept, 100);
  subject.timeline.isSkewed = false;
  await subject.pass(1000);
  assert.notEqual(subject.mark.pruned, null);
});

test("an idle daemon writes only its watermark", async () => {
  const storage = new CountingStorage();
  const subject = await twentyDays(storage);
  await subject.pass(MINUTE_MS);
  const { entriesPut, removed } = storage;
  storage.marksPut.length = 0;
  await subject.pass(5 * MINUTE_MS);
  assert.deepEqual([storage.entriesPut, storage.removed], [entriesPut, removed]);
  assert.deepEqual([...new Set(storage.marksPut)], ["watermark"]);
  assert.ok(storage.marksPut.length <= 150, `${storage.marksPut.length} in five minutes`);
  assert.ok(subject.now > START);
});

const UNCERTIFIED = { every: 10, isCertified: false, limits: { retainMs: RETAIN_MS } };

test("entries are pruned up to the newest snapshot that members have confirmed, and no further", async () => {
  const subject = await new TimelineSubject(UNCERTIFIED).open();
  const { handover } = subject.timeline;
  await subject.writes(400, DAY_MS / 20, (i) => `SET k${i % 20} v${i}`);
  assert.deepEqual([subject.timeline.prunedTo, subject.counts.kept], [-1, 400]);
  const [first, second] = handover.cuts.map(({ at }) => ({ at })) as [{ at: number }, { at: number }];
  assert.ok(first.at < subject.now - RETAIN_MS);
  handover.certify(first.at + 1);
  await subject.pass(1000);
  assert.equal(subject.timeline.prunedTo, -1, "there is no snapshot of that date");
  handover.certify(first.at);
  await subject.pass(1000);
  assert.deepEqual([subject.timeline.prunedTo, handover.sendable(first.at)?.cutAt], [first.at, first.at]);
  assert.ok(subject.counts.kept < 400);
  await subject.pass(10_000);
  assert.equal(subject.timeline.prunedTo, first.at, "pruning stops there");
  handover.certify(second.at);
  await subject.writes(200, DAY_MS / 20, (i) => `SET k${i % 20} v${i}`);
  assert.equal(subject.timeline.prunedTo, second.at);
});

test("a confirmed snapshot is no longer confirmed once an entry with an earlier date has arrived", async () => {
  const subject = await new TimelineSubject(UNCERTIFIED).open();
  const { handover } = subject.timeline;
  await subject.writes(100, DAY_MS / 20, (i) => `SET k${i % 20} v${i}`);
  // The timeline makes a snapshot of the roundest date again in any case.
  const roundest = roundestDate(START, handover.cuts.at(-1)?.at ?? -1);
  const found = handover.cuts.find(({ at }) => at === roundest) ?? assert.fail();
  handover.certify(found.at);
  assert.equal(subject.timeline.receive([entryAt(found.at - 1, "SET late x")], MEMBER).length, 1);
  await subject.settle();
  assert.ok(handover.cuts.every(({ at }) => at < found.at));
  await subject.writes(20, 1000, (i) => `SET k${i} v`);
  const again = handover.cuts.find(({ at }) => at === found.at);
  assert.ok(again !== undefined && again.seal !== found.seal, "there is a different snapshot of that date");

  await subject.writes(200, DAY_MS / 20, (i) => `SET k${i % 20} v${i}`);
  await subject.pass(1000);
  assert.ok(subject.now - RETAIN_MS > found.at);
  assert.equal(subject.timeline.prunedTo, -1);
});

test("a daemon that is alone waits for no members", async () => {
  const subject = await new TimelineSubject({ ...UNCERTIFIED, isAlone: true }).open();
  await subject.writes(20, 1000, (i) => `SET k${i} v`);
  subject.timeline.receive(
    Array.from({ length: 100 }, (_, i) => entryAt(subject.now - 30 * DAY_MS + i, `SET old${i} v`)),
    MEMBER,
  );
  await subject.pass(15 * MINUTE_MS);
  assert.ok(subject.timeline.prunedTo > 0);
});

test("a timeline in memory waits for its members, but only up to twice the permitted bytes", async () => {
  const storage = new MemoryStorage();
  const limits = { retainBytes: 100_000 };
  const subject = await new TimelineSubject({ ...UNCERTIFIED, storage, every: 400, limits }).open();
  let max = 0;
  for (let i = 0; i < 3000; i++) {
    await subject.writes(1, 1000, () => `SET k${i % 20} v${i}`);
    max = Math.max(max, storage.bytes);
    if (subject.timeline.prunedTo >= 0) break;
    assert.ok(storage.bytes <= 2.2 * limits.retainBytes, `${storage.bytes} bytes`);
  }
  assert.ok(subject.timeline.prunedTo >= 0);
  assert.ok(max > 1.9 * limits.retainBytes, `${max} bytes`);
});

test("the snapshot that all members will select is retained until they have confirmed it", async () => {
  const subject = await new TimelineSubject({ every: 10, isCertified: false }).open();
  await subject.writes(400, MINUTE_MS, (i) => `SET k${i % 20} v${i}`);
  const { handover } = subject.timeline;
  const dates = handover.cuts.map(({ at }) => at);
  assert.deepEqual([dates[0], dates.length], [roundestDate(START, subject.now), 3]);
  handover.certify(dates[0] as number);
  await subject.writes(400, MINUTE_MS, (i) => `SET k${i % 20} v${i}`);
  assert.equal(handover.cuts[0]?.at, dates[0], "the newest confirmed snapshot is retained too");
});

test("a snapshot that a member waits for is made even if no entry has arrived since the last snapshot", async () => {
  const subject = await new TimelineSubject({ every: 10 }).open();
  await subject.writes(40, MINUTE_MS, (i) => `SET k${i % 20} v${i}`);
  await subject.pass(10 * MINUTE_MS);
  const { handover } = subject.timeline;
  const dates = () => handover.cuts.map(({ at }) => at);
  const [before, pruned] = [dates(), subject.mark.pruned];
  await subject.pass(QUIET_MS);
  assert.deepEqual(dates(), before);
  handover.want(-1);
  await subject.pass(1000);
  assert.ok((dates().at(-1) as number) > (before.at(-1) as number));
  assert.equal(subject.mark.pruned, pruned);
  const newest = dates();
  await subject.pass(QUIET_MS);
  assert.deepEqual(dates(), newest, "only one snapshot is made");
});

test("a snapshot made again for the same date, with a late entry, is reported with its new contents", async () => {
  const subject = await new TimelineSubject({ every: 10, isCertified: false }).open();
  await subject.writes(40, MINUTE_MS, (i) => `SET k${i % 20} v${i}`);
  const { handover } = subject.timeline;
  const [before] = handover.cuts;
  assert.ok(before !== undefined);
  subject.timeline.receive([entryAt(START + 1, "SET late x")], MEMBER);
  handover.want(-1);
  await subject.pass(MINUTE_MS);
  const [after] = handover.cuts;
  assert.equal(after?.at, before.at);
  assert.notEqual(after.seal, before.seal);
  assert.equal(after.seal, subject.snapshots.sealOf(after.at)?.seal);
});

test("a member's request for a later snapshot has priority over a rounder date", async () => {
  const subject = await new TimelineSubject({ every: 1000, isCertified: false }).open();
  await subject.writes(40, MINUTE_MS, (i) => `SET k${i % 20} v${i}`);
  const { handover } = subject.timeline;
  const after = roundestDate(START, subject.now) as number;
  handover.want(after);
  await subject.pass(10 * MINUTE_MS);
  assert.ok((handover.cuts[0]?.at ?? 0) > after);
});

test("if no client writes, two daemons that prune at different tails request a snapshot of the same date", async () => {
  const dates = await Promise.all(
    [1, 2].map(async (minutes) => {
      const limits = { tailMs: minutes * MINUTE_MS };
      const subject = await new TimelineSubject({ every: 1000, isCertified: false, limits }).open();
      await subject.writes(5, MINUTE_MS, (i) => `SET k${i % 20} v${i}`);
      const last = subject.now;
      await subject.pass(6 * MINUTE_MS);
      const { handover } = subject.timeline;
      // Each of the two daemons had already signed this date.
      handover.want(last - minutes * MINUTE_MS - 1);
      await subject.pass(MINUTE_MS);
      assert.ok(
        (handover.cuts.at(-1)?.at ?? 0) > last,
        "up to the last entry all dates may have been signed",
      );
      return handover.cuts.at(-1)?.at;
    }),
  );
  assert.equal(dates[0], dates[1]);
});

test("a snapshot dated after the last entries prunes nothing that is still in the tail", async () => {
  const subject = await new TimelineSubject({ every: 1000, limits: { retainMs: MINUTE_MS } }).open();
  await subject.writes(10, 1000, (i) => `SET k${i % 20} v${i}`);
  await subject.pass(20 * MINUTE_MS);
  const { handover } = subject.timeline;
  handover.want(subject.now - 16 * MINUTE_MS);
  await subject.pass(5 * MINUTE_MS);
  assert.ok((handover.cuts.at(-1)?.at ?? 0) > START + MINUTE_MS);
  assert.equal(subject.mark.pruned, null);
});
