/**
 * Tests that a daemon that is missing entries that a member has pruned starts again with the member's snapshot, and is
 * then equal to the member.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../daemon/store/canonical-state.js";
import { MissingCode } from "../../../daemon/store/rows/command-families.js";
import { orderKeyOf } from "../../../daemon/timeline/entries/entry.js";
import type { FoundOrphans } from "../../../daemon/timeline/lost-entries.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import type { StagedSnapshot } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { amount } from "../../support/amount.js";
import { until } from "../../support/until.js";
import { KEY_IDS, SPKIS } from "./support/random-timeline.js";
import {
  bulk,
  entryAt,
  MEMBER,
  MINUTE_MS,
  type SubjectOptions,
  TimelineSubject,
} from "./support/timeline-subject.js";

const RETAIN_MS = 300_000;
const OPTIONS: SubjectOptions = { every: 50, limits: { retainMs: RETAIN_MS } };

/** Creates a daemon that has pruned its first writes. */
async function makeSource({ count = amount(260, 400), everyMs = 2000 } = {}): Promise<TimelineSubject> {
  const source = await new TimelineSubject(OPTIONS).open();
  await source.writes(count, everyMs, (i) => (i % 3 === 0 ? `INCR n${i % 10}` : `SET k${i % 40} v${i}`));
  assert.ok(source.timeline.prunedTo > 0);
  return source;
}

/** Creates a daemon without data. */
async function makeTarget(source: TimelineSubject, options: SubjectOptions = {}): Promise<TimelineSubject> {
  return await new TimelineSubject({ ...OPTIONS, now: source.now, ...options }).open();
}

/** Receives the snapshot of `source`. @param change  a function applied to the bytes in flight */
function stageFrom(
  source: TimelineSubject,
  target: TimelineSubject,
  change: (bytes: Buffer) => Buffer = (bytes) => bytes,
): StagedSnapshot {
  const snapshot = source.timeline.handover.sendable(source.timeline.prunedTo);
  assert.ok(snapshot !== null);
  const bytes = change(Buffer.concat([...snapshot.chunks]));
  const staged = target.timeline.handover.stage(snapshot.cutAt);
  for (let from = 0; from < bytes.length; from += 1000) staged.write(bytes.subarray(from, from + 1000));
  return staged;
}

async function adopt(target: TimelineSubject, staged: StagedSnapshot): Promise<FoundOrphans> {
  const reports: FoundOrphans[] = [];
  const failures: Error[] = [];
  let isOver = false;
  target.timeline.handover.adopt(staged, staged.seal, {
    ...ALWAYS_WANTED,
    onOrphaned: (orphans) => void reports.push(orphans),
    onAdopted: () => void (isOver = true),
    onFailed: (problem) => void (isOver = failures.push(problem) > 0),
  });
  await until("the handover ends", () => isOver, { pause: () => target.turns(1) });
  for (const failure of failures) throw failure;
  assert.equal(reports.length, 1);
  return reports[0] as FoundOrphans;
}

/** Handlers that always want the snapshot and ignore notifications. */
const ALWAYS_WANTED = { isWanted: () => true, onAside: () => {} };

/** Sends the entries that `source` still has, as a comparison would. */
function sendRemaining(source: TimelineSubject, target: TimelineSubject): void {
  const remaining = source.announced.filter(({ envelope: { at } }) => at > source.timeline.prunedTo);
  target.timeline.receive(remaining, MEMBER);
}

function assertEqual(target: TimelineSubject, source: TimelineSubject): void {
  assert.deepEqual(canonicalState(target.timeline.database), canonicalState(source.timeline.database));
  assert.equal(target.counts.indexed, source.counts.indexed);
  assert.deepEqual(target.timeline.index.total("data"), source.timeline.index.total("data"));
  assert.equal(target.timeline.prunedTo, source.timeline.prunedTo);
}

const NONE = { count: 0, entries: [] };

