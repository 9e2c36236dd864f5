/** Tests that late entries wait for the next merge, but not indefinitely. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import { UnfoldedEntries } from "../../../daemon/timeline/unfolded-entries.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { readBody } from "../../../protocol/version-2/envelope.js";
import { writeBody } from "../../../protocol/version-2/envelope-body.js";

const dated = (at: number, commands = 1): Entry =>
  ({ envelope: { at, seq: 0, commands: Array(commands).fill([]) }, id: "" }) as unknown as Entry;
const entry = dated(7);
/** The current date, which is later than the dates of the waiting entries. */
const DATE = 100;

/** Returns an entry that can be read again from its bytes. */
function signed(at: number, seq = 0, text = "v"): Entry {
  const header = { key: "k".repeat(32), cluster: "c".repeat(32), at, seq, nonce: "n".repeat(16) };
  const body = Buffer.from(writeBody(header, [writeCommand(["SET", "k", text])]), "latin1");
  return { id: "i".repeat(32), body, signature: Buffer.alloc(64), envelope: readBody(body) };
}

const many: readonly Entry[] = Array(64).fill(entry);

test("late entries wait four times as long as the last merge with redone units took", () => {
  const waiting = new UnfoldedEntries();
  waiting.addLate([entry]);
  waiting.merged(1000, 1100);
  assert.equal(waiting.firstLate(1499), null);
  assert.equal(waiting.firstLate(1500), entry);
});

test("a merge during which the process was suspended delays late entries by at most five seconds", () => {
  const waiting = new UnfoldedEntries();
  waiting.addLate([entry]);
  waiting.merged(1000, 13_000);
  assert.equal(waiting.firstLate(17_999), null);
  assert.equal(waiting.firstLate(18_000), entry);
});

test("late entries are taken in order, up to a number of commands, but at least one entry", () => {
  const waiting = new UnfoldedEntries();
  const [a, b, c] = [dated(1, 5), dated(2), dated(3)];
  waiting.addLate([b, c]);
  waiting.addLate([a]);
  assert.equal(waiting.firstLate(0), a);
  assert.deepEqual([waiting.peekLate(1), waiting.peekLate(6), waiting.peekLate(7)], [[a], [a, b], [a, b, c]]);
  assert.deepEqual(waiting.takeLate(1), [a]);
  assert.deepEqual([waiting.firstLate(0), waiting.hasNoneUpTo(1), waiting.hasNoneUpTo(2)], [b, true, false]);
});

test("a refold for a stream of late entries waits until no more entries arrive", () => {
  const waiting = new UnfoldedEntries();
  const first = dated(1);
  waiting.addLate([first, ...many]);
  assert.ok(waiting.postponesRefold(1000, DATE));
  assert.equal(waiting.firstLate(1199), null);
  waiting.addLate([entry]);
  assert.ok(waiting.postponesRefold(1200, DATE));
  assert.equal(waiting.firstLate(1400), first);
  assert.ok(!waiting.postponesRefold(1400, DATE));
  assert.ok(waiting.postponesRefold(1401, DATE), "the next refold waits");
});

test("a refold for a few late entries does not wait", () => {
  const waiting = new UnfoldedEntries();
  waiting.addLate([entry]);
  assert.ok(!waiting.postponesRefold(1000, DATE));
});

test("a refold waits no longer than ten seconds", () => {
  const waiting = new UnfoldedEntries();
  waiting.addLate(many);
  for (let now = 0; now < 10_000; now += 200) {
    waiting.addLate([entry]);
    assert.ok(waiting.postponesRefold(now, DATE));
  }
  waiting.addLate([entry]);
  assert.ok(!waiting.postponesRefold(10_000, DATE));
});

test("a refold does not wait for clients that keep writing", () => {
  const waiting = new UnfoldedEntries();
  waiting.addLate(many);
  assert.ok(waiting.postponesRefold(1000, DATE));
  waiting.addLate([dated(DATE), dated(DATE + 1)]);
  assert.ok(!waiting.postponesRefold(1200, DATE + 200));
});

test("`isDelayed` reports entries that wait for a long time, including entries of a refold that is not done", () => {
  const waiting = new UnfoldedEntries();
  const isDelayed = (now: number) => {
    waiting.noteDelay(now);
    return waiting.isDelayed(() => now);
  };
  assert.ok(!isDelayed(0));
  waiting.addLate([dated(5), dated(9), dated(6)]);
  assert.deepEqual([isDelayed(100), isDelayed(1100), isDelayed(1101)], [false, false, true]);
  assert.equal(waiting.takeForRefold().length, 3);
  assert.deepEqual([isDelayed(1200), waiting.size, waiting.lateSize], [true, 3, 0]);
  waiting.refolded();
  assert.deepEqual([isDelayed(1300), waiting.size], [false, 0]);
  waiting.addFuture([signed(10)]);
  assert.deepEqual([isDelayed(9000), isDelayed(90_000), waiting.size], [false, false, 1]);
});

