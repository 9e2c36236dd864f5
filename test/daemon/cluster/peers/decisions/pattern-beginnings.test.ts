/** Tests when the members may declare that a pattern of decided keys has begun. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PatternBeginnings } from "../../../../../daemon/cluster/peers/decisions/pattern-beginnings.js";
import type { ClusterState } from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { DecidedPatterns } from "../../../../../daemon/store/rights/decided-patterns.js";
import { double } from "../../../../support/double.js";

const AT = 1_790_000_000_000;
const NAME = { glob: "d:*", db: null };
/** How far a write may be dated ahead of the clock of a daemon, whose clock may differ by twice 2 s. */
const AHEAD = 5_000 + 2 * 2_000;

function fixture() {
  const now = { clock: AT, stablePoint: 0, epoch: "list 1" };
  const patterns = DecidedPatterns.NONE.with({ ...NAME, announcedAt: AT, isBegun: false });
  const cluster = double<ClusterState>({
    clock: () => now.clock,
    limits: { future: 5_000, skewMs: 2_000 },
    timeline: { ring: { patterns } },
  });
  const finality = { stablePoint: () => now.stablePoint, epoch: () => now.epoch };
  return { now, beginnings: new PatternBeginnings(cluster, finality) };
}

test("a pattern begins once each member knows it, and no write from before can arrive any longer", () => {
  const { now, beginnings } = fixture();
  now.stablePoint = AT;
  beginnings.tick();
  now.stablePoint = AT + 60_000;
  assert.ok(!beginnings.mayBegin(NAME), "the announcement itself was not final");
  now.clock = AT + 30_000;
  now.stablePoint = AT + 1_000;
  beginnings.tick();
  now.stablePoint = AT + 30_000 + AHEAD;
  assert.ok(!beginnings.mayBegin(NAME));
  assert.deepEqual(beginnings.ready, []);
  now.stablePoint++;
  assert.ok(beginnings.mayBegin(NAME));
  assert.equal(beginnings.ready.length, 1);
});

test("what each member knows is found out again after a disconnection, and under another list", () => {
  const { now, beginnings } = fixture();
  beginnings.tick();
  now.stablePoint = AT + 1_000;
  beginnings.tick();
  now.stablePoint = AT + AHEAD + 1_000;
  assert.ok(beginnings.mayBegin(NAME));
  now.epoch = "list 1, and a member was disconnected";
  assert.ok(!beginnings.mayBegin(NAME));
  now.clock = AT + 60_000;
  beginnings.tick();
  now.stablePoint += 1_000;
  beginnings.tick();
  assert.ok(!beginnings.mayBegin(NAME), "it may have accepted a write in the meantime");
  now.stablePoint = AT + 60_000 + AHEAD + 1_000;
  assert.ok(beginnings.mayBegin(NAME));
});
