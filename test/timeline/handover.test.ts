/**
 * Tests that a daemon which misses entries that a member has forgotten starts again with the member's snapshot, and is
 * then equal to the member.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../store/digest.js";
import { placeOf } from "../../timeline/entries/entry.js";
import type { FoundOrphans } from "../../timeline/lost-entries.js";
import { MemoryStorage } from "../../timeline/memory-storage.js";
import type { StagedSnapshot } from "../../timeline/snapshots/snapshot-files.js";
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

/** Creates a daemon that has forgotten its first writes. */
async function makeGiver({ count = 400, everyMs = 2000 } = {}): Promise<TimelineSubject> {
  const giver = await new TimelineSubject(OPTIONS).open();
  await giver.writes(count, everyMs, (i) => (i % 3 === 0 ? `INCR n${i % 10}` : `SET k${i % 40} v${i}`));
  assert.ok(giver.timeline.prunedTo > 0);
  return giver;
}

/** Creates a daemon that has only what it receives. */
async function makeTaker(giver: TimelineSubject, options: SubjectOptions = {}): Promise<TimelineSubject> {
  return await new TimelineSubject({ ...OPTIONS, now: giver.now, ...options }).open();
}

/** Receives the snapshot of `giver`. @param change  applied to it on the way */
function stageFrom(
  giver: TimelineSubject,
  taker: TimelineSubject,
  change: (bytes: Buffer) => Buffer = (bytes) => bytes,
): StagedSnapshot {
  const given = giver.timeline.handover.sendable(giver.timeline.prunedTo);
  assert.ok(given !== null);
  const bytes = change(Buffer.concat([...given.chunks]));
  const staged = taker.timeline.handover.stage(given.cutAt);
  for (let from = 0; from < bytes.length; from += 1000) staged.write(bytes.subarray(from, from + 1000));
  return staged;
}

async function adopt(taker: TimelineSubject, staged: StagedSnapshot): Promise<FoundOrphans> {
  const told: FoundOrphans[] = [];
  const failures: Error[] = [];
  let isOver = false;
  taker.timeline.handover.adopt(staged, staged.seal, {
    ...UNASKED,
    onOrphaned: (orphans) => void told.push(orphans),
    onAdopted: () => void (isOver = true),
    onFailed: (problem) => void (isOver = failures.push(problem) > 0),
  });
  while (!isOver) await taker.turns(1);
  for (const failure of failures) throw failure;
  assert.equal(told.length, 1);
  return told[0] as FoundOrphans;
}

/** An owner that always agrees and ignores notifications. */
const UNASKED = { isWanted: () => true, onAside: () => {} };

/** Sends the entries that `giver` still has, as a comparison would. */
function giveRest(giver: TimelineSubject, taker: TimelineSubject): void {
  const rest = giver.told.filter(({ envelope: { at } }) => at > giver.timeline.prunedTo);
  taker.timeline.receive(rest, MEMBER);
}

function assertEqual(taker: TimelineSubject, giver: TimelineSubject): void {
  assert.deepEqual(canonicalState(taker.timeline.database), canonicalState(giver.timeline.database));
  assert.equal(taker.counts.indexed, giver.counts.indexed);
  assert.deepEqual(taker.timeline.index.total("data"), giver.timeline.index.total("data"));
  assert.equal(taker.timeline.prunedTo, giver.timeline.prunedTo);
}

const NONE = { count: 0, entries: [] };

test("a daemon with nothing has all after a snapshot and the rest, also after a restart", async () => {
  const giver = await makeGiver();
  const taker = await makeTaker(giver);
  const strays = await adopt(taker, stageFrom(giver, taker));
  assert.deepEqual(strays, { ...NONE, possible: NONE, unverifiable: NONE, letters: null });
  assert.equal(taker.timeline.state, "live");
  const { prunedTo } = giver.timeline;
  assert.deepEqual(taker.mark, { pruned: prunedTo, snapshots: [prunedTo] });
  giveRest(giver, taker);
  await taker.pass(1000);
  assertEqual(taker, giver);
  assertEqual(await taker.restarted().open(), giver);
});

