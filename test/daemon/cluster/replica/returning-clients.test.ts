/** Tests how long commands wait for those of clients that have just been answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ReturningClients } from "../../../../daemon/cluster/replica/returning-clients.js";

/** Waits with a clock that the test sets. */
function scene() {
  const done: string[] = [];
  let expire: (() => void) | null = null;
  const state = { waiting: 0 };
  const returning = new ReturningClients({
    setTimer(milliseconds, step) {
      done.push(`wait ${milliseconds} ms`);
      expire = step;
      return () => {
        expire = null;
      };
    },
  });

  const begin = (answered: number) =>
    returning.begin(
      () => state.waiting,
      answered,
      7,
      () => done.push("over"),
    );
  return { done, state, begin, expire: () => expire?.() };
}

test("as many commands are awaited as wait or have just been answered, but not more than enough", () => {
  const { done, state, begin, expire } = scene();
  state.waiting = 3;
  const wait = begin(5);
  assert.equal(wait?.awaited, 8);
  wait?.end();
  expire();
  assert.equal(begin(1000)?.awaited, 256);
  expire();
  assert.deepEqual(done, ["wait 7 ms", "wait 7 ms", "over"]);
  state.waiting = 256;
  assert.equal(begin(5), null);
  state.waiting = 3;
  assert.equal(begin(0), null, "no client was answered");
});

test("after a wait in which too few commands arrived, the next 16 envelopes do not wait", () => {
  const { state, begin, expire } = scene();
  begin(10);
  state.waiting = 6;
  expire();
  state.waiting = 0;
  assert.ok(begin(10) !== null, "more than half of them are enough");
  state.waiting = 5;
  expire();
  for (let n = 0; n < 16; n++) assert.equal(begin(10), null);
  assert.ok(begin(10) !== null);
});

test("a fast client does not wait for a slow one in each round", () => {
  const { state, begin, expire } = scene();
  begin(2);
  state.waiting = 1;
  expire();
  state.waiting = 0;
  assert.equal(begin(2), null);
});