test("a daemon without data has all data once it has received a snapshot and the later entries, even after a restart", async () => {
  const source = await makeSource();
  const target = await makeTarget(source);
  const orphans = await adopt(target, stageFrom(source, target));
  assert.deepEqual(orphans, { ...NONE, possible: NONE, unverifiable: NONE, deadLetters: null });
  assert.equal(target.timeline.state, "live");
  const { prunedTo } = source.timeline;
  assert.deepEqual(target.mark, { pruned: prunedTo, snapshots: [prunedTo] });
  sendRemaining(source, target);
  await target.pass(1000);
  assertEqual(target, source);
  assertEqual(await target.restarted().open(), source);
});

test("a daemon keeps its entries dated after the snapshot, and removes and reports its earlier entries", async () => {
  const source = await makeSource();
  const target = await makeTarget(source);
  const { prunedTo } = source.timeline;
  const known = source.announced.slice(0, 30);
  const own = [entryAt(prunedTo - 1, "SET mine 1"), entryAt(source.now - 90_000, "SET later 1")];
  target.timeline.receive([...known, ...own], MEMBER);
  await target.pass(1000);

  const { count, entries } = await adopt(target, stageFrom(source, target));
  assert.equal(count, 1);
  assert.deepEqual(entries, [own[0]]);

  source.timeline.receive([own[1] as (typeof own)[1]], MEMBER);
  sendRemaining(source, target);
  for (const subject of [source, target]) await subject.pass(1000);
  assertEqual(target, source);
  assert.deepEqual(target.get("mine"), { kind: "nil" });
  assert.deepEqual(target.get("later"), bulk("1"));
  assert.ok(
    [...target.storage.orderKeys(null, null)].every((orderKey) => orderKey.readBigUInt64BE() > prunedTo),
  );
});

test("orphaned ring entries are reported one by one, and so are data entries if the sums leave only one possibility", async () => {
  const source = await makeSource();
  const target = await makeTarget(source);
  const same = source.announced[3] as (typeof source.announced)[0];
  const neighbor = entryAt(same.envelope.at, "SET beside 1");
  const ring = entryAt(same.envelope.at + 1, "KEY REVOKE 00");
  target.timeline.receive([...source.announced.slice(0, 10), neighbor, ring], MEMBER);
  await target.pass(1000);
  const { count, entries, possible } = await adopt(target, stageFrom(source, target));
  assert.deepEqual([count, possible], [2, NONE]);
  assert.deepEqual(new Set(entries.map(({ id }) => id)), new Set([ring.id, neighbor.id]));
});

/** Creates a daemon with two entries in each second. */
const makeDenseSource = () => makeSource({ count: 1000, everyMs: 500 });

test("a daemon that has only entries of the snapshot reports no orphaned entries", async () => {
  const source = await makeDenseSource();
  const target = await makeTarget(source);
  const part = source.announced.slice(0, 200).filter((_, i) => i % 2 === 0 || i % 10 === 1);
  target.timeline.receive(part, MEMBER);
  await target.pass(1000);
  const { count, entries, possible } = await adopt(target, stageFrom(source, target));
  assert.deepEqual([count, entries, possible.entries], [0, [], []]);
  assert.ok(possible.count > 0, "entries that the daemon has removed cannot be compared one by one");
});

test("a daemon names the orphaned entries of a second in which the members have written too", async () => {
  const source = await makeDenseSource();
  const target = await makeTarget(source);

  const [first, second] = source.announced.filter(
    ({ envelope: { at } }, i, all) =>
      Math.floor(at / 1000) === Math.floor((all[i + 1]?.envelope.at ?? 0) / 1000),
  );
  assert.ok(first && second);

  // In one second, the target has one of the source's two entries and one entry of its own. In another second, the
  // target has both entries of the source and two entries of its own.
  const others = source.announced.filter(
    ({ id, envelope: { at } }) =>
      id !== second.id && Math.floor(at / 1000) === Math.floor(second.envelope.at / 1000),
  );
  assert.equal(others.length, 1);

  const own = [first, second, second].map(({ envelope: { at } }, i) => entryAt(at, `SET own:${i} 1`));
  target.timeline.receive([first, second, ...others, ...own], MEMBER);
  await target.pass(1000);

  const { count, entries, possible } = await adopt(target, stageFrom(source, target));
  assert.deepEqual([count, possible], [3, NONE]);
  assert.deepEqual(new Set(entries.map(({ id }) => id)), new Set(own.map(({ id }) => id)));
});