test("what a daemon has of later dates stays, what it has of earlier ones goes, and is told", async () => {
  const giver = await makeGiver();
  const taker = await makeTaker(giver);
  const { prunedTo } = giver.timeline;
  const known = giver.told.slice(0, 30);
  const own = [entryAt(prunedTo - 1, "SET mine 1"), entryAt(giver.now - 90_000, "SET later 1")];
  taker.timeline.receive([...known, ...own], MEMBER);
  await taker.pass(1000);
  const { count, entries } = await adopt(taker, stageFrom(giver, taker));
  assert.equal(count, 1);
  assert.deepEqual(entries, [own[0]]);
  giver.timeline.receive([own[1] as (typeof own)[1]], MEMBER);
  giveRest(giver, taker);
  for (const subject of [giver, taker]) await subject.pass(1000);
  assertEqual(taker, giver);
  assert.deepEqual(taker.get("mine"), { kind: "nil" });
  assert.deepEqual(taker.get("later"), bulk("1"));
  assert.ok([...taker.storage.places(null, null)].every((place) => place.readBigUInt64BE() > prunedTo));
});

test("entries of keys are told one by one, and others where sums leave but one way", async () => {
  const giver = await makeGiver();
  const taker = await makeTaker(giver);
  const same = giver.told[3] as (typeof giver.told)[0];
  const beside = entryAt(same.envelope.at, "SET beside 1");
  const ring = entryAt(same.envelope.at + 1, "KEY REVOKE 00");
  taker.timeline.receive([...giver.told.slice(0, 10), beside, ring], MEMBER);
  await taker.pass(1000);
  const { count, entries, possible } = await adopt(taker, stageFrom(giver, taker));
  assert.deepEqual([count, possible], [2, NONE]);
  assert.deepEqual(new Set(entries.map(({ id }) => id)), new Set([ring.id, beside.id]));
});

/** Creates a daemon with two entries in each second. */
const makeDenseGiver = () => makeGiver({ count: 1000, everyMs: 500 });

test("a daemon that has a part of what the snapshot is made of is told of nothing that is gone", async () => {
  const giver = await makeDenseGiver();
  const taker = await makeTaker(giver);
  const part = giver.told.slice(0, 200).filter((_, i) => i % 2 === 0 || i % 10 === 1);
  taker.timeline.receive(part, MEMBER);
  await taker.pass(1000);
  const { count, entries, possible } = await adopt(taker, stageFrom(giver, taker));
  assert.deepEqual([count, entries], [0, []]);
  const { length } = possible.entries;
  assert.ok(length > 0 && length <= possible.count, `${length} of ${possible.count}`);
  assert.ok(possible.entries.every(({ id }) => part.some((entry) => entry.id === id)));
});

test("where the snapshot has as many, or fewer, so many are certain to be gone, whichever they are", async () => {
  const giver = await makeDenseGiver();
  const taker = await makeTaker(giver);
  const [first, second] = giver.told.filter(
    ({ envelope: { at } }, i, all) =>
      Math.floor(at / 1000) === Math.floor((all[i + 1]?.envelope.at ?? 0) / 1000),
  );
  assert.ok(first && second);
  // One of the sender's two, and another; both of the sender's two, and two different ones.
  const others = giver.told.filter(
    ({ id, envelope: { at } }) =>
      id !== second.id && Math.floor(at / 1000) === Math.floor(second.envelope.at / 1000),
  );
  assert.equal(others.length, 1);
  const own = [first, second, second].map(({ envelope: { at } }, i) => entryAt(at, `SET own:${i} 1`));
  taker.timeline.receive([first, second, ...others, ...own], MEMBER);
  await taker.pass(1000);
  const { count, entries, possible } = await adopt(taker, stageFrom(giver, taker));
  assert.deepEqual([count, entries], [3, []]);
  assert.equal(possible.count, 3);
  assert.equal(possible.entries.length, 6, "those that are certain are among them");
});

/** Returns a KEY ADD by an administrator, or by the given signer. */
const adding = (number: number, at: number, signer = KEY_IDS[1]) => {
  const text = Buffer.from(SPKIS[number] as string, "latin1").toString("base64");
  return entryAt(at, `KEY ADD ${text} LABEL k${number} RULES +@all ~*`, signer);
};

