/** Tests how many other daemons have a write, with a clock that the test advances. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DurableCopies } from "../../../../daemon/engine/backends/durable-copies.js";
import type { Environment } from "../../../../daemon/net/process/clock-and-randomness.js";
import type { OrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { double } from "../../../support/double.js";

const ORDER_KEY: OrderKey = { at: 1, seq: 0, id: "i".repeat(32) };

function makeScene() {
  const timers = new Map<object, { at: number; step: () => void }>();
  const requests: { daemons: number; resolve: () => void }[] = [];
  const state = { now: 0, copies: 0, members: 0 };
  const copies = new DurableCopies({
    peers: {
      copies: () => state.copies,
      replicated: (orderKey, daemons) => {
        assert.equal(orderKey, ORDER_KEY);
        return new Promise((resolve) => requests.push({ daemons, resolve }));
      },
    },
    members: () => state.members,
    isAlone: () => false,
    environment: double<Environment>({
      setTimer(milliseconds, step) {
        const timer = {};
        timers.set(timer, { at: state.now + milliseconds, step });
        return () => timers.delete(timer);
      },
    }),
  });

  const pass = (milliseconds: number) => {
    for (const until = state.now + milliseconds; ; ) {
      const [next] = [...timers].sort(([, a], [, b]) => a.at - b.at);
      if (next === undefined || next[1].at > until) {
        state.now = until;
        return;
      }
      timers.delete(next[0]);
      state.now = next[1].at;
      next[1].step();
    }
  };
  return { timers, requests, state, copies, pass };
}

test("a wait ends when the peers report enough daemons, and leaves no timer", async () => {
  const { timers, requests, state, copies } = makeScene();
  let ended = 0;
  const end = copies.wait({ orderKey: ORDER_KEY, wanted: 2, milliseconds: 1000 }, () => ended++);
  assert.deepEqual(
    requests.map(({ daemons }) => daemons),
    [3],
    "including this daemon",
  );
  assert.equal(ended, 0);

  state.copies = 2;
  requests[0]?.resolve();
  await Promise.resolve();
  assert.equal(ended, 1);
  assert.equal(timers.size, 0);
  assert.equal(copies.count(ORDER_KEY), 2);
  end();
  assert.equal(ended, 1);
});

test("a wait ends when its time is up, or never if the time is 0, and queries the peers repeatedly", () => {
  const { timers, requests, copies, pass } = makeScene();
  let ended = 0;
  copies.wait({ orderKey: ORDER_KEY, wanted: 1, milliseconds: 20_000 }, () => ended++);
  pass(19_999);
  assert.equal(ended, 0);
  assert.equal(requests.length, 2);
  pass(1);
  assert.equal(ended, 1);
  assert.equal(timers.size, 0);

  const end = copies.wait({ orderKey: ORDER_KEY, wanted: 1, milliseconds: 0 }, () => ended++);
  pass(10_000_000);
  assert.equal(ended, 1);
  assert.ok(requests.length > 100);
  end();
  assert.equal(ended, 2);
  assert.equal(timers.size, 0);
});

test("a client that has written nothing waits for connected daemons", () => {
  const { timers, requests, state, copies, pass } = makeScene();
  let ended = 0;
  copies.wait({ orderKey: null, wanted: 1, milliseconds: 0 }, () => ended++);
  pass(1000);
  assert.equal(ended, 0);
  state.members = 1;
  pass(1000);
  assert.equal(ended, 1);
  assert.equal(requests.length, 0);
  assert.equal(timers.size, 0);
  assert.equal(copies.count(null), 1);
});

test("a wait ends immediately while there are too many other waits", () => {
  const { copies } = makeScene();
  const ends: (() => void)[] = [];
  let ended = 0;
  while (ended === 0)
    ends.push(copies.wait({ orderKey: ORDER_KEY, wanted: 1, milliseconds: 0 }, () => ended++));
  assert.ok(ends.length > 1000);
  for (const end of ends) end();
  assert.equal(ended, ends.length);
  copies.wait({ orderKey: ORDER_KEY, wanted: 1, milliseconds: 0 }, () => ended++);
  assert.equal(ended, ends.length);
});