/** Returns a KEY ADD by an administrator, or by the given signer. */
const adding = (number: number, at: number, signer = KEY_IDS[1]) => {
  const text = Buffer.from(SPKIS[number] as string, "latin1").toString("base64");
  return entryAt(at, `KEY ADD ${text} LABEL k${number} RULES +@all ~*`, signer);
};

test("entries signed with keys that orphaned entries had added are removed too, and accepted again once the keys are known", async () => {
  const source = await makeSource();
  const target = await makeTarget(source);
  const { prunedTo, index } = source.timeline;
  const later = source.now - 90_000;
  const [lost, kept, dependent] = [3, 4, 5];
  const [lostKey, keptKey, dependentKey] = [KEY_IDS[lost], KEY_IDS[kept], KEY_IDS[dependent]];

  const orphan = adding(lost, prunedTo - 1);
  const retained = [
    entryAt(later, "SET early 1", keptKey),
    adding(kept, later + 1),
    entryAt(later + 2, "SET mine 1", keptKey),
  ];
  const removed = [
    entryAt(later + 3, "SET theirs 1", lostKey),
    adding(dependent, later + 4, lostKey),
    entryAt(later + 5, "SET theirs 2", dependentKey),
  ];

  target.timeline.receive([...retained, ...removed, orphan], MEMBER);
  await target.pass(1000);
  assert.deepEqual(target.get("theirs"), bulk("2"));

  const { entries, unverifiable } = await adopt(target, stageFrom(source, target));
  assert.deepEqual(entries, [orphan]);
  assert.deepEqual(unverifiable, { count: 3, entries: removed });

  const [ring, data] = [index.total("ring").count, index.total("data").count];
  source.timeline.receive(retained, MEMBER);
  sendRemaining(source, target);
  for (const subject of [source, target]) await subject.pass(1000);

  assertEqual(target, source);
  assert.deepEqual([ring + 1, data + 2], [index.total("ring").count, index.total("data").count]);
  assert.deepEqual([target.get("theirs"), target.get("mine")], [{ kind: "nil" }, bulk("1")]);
  assertEqual(await target.restarted().open(), source);

  const again = [adding(lost, later), ...removed];
  for (const subject of [source, target]) {
    assert.equal(subject.timeline.receive(again, MEMBER).length, again.length);
    await subject.pass(1000);
    assert.deepEqual(subject.get("theirs"), bulk("2"));
  }
  assertEqual(target, source);
});

test("an unreadable entry is removed too, and accepted when it is received again", async () => {
  const source = await makeSource();
  const target = await makeTarget(source);
  const rotten = entryAt(source.now - 90_000, "SET rotten 1");
  target.timeline.receive([rotten], MEMBER);
  await target.pass(1000);

  target.damage(rotten);
  assert.equal(target.timeline.read(orderKeyOf(rotten)), null);
  assert.equal((await adopt(target, stageFrom(source, target))).unverifiable.count, 0);
  assert.deepEqual([...target.storage.orderKeys(null, null)], []);
  assert.deepEqual(target.get("rotten"), { kind: "nil" });

  source.timeline.receive([rotten], MEMBER);
  sendRemaining(source, target);
  assert.equal(target.timeline.receive([rotten], MEMBER).length, 1);
  for (const subject of [source, target]) await subject.pass(1000);
  assertEqual(target, source);
  assert.deepEqual(target.get("rotten"), bulk("1"));
});