test("`hasNoneUpTo` depends on the earliest waiting date", () => {
  const waiting = new UnfoldedEntries();
  assert.ok(waiting.hasNoneUpTo(Number.MAX_SAFE_INTEGER));
  waiting.addFuture([signed(9), signed(8)]);
  waiting.addLate([dated(6), dated(5), dated(7)]);
  assert.deepEqual([waiting.hasNoneUpTo(4), waiting.hasNoneUpTo(5)], [true, false]);
  assert.equal(waiting.firstLate(0)?.envelope.at, 5);
  waiting.takeLate(3);
  assert.deepEqual([waiting.hasNoneUpTo(7), waiting.hasNoneUpTo(8)], [true, false]);
  assert.equal(waiting.takeUntil(8).length, 1);
  assert.deepEqual([waiting.hasNoneUpTo(8), waiting.hasNoneUpTo(9)], [true, false]);
});

test("entries dated ahead are returned unchanged and in order, up to the given date", () => {
  const waiting = new UnfoldedEntries();
  const dates = Array.from({ length: 500 }, (_, i) => (i * 211) % 500);
  for (const at of dates) waiting.addFuture([signed(1000 + at, at % 3)]);
  assert.equal(waiting.size, 500);
  const due = waiting.takeUntil(1249);
  assert.deepEqual(
    due.map(({ envelope: { at } }) => at),
    Array.from({ length: 250 }, (_, i) => 1000 + i),
  );
  assert.deepEqual(due[7], signed(1007, 1));
  assert.equal(waiting.takeAll().length, 250);
  assert.equal(waiting.size, 0);
});

test("the entries dated ahead are limited in number and in bytes", () => {
  const [waiting, large] = [new UnfoldedEntries(), new UnfoldedEntries()];
  const one = signed(1);
  for (let i = 0; i < 500; i++) waiting.addFuture(Array<Entry>(100).fill(one));
  assert.ok(!waiting.hasRoom(2, 0, 1));
  waiting.takeUntil(1);
  assert.ok(waiting.hasRoom(2, 0, 1));
  large.addFuture([signed(1, 0, "x".repeat(31 * 1024 * 1024))]);
  assert.ok(large.hasRoom(2, 1000, 1));
  assert.ok(!large.hasRoom(2, 1024 * 1024, 1));
  assert.ok(large.hasRoom(1, 1024 * 1024, 1), "an entry that is due does not have to wait");
});

test("the daemon waits for marked entries until they are merged or refolded, but not for later entries", () => {
  const waiting = new UnfoldedEntries();
  waiting.addLate([dated(5), dated(9)]);
  waiting.mark();
  waiting.addLate([dated(1), dated(2)]);
  waiting.firstLate(0);
  waiting.takeLate(3);
  assert.ok(!waiting.areMarkedFolded, "the entry of 9 is still waiting");
  waiting.takeLate(1);
  assert.ok(waiting.areMarkedFolded);

  waiting.addLate([dated(3)]);
  assert.ok(waiting.areMarkedFolded, "the entry of 3 arrived after the mark");
  waiting.mark();
  waiting.takeForRefold();
  assert.ok(!waiting.areMarkedFolded, "the refold runs");
  waiting.refolded();
  assert.ok(waiting.areMarkedFolded);

  waiting.addLate([dated(4)]);
  waiting.takeForRefold();
  assert.ok(waiting.areMarkedFolded, "the refold is of later entries only");
  waiting.mark();
  assert.ok(!waiting.areMarkedFolded, "the entry of 4 is now marked");
});

test("an entry waits until it is itself merged or refolded, whatever happens to other entries", () => {
  const waiting = new UnfoldedEntries();
  const named = (id: string, at: number): Entry => ({ ...dated(at), id });
  const [first, second] = [named("1", 7), named("2", 9)];
  const has = ({ id, envelope: { at } }: Entry) => waiting.has({ at, seq: 0, id });
  waiting.addLate([first, second]);
  assert.deepEqual([first, second, named("3", 8)].map(has), [true, true, false]);
  waiting.firstLate(0);
  waiting.takeLate(1);
  assert.deepEqual([first, second].map(has), [false, true]);
  waiting.takeForRefold();
  assert.deepEqual([first, second].map(has), [false, true]);
  waiting.refolded();
  assert.deepEqual([first, second].map(has), [false, false]);
});
