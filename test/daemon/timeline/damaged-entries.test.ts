/**
 * Tests that a damaged entry is requested again, and is neither lost nor applied twice, wherever and whenever the
 * damage is found.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Entry,
  type OrderKey,
  orderKeyOf,
  writeOrderKey,
} from "../../../daemon/timeline/entries/entry.js";
import { writeValue } from "../../../daemon/timeline/entries/stored-value.js";
import { signedBytes } from "../../../protocol/version-2/envelope.js";
import { some } from "../../support/amount.js";
import {
  bulk,
  entryAt,
  fiveMinutes,
  hash,
  MEMBER,
  START,
  TimelineSubject,
  UnsyncedStorage,
} from "./support/timeline-subject.js";

/** The damaged entry of 600: in the middle, near the beginning, or near the end. */
const DAMAGED = [300, 5, 595];

test("a damaged entry found by a read is received again and not applied twice", async () => {
  const subject = await fiveMinutes();
  for (const which of DAMAGED) {
    const entry = subject.entries[which] as Entry;
    subject.damage(entry);
    assert.equal(subject.timeline.read(orderKeyOf(entry)), null);
    assert.ok(!subject.timeline.holds(orderKeyOf(entry)));
    assert.equal(subject.counts.indexed, 599);
    assert.equal(subject.timeline.receive([entry], MEMBER).length, 1);
    await subject.pass(6000);
    await expectIntact(subject, entry, 600);
  }
});

test("a damaged entry found at a restart is received again and not lost", async () => {
  for (const which of some(DAMAGED)) {
    for (const isRead of [false, true]) {
      const subject = await fiveMinutes();
      const entry = subject.entries[which] as Entry;
      subject.damage(entry);
      if (isRead) subject.timeline.read(orderKeyOf(entry));
      const restarted = await subject.restarted().open();
      assert.deepEqual(restarted.get("k"), bulk("599"));
      assert.equal(restarted.counts.indexed, 599);
      assert.ok(!restarted.timeline.holds(orderKeyOf(entry)));
      assert.equal(restarted.timeline.receive([entry], MEMBER).length, 1);
      await restarted.pass(6000);
      await expectIntact(restarted, entry, 600);
      await expectIntact(await restarted.restarted().open(), entry, 600);
    }
  }
});

test("a damaged entry before a snapshot is in the state after a restart, and the next read finds the damage", async () => {
  for (const isRead of [false, true]) {
    const subject = await new TimelineSubject({ every: 10 }).open();
    const entries = await subject.writes(60, 20_000, () => "INCR k");
    const entry = entries[2] as Entry;
    subject.damage(entry);
    if (isRead) assert.equal(subject.timeline.read(orderKeyOf(entry)), null);
    const restarted = await subject.restarted().open();
    assert.deepEqual(restarted.get("k"), bulk("60"));
    assert.equal(restarted.timeline.read(orderKeyOf(entry)), null);
    assert.equal(restarted.counts.indexed, 59);
    assert.equal(restarted.timeline.receive([entry], MEMBER).length, 1);
    await restarted.pass(6000);
    await expectIntact(restarted, entry, 60);
  }
});

/** The turns after which an event occurs. A refold of 600 entries takes ten turns, so the last event is after it. */
const MOMENTS = [0, 2, ...some([6, 9], 0), 40];

for (const which of some(DAMAGED)) {
  for (const found of ["by a read", "by the refold"] as const) {
    test(`entry ${which} of 600, damaged around a refold and found ${found}, is neither lost nor applied twice`, async () => {
      for (const [i, damagedAfter] of MOMENTS.entries())
        for (const givenAfter of MOMENTS.slice(i))
          await damagedAround(which, found, damagedAfter, givenAfter);
    });
  }
}

/**
 * Damages an entry during a refold.
 * @param damagedAfter  turns of the refold until the damage
 * @param givenAfter    turns of the refold until the entry is received again
 */
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
    if (found === "by a read") assert.equal(timeline.read(orderKeyOf(entry)), null);
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
  if (timeline.read(orderKeyOf(entry)) === null) {
    assert.equal(timeline.receive([entry], MEMBER).length, 1, "the entry is requested again");
    await subject.pass(11_000);
  }

  const moment = `damaged after ${damagedAfter}, received after ${givenAfter} turns`;
  await expectIntact(subject, entry, 600, moment);
  await expectIntact(await subject.restarted().open(), entry, 600, moment);
}

