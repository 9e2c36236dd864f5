/** Late entries wait for the next merge, and not for ever. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../timeline/entry.js";
import { Waiting } from "../../timeline/waiting.js";

const dated = (at: number): Entry => ({ envelope: { at, seq: 0 }, id: "" }) as unknown as Entry;
const entry = dated(7);

test("late entries wait four times as long as the last merge took", () => {
  const waiting = new Waiting();
  waiting.addLate([entry]);
  waiting.merged(1000, 1100);
  assert.deepEqual(waiting.takeLate(1499), []);
  assert.deepEqual(waiting.takeLate(1500), [entry]);
});

test("a merge during which the process was frozen holds late entries up for five seconds at most", () => {
  const waiting = new Waiting();
  waiting.addLate([entry]);
  waiting.merged(1000, 13_000);
  assert.deepEqual(waiting.takeLate(17_999), []);
  assert.deepEqual(waiting.takeLate(18_000), [entry]);
});

test("what is past is told by the least date that waits", () => {
  const waiting = new Waiting();
  assert.ok(waiting.isPast(Number.MAX_SAFE_INTEGER));
  waiting.addFuture([dated(9), dated(8)]);
  waiting.addLate([dated(6), dated(5), dated(7)]);
  assert.deepEqual([waiting.isPast(4), waiting.isPast(5)], [true, false]);
  waiting.takeLate(0);
  assert.deepEqual([waiting.isPast(7), waiting.isPast(8)], [true, false]);
  assert.equal(waiting.takeDue(8).length, 1);
  assert.deepEqual([waiting.isPast(8), waiting.isPast(9)], [true, false]);
});
