/** Tests the timeline over restarts, refolds, wrong clocks, slow disks and damaged snapshots, on fake time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { orderKeyOf } from "../../../daemon/timeline/entries/entry.js";
import { Fold } from "../../../daemon/timeline/fold/fold.js";
import { skipUnlessFull } from "../../support/amount.js";
import { until } from "../../support/until.js";
import {
  bulk,
  DAY_MS,
  entryAt,
  fiveMinutes,
  MEMBER,
  MINUTE_MS,
  START,
  TimelineSubject,
  UnsyncedStorage,
} from "./support/timeline-subject.js";

const NIL = { kind: "nil" };

test("a restart with the clock a day behind shows everything that was acknowledged", async () => {
  const subject = await new TimelineSubject().open();
  await subject.writes(100, 1000, (i) => `SET k${i} v`);
  // A client's clock may be ahead by as much as the window permits.
  await subject.pass(1900);
  subject.write("SET ahead v", subject.now + 5000);
  const restarted = await subject.restarted({ now: subject.now - DAY_MS }).open();
  for (const key of ["k0", "k50", "k99", "ahead"]) assert.deepEqual(restarted.get(key), bulk("v"), key);
  assert.equal(restarted.timeline.figures.waiting, 0);
});

test("a restart with the clock a day behind still waits for entries dated beyond any client's window", async () => {
  const subject = await new TimelineSubject().open();
  await subject.writes(10, 1000, (i) => `SET k${i} v`);
  subject.timeline.receive([entryAt(subject.now + MINUTE_MS, "SET future v")], MEMBER);
  await subject.settle();
  assert.deepEqual(subject.get("future"), NIL);
  const restarted = await subject.restarted({ now: subject.now - DAY_MS }).open();
  assert.deepEqual(restarted.get("future"), NIL);
  restarted.elapse(DAY_MS);
  await restarted.pass(MINUTE_MS);
  assert.deepEqual(restarted.get("future"), bulk("v"));
});

test("the timeline reports the answers to members' entries, except the answers of a refold", async () => {
  const subject = await new TimelineSubject().open();
  await subject.writes(3, 1000, () => "INCR n");
  const late = entryAt(subject.now - 500, "INCR n");
  subject.timeline.receive([late], MEMBER);
  const [, report] = subject.folded;
  assert.deepEqual(report?.entries, [late]);
  assert.deepEqual(report?.answered, [
    { entry: late, answers: [{ reply: { kind: "integer", value: 3 }, outcome: "applied", late: true }] },
  ]);
  await subject.writes(400, 500, () => "INCR n");
  const older = entryAt(subject.now - 2 * MINUTE_MS, "INCR n");
  subject.timeline.receive([older], MEMBER);
  await subject.pass(1000);
  assert.deepEqual(subject.folded.slice(2), [{ entries: [older], answered: [] }]);
});

test("no entry is announced before it is synced, and every entry is announced afterwards", async () => {
  const storage = new UnsyncedStorage();
  const subject = await new TimelineSubject({ storage }).open();
  const entry = subject.write("SET a 1");
  await subject.pass(3000);

  const { timeline } = subject;
  const announced = () => [
    timeline.read(orderKeyOf(entry)) !== null,
    timeline.index.total("data").count,
    [...timeline.index.orderKeys("data", null, null)].length,
    subject.announced.length,
    timeline.published > 0,
  ];

  assert.deepEqual(announced(), [false, 0, 0, 0, false]);
  assert.deepEqual(subject.get("a"), bulk("1"));

  storage.sync();
  await subject.settle();
  assert.deepEqual(announced(), [true, 1, 1, 1, true]);
});

test("after a failed sync the timeline no longer accepts or announces entries", async () => {
  const storage = new UnsyncedStorage();
  const subject = await new TimelineSubject({ storage }).open();
  subject.write("SET a 1");
  await subject.pass(3000);
  storage.fail();
  await subject.settle();
  assert.equal(subject.timeline.failure, "the disk is broken");
  assert.equal(subject.timeline.accept(entryAt(subject.now, "SET b 1")).kind, "failed");
  assert.deepEqual(subject.timeline.receive([entryAt(subject.now, "SET c 1")], MEMBER), []);
  await subject.pass(5000);
  storage.sync();
  await subject.settle();
  assert.deepEqual([subject.announced.length, subject.timeline.published, subject.counts.indexed], [0, 0, 0]);
});

test("a timeline refuses a snapshot of another format and leaves it on disk", async () => {
  const subject = await new TimelineSubject({ every: 10 }).open();
  await subject.writes(60, 20_000, (i) => `SET k${i} v`);
  const [older, newest] = subject.snapshots.list() as [number, number];
  const chunks = change(subject, newest, ([head]) => head?.writeUInt8(3, head.length - 1));
  await assert.rejects(
    subject.restarted().open(),
    /a snapshot of format 3, and this daemon reads only 2: use the dbsyncd that made it/,
  );
  assert.deepEqual(subject.snapshots.list(), [older, newest]);
  assert.deepEqual(subject.mark.snapshots, [older, newest]);
  subject.snapshots.write(newest, chunks);
  assert.deepEqual((await subject.restarted().open()).get("k59"), bulk("v"));
});

test("a damaged snapshot is skipped and stays on disk", async () => {
  const subject = await new TimelineSubject({ every: 10 }).open();
  await subject.writes(60, 20_000, (i) => `SET k${i} v`);
  const kept = subject.snapshots.list();
  for (const date of kept) change(subject, date, damageSeal);
  const restarted = await subject.restarted().open();
  for (const key of ["k0", "k30", "k59"]) assert.deepEqual(restarted.get(key), bulk("v"));
  assert.deepEqual(restarted.counts, { indexed: 60, kept: 60 });
  await restarted.pass(MINUTE_MS);
  for (const date of kept) assert.ok(restarted.snapshots.list().includes(date), `${date} was removed`);
});

test("a start fails and removes nothing if the first entries were pruned and no snapshot is readable", async () => {
  const subject = await new TimelineSubject({ every: 10, limits: { retainMs: DAY_MS } }).open();
  await subject.writes(60, DAY_MS / 10, (i) => `SET k${i} v`);
  const kept = subject.snapshots.list();
  for (const date of kept) change(subject, date, damageSeal);
  await assert.rejects(subject.restarted().open(), /no snapshot can be read/);
  assert.deepEqual(subject.snapshots.list(), kept);
});

test("snapshots that late entries have invalidated are removed", async () => {
  const subject = await new TimelineSubject({ every: 5 }).open();
  for (let i = 0; i < 20; i++) {
    await subject.writes(6, 20_000, () => `SET k${i} v`);
    subject.timeline.receive([entryAt(subject.now - 100_000, `SET late${i} v`)], MEMBER);
    await subject.pass(6000);
    assert.deepEqual(subject.get(`late${i}`), bulk("v"));
  }
  assert.deepEqual(subject.snapshots.list(), subject.mark.snapshots);
  assert.ok(subject.mark.snapshots.length <= 2);
});

test("many late entries are merged in several turns, and clients are served in the meantime", async () => {
  const subject = await new TimelineSubject().open();
  const { timeline } = subject;
  const late = Array.from({ length: 3000 }, (_, i) => entryAt(START + i, `SET late${i} v`));
  for (let i = 0; i < 3000; i++) {
    subject.elapse(2);
    subject.write(`SET k${i} v`);
  }

  timeline.receive(late, MEMBER);
  let turns = 0;
  for (let isBusy = true; isBusy && !timeline.isFolded(START + 2999); turns++) {
    isBusy = await subject.turns(1);
    subject.write(`SET turn${turns} v`);
    assert.deepEqual(subject.get(`turn${turns}`), bulk("v"));
  }

  assert.ok(turns >= 10, `${turns} turns`);
  assert.deepEqual(
    ["late0", "late2999", "k0", "k2999"].map((key) => subject.get(key)),
    Array(4).fill(bulk("v")),
  );
  assert.equal(timeline.figures.waiting, 0);
});

for (const [count, how] of [
  [2000, "are merged many at a time"],
  [6000, "are folded again if there are too many"],
] as const) {
  test(`late entries that each redo much, on a slow machine, ${how}`, async () => {
    const subject = await new TimelineSubject().open();
    const { timeline } = subject;
    for (let i = 0; i < 4000; i++) subject.write("INCR n", subject.now + 1 + (i >> 2));
    const late = Array.from({ length: count }, () => entryAt(subject.now, "INCR n"));
    subject.isSlow = true;
    timeline.receive(late, MEMBER);

    let redone = 0;
    for (let before = 0; !timeline.isFolded(subject.now); before = timeline.figures.redone) {
      subject.elapse(100);
      timeline.tick();
      await subject.turns(1);
      redone += Math.max(0, timeline.figures.redone - before);
    }

    assert.ok(redone < 6 * 4000, `${redone} redone`);
    subject.isSlow = false;
    assert.deepEqual(subject.get("n"), bulk(String(4000 + count)));
  });
}

test("a client's entry that is dated at the watermark is too old, and one dated a millisecond later is accepted", async () => {
  const subject = await new TimelineSubject().open();
  await subject.writes(3, 1000, (i) => `SET k${i} v`);
  await subject.pass(MINUTE_MS / 2);
  const { timeline } = subject;
  const { watermark } = timeline;
  assert.ok(watermark > START, `the watermark is ${watermark - START} ms after the start`);
  assert.equal(timeline.accept(entryAt(watermark - 1, "SET old v")).kind, "too-old");
  assert.equal(timeline.accept(entryAt(watermark, "SET exact v")).kind, "too-old");
  assert.deepEqual(subject.get("exact"), NIL);
  assert.equal(timeline.accept(entryAt(watermark + 1, "SET later v")).kind, "accepted");
});

test("a client's late write is prepared in several steps, and other writes are accepted in the meantime", async () => {
  const subject = await new TimelineSubject().open();
  await subject.writes(20, 1, (i) => `SET old${i} v`);
  const late = entryAt(subject.now, "APPEND k late");
  subject.write("SET k v", subject.now + 1);
  for (let i = 0; i < 3000; i++) subject.write(`SET k${i} v`, subject.now + 2 + i);
  let steps = 0;
  for (; !subject.timeline.prepare(late); steps++)
    subject.write(`SET meanwhile${steps} v`, subject.now + 4000 + steps);
  assert.ok(steps >= 4, `${steps} steps`);
  const taking = subject.timeline.accept(late);
  assert.ok(taking.kind === "accepted" && taking.answers[0]?.late);
  assert.deepEqual(subject.get("k"), bulk("v"));
  assert.deepEqual(subject.get("meanwhile0"), bulk("v"));
});

test("an entry that affects too many units causes a refold, or is refused, before all later units are prepared", async () => {
  const subject = await new TimelineSubject().open();
  const { timeline } = subject;
  for (let i = 0; i < 12_000; i++) subject.write("INCR n", subject.now + 1 + i);
  const late = entryAt(subject.now, "INCR n");
  const before = timeline.figures.tailBytes;
  let steps = 1;
  while (!timeline.prepare(late)) steps++;
  assert.equal(timeline.accept(late).kind, "too-old");
  // Applied units take five times as many bytes.
  assert.ok(timeline.figures.tailBytes < 3 * before, `${timeline.figures.tailBytes} of ${before}`);
  assert.ok(steps > 5 && steps < 15, `${steps} steps`);
  timeline.receive([late], MEMBER);
  await subject.settle();
  assert.deepEqual(subject.get("n"), bulk("12001"));
});

test("an entry that touches complete databases before very many units causes a refold, or is refused", {
  skip: skipUnlessFull,
}, async () => {
  const subject = await new TimelineSubject().open();
  const { timeline } = subject;
  for (let i = 0; i < 21_000; i++) subject.write(`SET k${i % 100} ${i}`, subject.now + 2 + (i >> 3));
  const swap = entryAt(subject.now + 1, "SWAPDB 3 4");
  const few = entryAt(subject.now + 2500, "SWAPDB 5 6");

  // To find the affected units, the fold walks through all later units, although no unit is affected.
  await until("the entry is ready", () => timeline.prepare(few), { pause: () => subject.turns(1) });
  assert.equal(timeline.accept(few).kind, "accepted");

  assert.ok(timeline.prepare(swap), "the entry is ready, because more steps would not help");
  assert.equal(timeline.accept(swap).kind, "too-old");
  timeline.receive([swap], MEMBER);
  await subject.settle();
  assert.equal(subject.folded.at(-1)?.answered.length, 0, "the timeline was folded again");
  assert.ok(timeline.isFolded(swap.envelope.at));

  const before = entryAt(subject.now, "SET other v");
  await until("the entry is ready", () => timeline.prepare(before), { pause: () => subject.turns(1) });
  assert.equal(timeline.accept(before).kind, "too-old", "a later unit touches complete databases");
  assert.deepEqual(subject.get("k0"), bulk("20900"));
});

test("a write accepted during a refold is readable immediately, and after the refold", async () => {
  const subject = await fiveMinutes({ tailBytes: 40_000 });
  const { timeline } = subject;
  const many = Array.from({ length: 400 }, (_, i) =>
    entryAt(subject.now + (i % 50), `SET z${i} ${"v".repeat(300)}`),
  );

  subject.isSlow = true;
  timeline.receive([entryAt(START + 1, "SET below 1"), ...many], MEMBER);

  // The timeline waits a moment for further entries, then begins.
  subject.elapse(300);
  timeline.tick();
  assert.equal(timeline.waiting.lateSize, 0);
  await subject.turns(2);
  assert.ok(!timeline.isFolded(subject.now), "the refold runs");

  subject.write("SET mine 1", subject.now - 1);
  for (let isBusy = true; isBusy; isBusy = await subject.turns(1))
    assert.deepEqual(subject.get("mine"), bulk("1"));
  assert.deepEqual(subject.get("mine"), bulk("1"));

  subject.isSlow = false;
  await subject.pass(6000);
  assert.deepEqual(
    ["mine", "below"].map((key) => subject.get(key)),
    [bulk("1"), bulk("1")],
  );
  assert.deepEqual(subject.get("z399"), bulk("v".repeat(300)));
});

test("entries that arrive during a refold are merged in slices, between which clients are served", async () => {
  const subject = await fiveMinutes();
  const { timeline } = subject;
  const before = subject.get("k");

  subject.isSlow = true;
  timeline.receive([entryAt(START + 1, "INCR k")], MEMBER);
  await subject.turns(2);
  const isRunning = () => !timeline.isFolded(subject.now);
  assert.ok(isRunning());
  for (let i = 0; i < 1000; i++) subject.write("INCR during");

  const merged: number[] = [];
  const { mergeWithin } = Fold.prototype;
  Fold.prototype.mergeWithin = function (max, entries) {
    merged.push(entries.length);
    return mergeWithin.call(this, max, entries);
  };
  try {
    while (await subject.turns(1)) if (isRunning() && merged.length > 0) subject.write("INCR during");
  } finally {
    Fold.prototype.mergeWithin = mergeWithin;
  }

  assert.ok(!isRunning());
  assert.ok(Math.max(...merged) <= 256, `${merged}`);
  assert.ok(merged.filter((count) => count === 256).length >= 3, `${merged}`);
  const written = subject.get("during");
  assert.ok(written.kind === "bulk" && Number(written.bytes) > 1000, JSON.stringify(written));
  assert.notDeepEqual(subject.get("k"), before);

  const restarted = await subject.restarted().open();
  for (const key of ["k", "during"]) assert.deepEqual(restarted.get(key), subject.get(key));
});

test("the tail is cut while a refold runs, and so is the new fold's tail", async () => {
  const tailBytes = 40_000;
  const subject = await fiveMinutes({ tailBytes });
  const { timeline } = subject;

  subject.isSlow = true;
  timeline.receive([entryAt(START + 1, "INCR k")], MEMBER);
  await subject.turns(2);
  assert.ok(!timeline.isFolded(subject.now), "the refold runs");

  let written = 0;
  for (let isBusy = true; isBusy; isBusy = await subject.turns(1)) {
    const { tailBytes: bytes } = timeline.figures;
    assert.ok(bytes <= 1.5 * tailBytes, `${bytes} of ${tailBytes}, ${written} written`);
    for (let i = 0; i < 30; i++, written++) {
      subject.elapse(5);
      subject.write("INCR k");
    }
    timeline.tick();
  }
  assert.ok(written >= 300, `${written} written in the meantime`);
  assert.deepEqual(subject.get("k"), bulk(String(601 + written)));

  subject.isSlow = false;
  timeline.receive([entryAt(subject.now - 1, "INCR k")], MEMBER);
  await subject.pass(6000);
  assert.equal(subject.folded.at(-1)?.answered.length, 1, "the entry is merged into the tail");
});

test("an entry whose date is reached as a refold begins is reported as folded", async () => {
  const subject = await fiveMinutes();
  const { timeline } = subject;
  const future = entryAt(subject.now + 5050, "SET future 1");
  timeline.receive([future], MEMBER);
  await subject.settle();
  subject.elapse(100);
  timeline.receive([entryAt(START + 1, "INCR k")], MEMBER);
  await subject.settle();
  assert.ok(timeline.isFolded(future.envelope.at));
  assert.ok(subject.folded.some(({ entries }) => entries.some(({ id }) => id === future.id)));
});

test("a jump of a lone daemon's clock ahead and back has no lasting effect", async () => {
  const subject = await new TimelineSubject({ isAlone: true }).open();
  await subject.pass(5000);
  subject.now += DAY_MS;
  await subject.pass(9 * MINUTE_MS);
  subject.now -= DAY_MS;
  subject.timeline.tick();
  assert.ok(subject.timeline.watermark < subject.now);
  subject.write("SET a 1");
});

test("a jump of a lone daemon's clock changes nothing, even if a client whose clock jumped too writes", async () => {
  const subject = await new TimelineSubject({ isAlone: true }).open();
  await subject.pass(5000);
  subject.now += DAY_MS;
  subject.write("SET b 1");
  await subject.pass(9 * MINUTE_MS);
  subject.now -= DAY_MS;
  subject.timeline.tick();
  assert.ok(subject.timeline.watermark < subject.now);
  subject.write("SET a 1");
});

test("a lasting jump of a lone daemon's clock is accepted after ten minutes", async () => {
  const subject = await new TimelineSubject({ isAlone: true }).open();
  await subject.pass(5000);
  subject.now += DAY_MS;
  await subject.pass(11 * MINUTE_MS);
  assert.ok(subject.timeline.watermark > subject.now - MINUTE_MS);
});

/** Changes a snapshot on the disk. @returns its earlier content */
function change(subject: TimelineSubject, date: number, how: (chunks: Buffer[]) => void): Buffer[] {
  const chunks = [...(subject.snapshots.read(date) as Iterable<Buffer>)];
  const changed = chunks.map((chunk) => Buffer.from(chunk));
  how(changed);
  subject.snapshots.write(date, changed);
  return chunks;
}

function damageSeal(chunks: Buffer[]): void {
  const last = chunks.at(-1) as Buffer;
  last.writeUInt8(last.readUInt8(last.length - 1) ^ 1, last.length - 1);
}
