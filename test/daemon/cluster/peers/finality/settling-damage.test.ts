/** Tests when a daemon continues without damaged entries that no member sends again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import { orderKeyOf } from "../../../../../daemon/timeline/entries/entry.js";
import { EPOCH, entryOf } from "../entries.js";
import { type Node, World } from "../support.js";

const { catchUpStuckMs, reportEveryMs } = PEERING_LIMITS;

function three(): { world: World; nodes: readonly [Node, Node, Node] } {
  const world = new World();
  const names = ["a", "b", "c"];
  const [a, b, c] = world.addAll(names) as [Node, Node, Node];
  world.runUntil(() => [a, b, c].every(({ peering }) => peering.state === "live"));
  return { world, nodes: [a, b, c] };
}

test("a daemon drops a damaged entry if most other members have not had the entry for a while", () => {
  const { world, nodes } = three();
  const [a] = nodes;
  world.run(2 * catchUpStuckMs);
  assert.equal(a.timeline.damagedEntries.timesDropped, 0, "nothing is damaged");
  a.timeline.damagedEntries.lastAt = EPOCH - 1000;
  world.run(catchUpStuckMs - 1000);
  assert.equal(a.timeline.damagedEntries.timesDropped, 0, "another member may still send it");
  world.run(4000);
  assert.equal(a.timeline.damagedEntries.timesDropped, 1);
});

test("a daemon keeps a damaged entry while most other members are disconnected, or have more entries", () => {
  const { world, nodes } = three();
  const [a, b, c] = nodes;
  a.timeline.damagedEntries.lastAt = EPOCH - 1000;
  for (const { timeline } of [b, c]) timeline.accept(entryOf(-1000));
  a.timeline.roomUntil = 0;
  world.run(3 * catchUpStuckMs);
  assert.equal(a.timeline.damagedEntries.timesDropped, 0);
  a.timeline.roomUntil = Number.POSITIVE_INFINITY;
  for (const pair of ["a c", "c a", "a b", "b a"]) world.cut.add(pair);
  world.run(3 * catchUpStuckMs);
  assert.equal(a.timeline.damagedEntries.timesDropped, 0);
});

test("writes on other daemons do not delay the dropping of a damaged entry", () => {
  const { world, nodes } = three();
  const [a, b] = nodes;
  a.timeline.damagedEntries.lastAt = EPOCH - 1000;
  for (let written = 0; written < 2 * catchUpStuckMs; written += 250) {
    b.timeline.accept(entryOf(written));
    world.run(250);
  }
  assert.equal(a.timeline.damagedEntries.timesDropped, 1);
});

test("a daemon keeps a damaged entry until a disconnected member has reconnected without it", () => {
  const { world, nodes } = three();
  const [a, , c] = nodes;
  const only = entryOf(-1000);
  c.timeline.index.add(orderKeyOf(only), false);
  c.timeline.prune(EPOCH);
  a.timeline.damagedEntries.lastAt = only.envelope.at;
  for (const pair of ["a c", "c a"]) world.cut.add(pair);
  world.run(2 * catchUpStuckMs);
  assert.equal(a.timeline.damagedEntries.timesDropped, 0, "the disconnected member may be able to send it");
  world.cut.clear();
  world.run(2 * catchUpStuckMs);
  assert.ok(a.timeline.damagedEntries.timesDropped > 0);
});

test("a daemon without members drops a damaged entry after a while", () => {
  const world = new World();
  const alone = world.add("a", { peers: [] });
  alone.timeline.damagedEntries.lastAt = EPOCH - 1000;
  world.run(catchUpStuckMs - 1000);
  assert.equal(alone.timeline.damagedEntries.timesDropped, 0, "an operator may see it first");
  world.run(4000);
  assert.equal(alone.timeline.damagedEntries.timesDropped, 1);
});

test("reports about earlier damage do not count for later damage", () => {
  const { world, nodes } = three();
  const { damagedEntries } = nodes[0].timeline;
  for (const when of ["first", "long after"]) {
    damagedEntries.timesDropped = 0;
    damagedEntries.lastAt = EPOCH - 1000;
    world.run(catchUpStuckMs - 1000);
    assert.equal(damagedEntries.timesDropped, 0, when);
    damagedEntries.lastAt = null;
    world.run(2 * catchUpStuckMs);
  }
});

test("damaged entries are checked as often as reports are requested, not with each tick", () => {
  const { world, nodes } = three();
  let looks = 0;
  Object.defineProperty(nodes[0].timeline.damagedEntries, "lastAt", {
    get: () => {
      looks++;
      return EPOCH - 1000;
    },
  });
  world.run(10 * reportEveryMs);
  assert.ok(looks > 0 && looks <= 11, `${looks}`);
});
