/** Tests that work in steps has the same result as in one step. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { finishReply, replyOfSteps, SteppedReply } from "../../protocol/lazy-replies.js";
import { bulk, integer } from "../../protocol/reply.js";
import { finish, STEP_ITEMS, sortedInSteps } from "../../protocol/steps.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";

const seed = seedOfRun();

test(`sorting in steps has the result of a stable sort (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  for (const count of [0, 1, 2, STEP_ITEMS - 1, STEP_ITEMS, STEP_ITEMS + 1, 3 * STEP_ITEMS + 7, 10_000]) {
    const items = Array.from({ length: count }, (_, index) => ({ value: random.below(100), index }));
    const byValue = (a: { value: number }, b: { value: number }) => a.value - b.value;
    let steps = 0;
    const work = sortedInSteps(items, byValue);
    const counted = (function* () {
      for (;;) {
        const step = work.next();
        if (step.done === true) return step.value;
        steps++;
        yield;
      }
    })();
    assert.deepEqual(finish(counted), items.toSorted(byValue));
    assert.ok(steps >= Math.floor(count / STEP_ITEMS));
  }
});

test("a reply in steps is computed once, by the first reader", () => {
  let runs = 0;
  function* work() {
    runs++;
    yield;
    return [bulk("a")];
  }
  const reply = new SteppedReply("array", work());
  assert.equal(finishReply(reply), reply);
  assert.equal(runs, 1);
  assert.deepEqual(reply.items, [bulk("a")]);
  assert.deepEqual(finish(reply.steps()), [bulk("a")]);
  assert.equal(runs, 1);
});

test("work that needs one step returns its reply; longer work returns an object that computes the reply in steps", () => {
  function* work(steps: number) {
    while (steps-- > 1) yield;
    return integer(7);
  }
  assert.deepEqual(replyOfSteps(work(1), true), integer(7));
  const begunWork = replyOfSteps(work(3), true);
  assert.ok(begunWork instanceof SteppedReply);
  assert.deepEqual(finishReply(begunWork), integer(7));
  assert.deepEqual(finishReply(begunWork), integer(7));
});