test("a snapshot that is damaged, truncated or of another date is refused, and nothing has changed", async () => {
  const source = await makeSource();
  const target = await makeTarget(source);
  const own = target.write("SET own 1");
  const flip = (bytes: Buffer) => {
    bytes[bytes.length - 40] = (bytes[bytes.length - 40] as number) ^ 1;
    return bytes;
  };

  for (const staged of [
    stageFrom(source, target, flip),
    stageFrom(source, target, (bytes) => bytes.subarray(0, -1)),
    { ...stageFrom(source, target), cutAt: 7 },
  ])
    await assert.rejects(adopt(target, staged), { name: "DamagedSnapshot" });

  assert.equal(target.timeline.failure, null);
  assert.equal(target.timeline.state, "live");
  assert.equal(target.timeline.prunedTo, -1);
  assert.deepEqual(target.snapshots.list(), []);
  assert.deepEqual(target.get("own"), bulk("1"));
  assert.equal(target.timeline.holds({ at: own.envelope.at, seq: 0, id: own.id }), true);
});

/** A disk that is slow to flush. */
class SlowStorage extends MemoryStorage {
  isSlow = false;
  #waiting: (() => void)[] = [];

  override flushed(): Promise<void> {
    return this.isSlow ? new Promise((resolve) => this.#waiting.push(resolve)) : super.flushed();
  }

  flush(): void {
    this.isSlow = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

test("after a snapshot with a value whose code is missing, nothing is applied any more, and the reason is reported", async () => {
  const source = await makeSource();
  const target = await makeTarget(source);
  const problem = new MissingCode("this build does not contain the code of XADD");
  const read = () => {
    throw problem;
  };
  await assert.rejects(adopt(target, { ...stageFrom(source, target), read }), problem);
  assert.equal(target.timeline.standstill, problem.message);
  const entry = entryAt(source.now, "SET a 1");
  target.timeline.receive([entry], MEMBER);
  await target.pass(1000);
  assert.ok(target.timeline.holds(orderKeyOf(entry)));
  assert.deepEqual(target.get("a"), { kind: "nil" });
});

test("while a refold waits for the disk, the adoption waits too, without using turns of the event loop", async () => {
  const source = await makeSource();
  const storage = new SlowStorage();
  const target = await makeTarget(source, { storage, limits: {} });
  target.timeline.receive(source.announced.slice(200), MEMBER);
  await target.pass(1000);

  storage.isSlow = true;
  target.timeline.receive(source.announced.slice(190, 200), MEMBER);
  const adopted = new Promise<void>((resolve, failed) => {
    const staged = stageFrom(source, target);
    const owner = { ...ALWAYS_WANTED, onOrphaned: () => {}, onAdopted: resolve, onFailed: failed };
    target.timeline.handover.adopt(staged, staged.seal, owner);
  });

  assert.equal(await target.turns(1000), false, "the target becomes idle");
  assert.equal(target.timeline.state, "catching-up");

  storage.flush();
  await target.settle();
  await adopted;

  sendRemaining(source, target);
  await target.pass(1000);
  assertEqual(target, source);
});

/** Creates a daemon that has all entries of the source's snapshot except one. */
async function makeTwin(source: TimelineSubject): Promise<TimelineSubject> {
  const target = await makeTarget(source, { limits: {}, every: 1 });
  const until = source.timeline.prunedTo + MINUTE_MS;
  const entries = source.announced.slice(1);

  // With these entries the target is just before the date of the source's snapshot. The next entry reaches that date.
  const before = entries.filter(({ envelope: { at } }) => at < until);
  for (const entry of before) {
    target.timeline.receive([entry], MEMBER);
    await target.settle();
    target.tick();
    await target.settle();
  }
  target.timeline.receive(entries.slice(before.length, before.length + 1), MEMBER);
  await target.settle();

  const [newest] = target.mark.snapshots.slice(-1) as [number];
  assert.ok(newest < source.timeline.prunedTo && newest > source.timeline.prunedTo - 5000);
  return target;
}

test("the daemon makes no snapshot of its own with the same date during the adoption", async () => {
  const source = await makeSource();
  const target = await makeTwin(source);
  const staged = stageFrom(source, target);
  const commit = () => {
    target.tick();
    return staged.commit();
  };
  await adopt(target, { ...staged, commit });
  sendRemaining(source, target);
  await target.pass(1000);
  assertEqual(target, source);
});

test("the daemon's own snapshot of the same date is no longer valid when the member's snapshot replaces it", async () => {
  const source = await makeSource();
  const target = await makeTwin(source);
  const earlier = target.mark.snapshots.slice(-1);
  await target.pass(200);
  const staged = stageFrom(source, target);
  assert.deepEqual(target.mark.snapshots, [...earlier, staged.cutAt]);
  const commit = () => {
    assert.deepEqual(target.mark.snapshots, earlier);
    assert.deepEqual(target.snapshots.list(), earlier, "the snapshot could return after a crash");
    return staged.commit();
  };
  await adopt(target, { ...staged, commit });
  assert.deepEqual(target.mark.snapshots, [staged.cutAt]);
});

test("a daemon makes snapshots again after a member's snapshot could not be stored", async () => {
  const source = await makeSource();
  const target = await makeTwin(source);
  const earlier = target.mark.snapshots.slice(-1);
  const commit = () => Promise.reject(new Error("no space"));
  await assert.rejects(adopt(target, { ...stageFrom(source, target), commit }), { message: "no space" });
  await target.pass(200);
  assert.deepEqual(target.snapshots.list(), [...earlier, source.timeline.prunedTo]);
  assert.equal(target.timeline.failure, null);
});

test("no entry dated at or before the snapshot is accepted afterwards", async () => {
  const source = await makeSource();
  const target = await makeTarget(source);
  await adopt(target, stageFrom(source, target));
  const { prunedTo } = target.timeline;
  assert.ok(target.timeline.watermark >= prunedTo);
  assert.notEqual(target.timeline.accept(entryAt(prunedTo, "SET late 1")).kind, "accepted");
  assert.deepEqual(target.timeline.receive([entryAt(prunedTo - 5, "SET late 1")], MEMBER), []);
});

test("entries that arrive while the timeline starts again are not accepted, and do not count as held", async () => {
  const source = await makeSource();
  const target = await makeTarget(source);
  const staged = stageFrom(source, target);
  const late = entryAt(source.now - 1000, "SET late 1");
  const orderKey = { at: late.envelope.at, seq: 0, id: late.id };

  const received: unknown[] = [];
  let isAdopted = false;
  target.timeline.handover.adopt(staged, staged.seal, {
    ...ALWAYS_WANTED,
    onOrphaned: () =>
      void received.push(target.timeline.receive([late], MEMBER), target.timeline.holds(orderKey)),
    onAdopted: () => void (isAdopted = true),
    onFailed: assert.fail,
  });
  await until("the snapshot is adopted", () => isAdopted, { pause: () => target.turns(1) });

  assert.deepEqual(received, [[], false]);
  assert.equal(target.timeline.receive([late], MEMBER).length, 1);
});

test("a daemon that stops during a refold adopts no snapshot and leaves no pending steps", async () => {
  const source = await makeSource();
  const target = await makeTarget(source);
  await target.writes(100, 2000, (i) => `SET own${i} v`);
  target.isSlow = true;
  target.timeline.receive([entryAt(target.now - 150_000, "SET own1 late")], MEMBER);

  const ended: string[] = [];
  const staged = stageFrom(source, target);
  target.timeline.handover.adopt(staged, staged.seal, {
    ...ALWAYS_WANTED,
    onOrphaned: () => void ended.push("orphans"),
    onAdopted: () => void ended.push("adopted"),
    onFailed: () => void ended.push("failed"),
  });

  await target.timeline.stop();
  assert.equal(await target.turns(100), false, "nothing is left to do");
  assert.deepEqual(ended, []);
});