async function expectIntact(subject: TimelineSubject, entry: Entry, count: number, when = ""): Promise<void> {
  const { timeline } = subject;
  assert.deepEqual(subject.get("k"), bulk(String(count)), when);
  assert.deepEqual(timeline.read(orderKeyOf(entry))?.body, entry.body, when);
  const { indexed, kept } = subject.counts;
  assert.equal(indexed, kept, when);
  assert.ok(timeline.isFolded(subject.now), when);
  assert.equal(timeline.receive([entry], MEMBER).length, 0, when);
}

test("an entry that is damaged before it is synced is requested again and folded after a refold finds the damage", async () => {
  const storage = new UnsyncedStorage();
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
  assert.equal(timeline.read(orderKeyOf(entry)), null);
  assert.equal(timeline.receive([entry], MEMBER).length, 1);
  await subject.pass(11_000);
  storage.sync();
  await subject.settle();
  await expectIntact(subject, entry, 201);
});

test("a timeline that drops a damaged entry removes its effect, as a restart does, and accepts the entry again", async () => {
  const subject = await new TimelineSubject({ every: 10 }).open();
  const { timeline } = subject;
  const entries = await subject.writes(60, 20_000, () => "INCR k");
  const [kept, lost] = [entries[50] as Entry, entries[2] as Entry];

  timeline.damagedEntries.drop();
  await subject.pass(11_000);
  assert.deepEqual(subject.get("k"), bulk("60"), "nothing is damaged");

  for (const entry of [kept, lost]) {
    subject.damage(entry);
    assert.equal(timeline.read(orderKeyOf(entry)), null);
  }

  timeline.receive([kept], MEMBER);
  assert.equal(timeline.damagedEntries.lastAt, lost.envelope.at);
  timeline.damagedEntries.drop();
  await subject.pass(11_000);
  assert.equal(timeline.damagedEntries.lastAt, null);
  assert.deepEqual(subject.get("k"), bulk("59"));

  const restarted = await subject.restarted().open();
  assert.deepEqual(restarted.get("k"), bulk("59"), "no snapshot includes it");
  assert.equal(timeline.receive([lost], MEMBER).length, 1);
  await subject.pass(11_000);
  await expectIntact(subject, lost, 60);
});

/** Creates a timeline in which a read has found a damaged entry dated a minute ahead. */
async function damagedAhead(): Promise<{ subject: TimelineSubject; entry: Entry }> {
  const subject = await fiveMinutes();
  const entry = entryAt(subject.now + 60_000, "INCR k");
  subject.timeline.receive([entry], MEMBER);
  await subject.settle();
  subject.damage(entry);
  assert.equal(subject.timeline.read(orderKeyOf(entry)), null);
  return { subject, entry };
}

test("a damaged entry that waits for its date is not applied twice even if a refold runs before it is received again", async () => {
  const { subject, entry } = await damagedAhead();
  const { timeline } = subject;
  timeline.receive([entryAt(START + 1, "SET below 1")], MEMBER);
  await subject.pass(11_000);
  assert.equal(timeline.receive([entry], MEMBER).length, 1);
  await subject.pass(60_000);
  await expectIntact(subject, entry, 601);
  await expectIntact(await subject.restarted().open(), entry, 601);
});

/** Returns all bytes of an entry on the disk. */
const remains = ({ storage }: TimelineSubject, entry: Entry): Buffer | null =>
  storage.get(writeOrderKey(orderKeyOf(entry)));

const MINUTES = { every: 10, isAlone: true } as const;

test("snapshots are made again after a damaged entry was dropped, whether a read or a start found the damage", async () => {
  for (const found of ["by a read", "by a start"] as const) {
    const before = await new TimelineSubject(MINUTES).open();
    const entries = await before.writes(60, 20_000, () => "INCR k");
    const lost = entries[found === "by a read" ? 2 : 59] as Entry;
    before.damage(lost);
    const subject = found === "by a read" ? before : await before.restarted().open();
    const { timeline } = subject;
    if (found === "by a read") assert.equal(timeline.read(orderKeyOf(lost)), null);
    assert.equal(timeline.damagedEntries.lastAt, lost.envelope.at, found);
    timeline.damagedEntries.drop();
    await subject.pass(11_000);
    assert.equal(remains(subject, lost), null, found);
    assert.equal(timeline.damagedEntries.lastAt, null);
    await subject.writes(60, 20_000, () => "INCR k");
    const [newest] = subject.mark.snapshots.slice(-1);
    assert.ok((newest ?? 0) > lost.envelope.at, `${found}: ${newest}`);
    assert.deepEqual(subject.get("k"), bulk("119"));
    const { indexed, kept } = subject.counts;
    assert.deepEqual([indexed, kept], [119, 119], found);
    const restarted = await subject.restarted().open();
    assert.equal(restarted.timeline.damagedEntries.lastAt, null);
    assert.equal(restarted.timeline.receive([lost], MEMBER).length, 1);
    await restarted.pass(11_000);
    await expectIntact(restarted, lost, 120, found);
  }
});