test("what was signed with keys that strays had added goes as well, and may come back once they are known", async () => {
  const giver = await makeGiver();
  const taker = await makeTaker(giver);
  const { prunedTo, index } = giver.timeline;
  const later = giver.now - 90_000;
  const [lost, kept, behind] = [3, 4, 5];
  const [lostKey, keptKey, behindKey] = [KEY_IDS[lost], KEY_IDS[kept], KEY_IDS[behind]];
  const stray = adding(lost, prunedTo - 1);
  const stays = [
    entryAt(later, "SET early 1", keptKey),
    adding(kept, later + 1),
    entryAt(later + 2, "SET mine 1", keptKey),
  ];
  const goes = [
    entryAt(later + 3, "SET theirs 1", lostKey),
    adding(behind, later + 4, lostKey),
    entryAt(later + 5, "SET theirs 2", behindKey),
  ];
  taker.timeline.receive([...stays, ...goes, stray], MEMBER);
  await taker.pass(1000);
  assert.deepEqual(taker.get("theirs"), bulk("2"));
  const { entries, unverifiable } = await adopt(taker, stageFrom(giver, taker));
  assert.deepEqual(entries, [stray]);
  assert.deepEqual(unverifiable, { count: 3, entries: goes });
  const [ring, data] = [index.total("ring").count, index.total("data").count];
  giver.timeline.receive(stays, MEMBER);
  giveRest(giver, taker);
  for (const subject of [giver, taker]) await subject.pass(1000);
  assertEqual(taker, giver);
  assert.deepEqual([ring + 1, data + 2], [index.total("ring").count, index.total("data").count]);
  assert.deepEqual([taker.get("theirs"), taker.get("mine")], [{ kind: "nil" }, bulk("1")]);
  assertEqual(await taker.restarted().open(), giver);
  const again = [adding(lost, later), ...goes];
  for (const subject of [giver, taker]) {
    assert.equal(subject.timeline.receive(again, MEMBER).length, again.length);
    await subject.pass(1000);
    assert.deepEqual(subject.get("theirs"), bulk("2"));
  }
  assertEqual(taker, giver);
});

test("an entry that cannot be read goes too, and is taken when it is given anew", async () => {
  const giver = await makeGiver();
  const taker = await makeTaker(giver);
  const rotten = entryAt(giver.now - 90_000, "SET rotten 1");
  taker.timeline.receive([rotten], MEMBER);
  await taker.pass(1000);
  taker.damage(rotten);
  assert.equal(taker.timeline.read(placeOf(rotten)), null);
  assert.equal((await adopt(taker, stageFrom(giver, taker))).unverifiable.count, 0);
  assert.deepEqual([...taker.storage.places(null, null)], []);
  assert.deepEqual(taker.get("rotten"), { kind: "nil" });
  giver.timeline.receive([rotten], MEMBER);
  giveRest(giver, taker);
  assert.equal(taker.timeline.receive([rotten], MEMBER).length, 1);
  for (const subject of [giver, taker]) await subject.pass(1000);
  assertEqual(taker, giver);
  assert.deepEqual(taker.get("rotten"), bulk("1"));
});

