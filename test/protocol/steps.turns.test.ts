/** Tests that long work lets other work run between its turns, and ends if its caller no longer waits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { inTurns, TURN_MS } from "../../protocol/steps.js";

/** Makes work whose steps each take a complete turn. */
function scene(steps: number) {
  const state = { now: 0, done: 0, isWanted: true };
  function* work(): Generator<void, string> {
    for (; state.done < steps; state.done++) {
      state.now += TURN_MS;
      yield;
    }
    return "done";
  }
  const run = () =>
    inTurns(work(), { uptime: () => state.now, soon: setImmediate }, { isWanted: () => state.isWanted });
  return { state, run };
}

test("work that takes longer than a turn uses several turns", async () => {
  const { state, run } = scene(5);
  const result = run();
  assert.ok(result instanceof Promise);
  assert.equal(state.done, 0);
  assert.equal(await result, "done");
  assert.equal(state.done, 5);
});

test("work without a waiting caller is cancelled", async () => {
  const { state, run } = scene(5);
  run();
  await turn();
  const { done } = state;
  assert.ok(done > 0 && done < 4, `${done} steps`);
  state.isWanted = false;
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(state.done, done);
});