test("a damaged entry that is found only when a snapshot is made is requested again", async () => {
  const subject = await new TimelineSubject({ every: 10 }).open();
  const { timeline } = subject;
  const entry = subject.write("INCR k");
  await subject.settle();
  subject.damage(entry);
  await subject.writes(20, 20_000, () => "INCR k");
  assert.ok(!timeline.holds(orderKeyOf(entry)));
  assert.equal(timeline.receive([entry], MEMBER).length, 1);
  await subject.writes(20, 20_000, () => "INCR k");
  assert.ok(subject.mark.snapshots.length > 0);
  await expectIntact(subject, entry, 41);
});

test("a damaged entry dated ahead is dropped like any other, but not before its date", async () => {
  const { subject, entry } = await damagedAhead();
  const { timeline } = subject;
  assert.equal(timeline.damagedEntries.lastAt, null);
  timeline.damagedEntries.drop();
  await subject.pass(1000);
  assert.notEqual(remains(subject, entry), null);
  await subject.pass(60_000);
  assert.deepEqual(subject.get("k"), bulk("601"));
  assert.equal(timeline.damagedEntries.lastAt, entry.envelope.at);
  timeline.damagedEntries.drop();
  await subject.pass(11_000);
  assert.deepEqual([subject.get("k"), remains(subject, entry)], [bulk("600"), null]);
  assert.equal(timeline.damagedEntries.lastAt, null);
});

test("a damaged entry that is received again during a refold without the entry is folded once", async () => {
  for (const turns of [1, 3, 6, 9, 12]) {
    const subject = await fiveMinutes();
    const { timeline } = subject;
    const entry = subject.entries[100] as Entry;
    subject.damage(entry);
    assert.equal(timeline.read(orderKeyOf(entry)), null);
    subject.isSlow = true;
    timeline.damagedEntries.drop();
    await subject.turns(turns);
    assert.equal(timeline.receive([entry], MEMBER).length, 1, `${turns}`);
    subject.isSlow = false;
    await subject.pass(11_000);
    await expectIntact(subject, entry, 600, `${turns}`);
  }
});

test("the remains of a dropped entry are stored, because a later release may be able to read the entry", async () => {
  const copies: [OrderKey, string][] = [];
  const keepDamaged = (orderKey: OrderKey, value: Buffer) => {
    copies.push([orderKey, value.toString()]);
    return "somewhere";
  };
  const subject = await new TimelineSubject({ keepDamaged }).open();
  const entry = subject.write("INCR k");
  await subject.pass(1000);
  subject.damage(entry);
  assert.equal(subject.timeline.read(orderKeyOf(entry)), null);
  subject.timeline.damagedEntries.drop();
  await subject.pass(11_000);
  assert.deepEqual(copies, [[orderKeyOf(entry), "rotten"]]);
});

/** Creates a timeline of 600 entries. One of them is found damaged. The test decides when copies reach the disk. */
async function withSlowCopies() {
  const syncs: { readonly resolve: () => void; readonly reject: (problem: Error) => void }[] = [];
  const errors: string[] = [];
  const syncDamaged = () => new Promise<void>((resolve, reject) => void syncs.push({ resolve, reject }));
  const subject = await new TimelineSubject({ keepDamaged: () => "somewhere", syncDamaged, errors }).open();
  const [entry] = await subject.writes(5, 1000, () => "INCR k");
  assert.ok(entry);
  subject.damage(entry);
  assert.equal(subject.timeline.read(orderKeyOf(entry)), null);
  const dropRemains = async () => {
    subject.timeline.damagedEntries.drop();
    await subject.pass(11_000);
    return syncs.at(-1) ?? assert.fail("no sync waits");
  };
  return { subject, entry, errors, syncs, dropRemains };
}

test("the remains of a damaged entry are not removed before their copy is on the disk", async () => {
  const { subject, entry, errors, syncs, dropRemains } = await withSlowCopies();
  const sync = await dropRemains();
  assert.equal(await dropRemains(), sync, "dropping does not start again in the meantime");
  assert.notEqual(remains(subject, entry), null);
  assert.ok(!errors.some((line) => line.includes("remains are removed")));
  sync.resolve();
  await subject.pass(11_000);
  assert.equal(remains(subject, entry), null);
  assert.deepEqual([subject.get("k"), syncs.length], [bulk("4"), 1]);
  assert.equal(errors.filter((line) => line.includes("remains are removed")).length, 1);
});

