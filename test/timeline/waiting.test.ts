/** Late entries wait for the next merge, and not for ever. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../timeline/entry.js";
import { Waiting } from "../../timeline/waiting.js";

const dated = (at: number, commands = 1): Entry =>
  ({ envelope: { at, seq: 0, commands: Array(commands).fill([]) }, id: "" }) as unknown as Entry;
const entry = dated(7);
const many: readonly Entry[] = Array(64).fill(entry);

test("late entries wait four times as long as the last merge took that did units again", () => {
  const waiting = new Waiting();
  waiting.addLate([entry]);
  waiting.merged(1000, 1100);
  assert.equal(waiting.firstLate(1499), null);
  assert.equal(waiting.firstLate(1500), entry);
});

test("a merge during which the process was frozen holds late entries up for five seconds at most", () => {
  const waiting = new Waiting();
  waiting.addLate([entry]);
  waiting.merged(1000, 13_000);
  assert.equal(waiting.firstLate(17_999), null);
  assert.equal(waiting.firstLate(18_000), entry);
});

test("late entries are taken in their order, by commands, and one at least", () => {
  const waiting = new Waiting();
  const [a, b, c] = [dated(1, 5), dated(2), dated(3)];
  waiting.addLate([b, c]);
  waiting.addLate([a]);
  assert.equal(waiting.firstLate(0), a);
  assert.deepEqual([waiting.late(1), waiting.late(6), waiting.late(7)], [[a], [a, b], [a, b, c]]);
  assert.deepEqual(waiting.takeLate(1), [a]);
  assert.deepEqual([waiting.firstLate(0), waiting.isPast(1), waiting.isPast(2)], [b, true, false]);
});

test("a refold for a stream of late entries waits until no more come", () => {
  const waiting = new Waiting();
  const first = dated(1);
  waiting.addLate([first, ...many]);
  assert.ok(waiting.putsOffRefold(1000));
  assert.equal(waiting.firstLate(1199), null);
  waiting.addLate([entry]);
  assert.ok(waiting.putsOffRefold(1200));
  assert.equal(waiting.firstLate(1400), first);
  assert.ok(!waiting.putsOffRefold(1400));
  assert.ok(waiting.putsOffRefold(1401), "the next one");
});

test("a refold for a few late entries does not wait", () => {
  const waiting = new Waiting();
  waiting.addLate([entry]);
  assert.ok(!waiting.putsOffRefold(1000));
});

test("a refold waits no longer than ten seconds", () => {
  const waiting = new Waiting();
  waiting.addLate(many);
  for (let now = 0; now < 10_000; now += 200) {
    waiting.addLate([entry]);
    assert.ok(waiting.putsOffRefold(now));
  }
  waiting.addLate([entry]);
  assert.ok(!waiting.putsOffRefold(10_000));
});

test("what is past is told by the least date that waits", () => {
  const waiting = new Waiting();
  assert.ok(waiting.isPast(Number.MAX_SAFE_INTEGER));
  waiting.addFuture([dated(9), dated(8)]);
  waiting.addLate([dated(6), dated(5), dated(7)]);
  assert.deepEqual([waiting.isPast(4), waiting.isPast(5)], [true, false]);
  assert.equal(waiting.firstLate(0)?.envelope.at, 5);
  waiting.takeLate(3);
  assert.deepEqual([waiting.isPast(7), waiting.isPast(8)], [true, false]);
  assert.equal(waiting.takeDue(8).length, 1);
  assert.deepEqual([waiting.isPast(8), waiting.isPast(9)], [true, false]);
});
