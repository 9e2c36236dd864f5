/**
 * Tests that the same entries produce the same bytes on every daemon, whatever their order of arrival, so that members
 * can compare seals.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DATABASES_DEFAULT } from "../../../daemon/store/database.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../../daemon/timeline/entries/entry.js";
import { writeValue } from "../../../daemon/timeline/entries/stored-value.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { makeSnapshot } from "../../../daemon/timeline/snapshots/make-snapshot.js";
import { MemorySnapshots, type StagedSnapshot } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { amount, some } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { until } from "../../support/until.js";
import { EPOCH } from "../store/random-unit.js";
import { genesisRing, KEY_IDS, RandomTimeline, SPKIS, withId } from "./support/random-timeline.js";
import { DAY_MS, entryAt, hash, MEMBER, START, TimelineSubject } from "./support/timeline-subject.js";

const seed = seedOfRun();
const RUNS = amount(1, 6);

function storageOf(entries: readonly Entry[]): MemoryStorage {
  const storage = new MemoryStorage();
  for (const entry of entries)
    storage.put([[writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature)]]);
  return storage;
}

/** Makes snapshots of ascending dates, each from the previous snapshot. @returns the last snapshot */
function madeBy(storage: MemoryStorage, dates: readonly number[], hasRoots = true): Buffer {
  const snapshots = new MemorySnapshots();
  const genesis = () => genesisRing({ hasRoots });
  let from: number | null = null;
  for (const to of dates) {
    makeSnapshot({ storage, snapshots, from, to, genesis, databases: DATABASES_DEFAULT, hash });
    from = to;
  }
  return Buffer.concat([...(snapshots.read(from as number) as Iterable<Buffer>)]);
}