test("the remains of a damaged entry are not removed if their copy could not be synced; dropping is retried", async () => {
  const { subject, entry, errors, dropRemains } = await withSlowCopies();
  (await dropRemains()).reject(new Error("no disk"));
  await subject.pass(11_000);
  assert.notEqual(remains(subject, entry), null);
  assert.deepEqual(subject.get("k"), bulk("4"));
  assert.ok(
    errors.some((line) => line.includes("could not be copied")) &&
      !errors.some((line) => line.includes("remains are removed")),
  );
  (await dropRemains()).resolve();
  await subject.pass(11_000);
  assert.equal(remains(subject, entry), null);
});

test("a damaged entry received again while its copy is being synced stays, and is folded once", async () => {
  const { subject, entry, dropRemains } = await withSlowCopies();
  const sync = await dropRemains();
  assert.equal(subject.timeline.receive([entry], MEMBER).length, 1);
  await subject.settle();
  sync.resolve();
  await subject.pass(11_000);
  await expectIntact(subject, entry, 5);
});

test("many damaged entries are dropped in steps between other work", async () => {
  const copies: OrderKey[] = [];
  const keepDamaged = (orderKey: OrderKey) => {
    copies.push(orderKey);
    return "somewhere";
  };
  const subject = await new TimelineSubject({ keepDamaged }).open();
  const entries = await subject.writes(50, 1000, () => "INCR k");

  for (const entry of entries) {
    subject.damage(entry);
    subject.timeline.read(orderKeyOf(entry));
  }

  subject.isSlow = true;
  subject.timeline.damagedEntries.drop();
  assert.ok(copies.length < 10, `${copies.length} in one turn`);
  await subject.turns(1);
  assert.ok(copies.length < 20, `${copies.length} in two turns`);

  subject.isSlow = false;
  await subject.pass(11_000);
  assert.equal(copies.length, 50);
  assert.deepEqual(subject.get("k"), { kind: "nil" });
});

test("an entry written by a later version stays on the disk: it is logged once, and is not in the state", async () => {
  const before = await new TimelineSubject().open();
  await before.writes(5, 1000, () => "INCR k");

  const { body, signature, envelope } = entryAt(before.now, "INCR k");
  const later = Buffer.from(body.toString("latin1").replace("nonce", "fresh"), "latin1");
  const entry = { id: hash(signedBytes(later)), body: later, signature, envelope };
  const value = writeValue(later, signature);
  before.storage.put([[writeOrderKey(orderKeyOf(entry)), value]]);

  const errors: string[] = [];
  const keepDamaged = () => assert.fail("the entry is not damaged");
  const subject = await before.restarted({ errors, keepDamaged }).open();

  await subject.pass(11_000);
  subject.timeline.damagedEntries.drop();
  await subject.pass(11_000);
  assert.deepEqual(remains(subject, entry), value);

  subject.storage.get = () => assert.fail("the entry was already checked");
  subject.timeline.damagedEntries.drop();
  await subject.pass(11_000);
  assert.deepEqual(subject.get("k"), bulk("5"));
  assert.equal(errors.filter((line) => line.includes("perhaps a later one wrote it")).length, 1);
  assert.equal(errors.filter((line) => line.includes("remains are removed")).length, 0);
});

test("the remains of a damaged entry stay until a copy can be stored, but its effect is removed", async () => {
  const errors: string[] = [];
  let hasRoom = false;
  const keepDamaged = () => (hasRoom ? "somewhere" : null);
  const subject = await new TimelineSubject({ every: 10, keepDamaged, errors }).open();
  const { timeline } = subject;

  const entry = (await subject.writes(60, 20_000, () => "INCR k"))[2] as Entry;
  subject.damage(entry);
  assert.equal(timeline.read(orderKeyOf(entry)), null);

  for (let times = 0; times < 2; times++) {
    timeline.damagedEntries.drop();
    await subject.pass(11_000);
    assert.notEqual(remains(subject, entry), null);
    assert.deepEqual(subject.get("k"), bulk("59"));
    assert.equal(timeline.damagedEntries.lastAt, entry.envelope.at);
  }
  assert.equal(errors.filter((line) => line.includes("could not be copied")).length, 1);

  hasRoom = true;
  timeline.damagedEntries.drop();
  await subject.pass(11_000);
  assert.equal(remains(subject, entry), null);
  assert.equal(timeline.damagedEntries.lastAt, null);

  assert.equal(timeline.receive([entry], MEMBER).length, 1);
  await subject.pass(11_000);
  await expectIntact(subject, entry, 60);
});