test("a snapshot that is damaged, cut off or of another date is refused, and nothing has changed", async () => {
  const giver = await makeGiver();
  const taker = await makeTaker(giver);
  const own = taker.write("SET own 1");
  const flip = (bytes: Buffer) => {
    bytes[bytes.length - 40] = (bytes[bytes.length - 40] as number) ^ 1;
    return bytes;
  };
  for (const staged of [
    stageFrom(giver, taker, flip),
    stageFrom(giver, taker, (bytes) => bytes.subarray(0, -1)),
    { ...stageFrom(giver, taker), cutAt: 7 },
  ])
    await assert.rejects(adopt(taker, staged), { name: "DamagedSnapshot" });
  assert.equal(taker.timeline.failure, null);
  assert.equal(taker.timeline.state, "live");
  assert.equal(taker.timeline.prunedTo, -1);
  assert.deepEqual(taker.snapshots.list(), []);
  assert.deepEqual(taker.get("own"), bulk("1"));
  assert.equal(taker.timeline.holds({ at: own.envelope.at, seq: 0, id: own.id }), true);
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

test("a refold that waits for the disk is waited for without a turn", async () => {
  const giver = await makeGiver();
  const storage = new SlowStorage();
  const taker = await makeTaker(giver, { storage, limits: {} });
  taker.timeline.receive(giver.told.slice(200), MEMBER);
  await taker.pass(1000);
  storage.isSlow = true;
  taker.timeline.receive(giver.told.slice(190, 200), MEMBER);
  const adopted = new Promise<void>((resolve, failed) => {
    const staged = stageFrom(giver, taker);
    const owner = { ...UNASKED, onOrphaned: () => {}, onAdopted: resolve, onFailed: failed };
    taker.timeline.handover.adopt(staged, staged.seal, owner);
  });
  assert.equal(await taker.turns(1000), false, "it comes to rest");
  assert.equal(taker.timeline.state, "catching-up");
  storage.flush();
  await taker.settle();
  await adopted;
  giveRest(giver, taker);
  await taker.pass(1000);
  assertEqual(taker, giver);
});

/** Creates a daemon that has all entries of the sender's snapshot except one. */
async function makeTwin(giver: TimelineSubject): Promise<TimelineSubject> {
  const taker = await makeTaker(giver, { limits: {}, every: 1 });
  const until = giver.timeline.prunedTo + MINUTE_MS;
  const entries = giver.told.slice(1);
  // With these it has reached a date right before; with the next it reaches the same one, as all daemons do.
  const before = entries.filter(({ envelope: { at } }) => at < until);
  for (const entry of before) {
    taker.timeline.receive([entry], MEMBER);
    await taker.settle();
    taker.tick();
    await taker.settle();
  }
  taker.timeline.receive(entries.slice(before.length, before.length + 1), MEMBER);
  await taker.settle();
  const [newest] = taker.mark.snapshots.slice(-1) as [number];
  assert.ok(newest < giver.timeline.prunedTo && newest > giver.timeline.prunedTo - 5000);
  return taker;
}

test("no own snapshot of the same date comes in between", async () => {
  const giver = await makeGiver();
  const taker = await makeTwin(giver);
  const staged = stageFrom(giver, taker);
  const commit = () => {
    taker.tick();
    return staged.commit();
  };
  await adopt(taker, { ...staged, commit });
  giveRest(giver, taker);
  await taker.pass(1000);
  assertEqual(taker, giver);
});

test("an own snapshot of the same date does not hold any more when the other takes its place", async () => {
  const giver = await makeGiver();
  const taker = await makeTwin(giver);
  const earlier = taker.mark.snapshots.slice(-1);
  await taker.pass(200);
  const staged = stageFrom(giver, taker);
  assert.deepEqual(taker.mark.snapshots, [...earlier, staged.cutAt]);
  const commit = () => {
    assert.deepEqual(taker.mark.snapshots, earlier);
    assert.deepEqual(taker.snapshots.list(), earlier, "nor is it there, to come back after a crash");
    return staged.commit();
  };
  await adopt(taker, { ...staged, commit });
  assert.deepEqual(taker.mark.snapshots, [staged.cutAt]);
});

test("snapshots are made again when one could not be kept", async () => {
  const giver = await makeGiver();
  const taker = await makeTwin(giver);
  const earlier = taker.mark.snapshots.slice(-1);
  const commit = () => Promise.reject(new Error("no space"));
  await assert.rejects(adopt(taker, { ...stageFrom(giver, taker), commit }), { message: "no space" });
  await taker.pass(200);
  assert.deepEqual(taker.snapshots.list(), [...earlier, giver.timeline.prunedTo]);
  assert.equal(taker.timeline.failure, null);
});

test("nothing dated at or before the snapshot is taken afterwards", async () => {
  const giver = await makeGiver();
  const taker = await makeTaker(giver);
  await adopt(taker, stageFrom(giver, taker));
  const { prunedTo } = taker.timeline;
  assert.ok(taker.timeline.watermark >= prunedTo);
  assert.notEqual(taker.timeline.take(entryAt(prunedTo, "SET late 1")).kind, "taken");
  assert.deepEqual(taker.timeline.receive([entryAt(prunedTo - 5, "SET late 1")], MEMBER), []);
});

test("what comes while it begins anew is not taken, and is not taken for held either", async () => {
  const giver = await makeGiver();
  const taker = await makeTaker(giver);
  const staged = stageFrom(giver, taker);
  const late = entryAt(giver.now - 1000, "SET late 1");
  const place = { at: late.envelope.at, seq: 0, id: late.id };
  const received: unknown[] = [];
  let isAdopted = false;
  taker.timeline.handover.adopt(staged, staged.seal, {
    ...UNASKED,
    onOrphaned: () => void received.push(taker.timeline.receive([late], MEMBER), taker.timeline.holds(place)),
    onAdopted: () => void (isAdopted = true),
    onFailed: assert.fail,
  });
  while (!isAdopted) await taker.turns(1);
  assert.deepEqual(received, [[], false]);
  assert.equal(taker.timeline.receive([late], MEMBER).length, 1);
});

test("a daemon that stops while it folds anew takes nothing over any more, and waits for nothing", async () => {
  const giver = await makeGiver();
  const taker = await makeTaker(giver);
  await taker.writes(100, 2000, (i) => `SET own${i} v`);
  taker.isSlow = true;
  taker.timeline.receive([entryAt(taker.now - 150_000, "SET own1 late")], MEMBER);
  const ended: string[] = [];
  const staged = stageFrom(giver, taker);
  taker.timeline.handover.adopt(staged, staged.seal, {
    ...UNASKED,
    onOrphaned: () => void ended.push("strays"),
    onAdopted: () => void ended.push("adopted"),
    onFailed: () => void ended.push("failed"),
  });
  await taker.timeline.stop();
  assert.equal(await taker.turns(100), false, "nothing is left to be done");
  assert.deepEqual(ended, []);
});