test(`random entries produce the same snapshot, whether it is made from earlier snapshots or not (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const timeline = new RandomTimeline(random);
    const entries = timeline.entries(150).map(withId);
    const dates = entries.map(({ envelope: { at } }) => at);
    const [first, second, last] = Array.from({ length: 3 }, () => random.oneOf(dates)).sort(
      (a, b) => a - b,
    ) as [number, number, number];
    const { hasRoots } = timeline.genesis;
    const made = (...by: number[]) => madeBy(storageOf(random.shuffled(entries)), by, hasRoots);
    const direct = made(last);
    for (const by of [[EPOCH - 1], [first], [second], [first, second]])
      assert.ok(direct.equals(made(...by, last)), `DBSYNC_SEED=${seed}, run ${run}, by ${by}: other bytes`);
  }
});

/** Returns a timeline that is busy for hours in its middle and at its end, with pauses of some minutes in between. */
function longTimeline(random: SeededRandom): { entries: Entry[]; end: number } {
  const entries: Entry[] = [];
  const busySeconds = 9000;
  const days = 60;
  const add = (at: number) => void entries.push(entryAt(at, `INCR k${entries.length % 50}`));
  for (const from of [(days / 2) * DAY_MS, days * DAY_MS - 1000 * busySeconds])
    for (let second = 0; second < busySeconds; second += random.between(1, amount(9, 2)))
      add(START + from + 1000 * second);
  for (let at = 0; at < days * DAY_MS; at += random.between(1, amount(3_000_000, 700_000))) add(START + at);
  return { entries, end: START + days * DAY_MS };
}

test(`60 days of entries produce the same snapshot, whether it is made from earlier ones or not (seed ${seed})`, () => {
  const random = new SeededRandom(seed, RUNS);
  const { entries, end } = longTimeline(random);
  const storage = storageOf(entries);
  const direct = madeBy(storage, [end]);
  const earlier = [
    [START + 30 * DAY_MS + 7_000_000, end - 1_000_000],
    [START + 5 * DAY_MS],
    [end - 4096_000, end - 1],
    Array.from({ length: 6 }, (_, i) => START + i * 10 * DAY_MS + random.below(DAY_MS)),
  ];
  for (const by of some(earlier))
    assert.ok(direct.equals(madeBy(storage, [...by, end])), `by ${by}: other bytes`);
});

/** A store that also records the bytes of each snapshot, even after the snapshot was removed. */
class MadeSnapshots extends MemorySnapshots {
  readonly made = new Map<number, Buffer>();

  override write(cutAt: number, chunks: Iterable<Buffer>): void {
    super.write(cutAt, chunks);
    this.made.set(cutAt, Buffer.concat([...(this.read(cutAt) as Iterable<Buffer>)]));
  }
}

/** Returns the dates after a time at which both daemons have made a snapshot. */
function commonDates(one: MadeSnapshots, other: MadeSnapshots, after: number): number[] {
  return [...one.made.keys()].filter((date) => date > after && other.made.has(date));
}

function stageFrom(source: TimelineSubject, target: TimelineSubject): StagedSnapshot {
  const snapshot = source.timeline.handover.sendable(source.timeline.prunedTo) ?? assert.fail();
  const staged = target.timeline.handover.stage(snapshot.cutAt);
  for (const chunk of snapshot.chunks) staged.write(chunk);
  return staged;
}

async function adopt(target: TimelineSubject, source: TimelineSubject): Promise<void> {
  const staged = stageFrom(source, target);
  let isAdopted = false;
  target.timeline.handover.adopt(staged, staged.seal, {
    isWanted: () => true,
    onAside: () => {},
    onOrphaned: () => {},
    onAdopted: () => void (isAdopted = true),
    onFailed: assert.ifError,
  });
  await until("the snapshot is adopted", () => isAdopted, { pause: () => target.turns(1) });
}

const keyAdded = Buffer.from(SPKIS[3] as string, "latin1").toString("base64");

test(`daemons that received the same entries in another order, or partly as a snapshot, have the same snapshots (seed ${seed})`, async () => {
  const random = new SeededRandom(seed, RUNS + 1);
  const limits = { retainMs: 300_000 };
  const [ofGiver, ofOther, ofTaker] = [new MadeSnapshots(), new MadeSnapshots(), new MadeSnapshots()];
  const source = await new TimelineSubject({ snapshots: ofGiver, every: 50, limits }).open();

  const write = (i: number) =>
    random.oneOf([`SET k${i % 40} v${i}`, `INCR n${i % 10}`, `SADD s${i % 3} m${i}`]);
  await source.writes(300, 2000, write);
  source.timeline.receive([entryAt(source.now - 400_000, `KEY ADD ${keyAdded}`, KEY_IDS[1])], MEMBER);
  await source.pass(1000);
  const early = [...source.announced];

  // One daemon receives all entries gradually in any order, and one starts with the entries that the source has not
  // pruned.
  const other = await new TimelineSubject({ snapshots: ofOther, every: 30, now: source.now }).open();
  for (const [i, entry] of random.shuffled(early).entries()) {
    other.timeline.receive([entry], MEMBER);
    if (i % 40 === 0) await other.pass(100);
  }
  await other.pass(1000);

  const target = await new TimelineSubject({ snapshots: ofTaker, every: 20, now: source.now }).open();
  assert.ok(source.timeline.prunedTo > 0);
  await adopt(target, source);
  const remaining = early.filter(({ envelope: { at } }) => at > source.timeline.prunedTo);
  target.timeline.receive(random.shuffled(remaining), MEMBER);
  await target.pass(1000);

  const others = [other, target];
  const since = source.now;
  for (const subject of others) subject.elapse(source.now - subject.now);
  for (let i = 0; i < 300; i++) {
    const [entry] = (await source.writes(1, 2000, () => write(i))) as [Entry];
    for (const subject of others) {
      subject.elapse(source.now - subject.now);
      subject.timeline.receive([entry], MEMBER);
      subject.tick();
      await subject.settle();
    }
  }

  for (const [one, another] of [
    [ofGiver, ofOther],
    [ofGiver, ofTaker],
    [ofOther, ofTaker],
  ] as const) {
    const dates = commonDates(one, another, since);
    assert.ok(dates.length >= 3, `${dates.length} common dates`);
    for (const date of dates) assert.ok(one.made.get(date)?.equals(another.made.get(date) as Buffer));
  }

  // Each daemon makes a snapshot of the same date from the entries that it has.
  const to = source.now - 70_000;
  const [first, ...later] = [source, other, target].map(({ storage, mark, snapshots }) => {
    const made = new MemorySnapshots();
    const from = mark.snapshots.findLast((date) => date < to) ?? null;
    if (from !== null) made.write(from, snapshots.read(from) as Iterable<Buffer>);
    const genesis = () => genesisRing({ hasRoots: true });
    makeSnapshot({ storage, snapshots: made, from, to, genesis, databases: DATABASES_DEFAULT, hash });
    return Buffer.concat([...(made.read(to) as Iterable<Buffer>)]);
  });
  for (const bytes of later) assert.ok((first as Buffer).equals(bytes));
});
