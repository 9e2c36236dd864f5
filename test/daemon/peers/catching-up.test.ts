/** When a daemon is live: with everything in its state that it had when it had caught up, and from then on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EPOCH, entryOf } from "./entries.js";
import { World } from "./support.js";

test("a daemon is live when what it has got is in its state, and stays so when more comes", () => {
  const world = new World();
  const a = world.add("a");
  const b = world.add("b", { peers: ["a"] });
  b.timeline.waiting.isMarkPast = false;
  world.run(20_000);
  assert.equal(b.peering.state, "catching-up");
  // Who goes on writing puts nothing off, however far back the dates are.
  for (let i = 0; i < 20; i++) {
    a.timeline.take(entryOf(-EPOCH / 2 - i * 1000));
    world.run(1000);
  }
  assert.equal(b.timeline.waiting.marks, 1, "it waits for what was here, and for nothing that came since");
  b.timeline.waiting.isMarkPast = true;
  world.run(100);
  assert.equal(b.peering.state, "live");
  b.timeline.waiting.isMarkPast = false;
  world.run(5000);
  assert.equal(b.peering.state, "live");
});
