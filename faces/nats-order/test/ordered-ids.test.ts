/**
 * Tests how a daemon remembers a stream's ids: for the stream's window and within a limit. All daemons remember the
 * same ids.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ORDER_WINDOW } from "../../../daemon/options/timeline-values.js";
import { OrderedIds } from "../ordered-ids.js";

const NOW = 1_800_000_000_000;

test("an id is remembered until its date has left the window", () => {
  const ids = new OrderedIds();
  ids.add("a", NOW);
  ids.passed(NOW + ORDER_WINDOW.past - 1000);
  assert.equal(ids.has("a", NOW), true);
  ids.passed(NOW + ORDER_WINDOW.past + 1000);
  assert.equal(ids.has("a", NOW), false);
});

test("a daemon finds the earliest date even if there are more dates than a call can have arguments", () => {
  const max = 150_000;
  const ids = new OrderedIds(undefined, max);
  for (let second = 0; second <= max; second++) ids.add(String(second), NOW + second * 1000);
  assert.deepEqual([ids.has("0", NOW), ids.has("1", NOW + 1000)], [false, true]);
});

test("if there are too many ids, the earliest dates are forgotten, and envelopes of these dates are no longer accepted", () => {
  const ids = new OrderedIds(undefined, 2);
  for (const [id, at] of [
    ["late", NOW + 5000],
    ["early", NOW],
    ["later", NOW + 6000],
  ] as const)
    ids.add(id, at);
  assert.deepEqual([ids.has("early", NOW), ids.has("late", NOW + 5000)], [false, true]);
  assert.ok(ids.floor >= NOW && ids.floor < NOW + 1000);
});
