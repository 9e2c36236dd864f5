/** What is found damaged, and nobody gives again: when a daemon goes on without it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PEERING_LIMITS } from "../../../daemon/peers/peering-limits.js";
import { EPOCH, entryOf } from "./entries.js";
import { type Node, World } from "./support.js";

const { catchUpStuckMs } = PEERING_LIMITS;

function three(): { world: World; nodes: readonly [Node, Node, Node] } {
  const world = new World();
  const names = ["a", "b", "c"];
  const [a, b, c] = names.map((name) =>
    world.add(name, { peers: names.filter((other) => other !== name) }),
  ) as [Node, Node, Node];
  world.runUntil(() => [a, b, c].every(({ peering }) => peering.state === "live"));
  return { world, nodes: [a, b, c] };
}

test("a damaged entry is let go of once most others have held the same without it for a while", () => {
  const { world, nodes } = three();
  const [a] = nodes;
  world.run(2 * catchUpStuckMs);
  assert.equal(a.timeline.damagedInState.timesLetGo, 0, "nothing is damaged");
  a.timeline.damagedInState.lastAt = EPOCH - 1000;
  world.run(catchUpStuckMs - 1000);
  assert.equal(a.timeline.damagedInState.timesLetGo, 0, "it may be given again");
  world.run(4000);
  assert.equal(a.timeline.damagedInState.timesLetGo, 1);
});

test("a damaged entry is waited for while most others are away, or have more than is here", () => {
  const { world, nodes } = three();
  const [a, b, c] = nodes;
  a.timeline.damagedInState.lastAt = EPOCH - 1000;
  for (const { timeline } of [b, c]) timeline.take(entryOf(-1000));
  a.timeline.roomUntil = 0;
  world.run(3 * catchUpStuckMs);
  assert.equal(a.timeline.damagedInState.timesLetGo, 0);
  a.timeline.roomUntil = Number.POSITIVE_INFINITY;
  for (const pair of ["a c", "c a", "a b", "b a"]) world.cut.add(pair);
  world.run(3 * catchUpStuckMs);
  assert.equal(a.timeline.damagedInState.timesLetGo, 0);
});

test("who goes on writing elsewhere does not put off that a damaged entry is let go of", () => {
  const { world, nodes } = three();
  const [a, b] = nodes;
  a.timeline.damagedInState.lastAt = EPOCH - 1000;
  for (let written = 0; written < 2 * catchUpStuckMs; written += 250) {
    b.timeline.take(entryOf(written));
    world.run(250);
  }
  assert.equal(a.timeline.damagedInState.timesLetGo, 1);
});
