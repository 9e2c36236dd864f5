/** Tests when the members may declare that a pattern of decided keys has begun. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PatternBeginnings } from "../../../../../daemon/cluster/peers/decisions/pattern-beginnings.js";
import type { ClusterState } from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { latestPossible } from "../../../../../daemon/cluster/peers/shared/latest-possible.js";
import { DecidedPatterns } from "../../../../../daemon/store/rights/decided-patterns.js";
import { double } from "../../../../support/double.js";

const AT = 1_790_000_000_000;
const NAME = { glob: "d:*", db: null };
/** The latest date with which a member may have accepted a write when it knew the pattern. */
const LATEST = AT + 35_000;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

function fixture() {
  const now = { stablePoint: 0, epoch: "list 1", serial: 1, latestTaken: null as number | null, clock: AT };
  const patterns = DecidedPatterns.NONE.with({ ...NAME, announcedAt: AT, isBegun: false });
  const cluster = double<ClusterState>({
    timeline: { ring: { patterns }, published: 0 },
    clock: () => now.clock,
    limits: { skewMs: 2_000 },
  });

  const asked: number[] = [];
  const finality = {
    stablePoint: () => now.stablePoint,
    epoch: () => now.epoch,
    serial: () => now.serial,
    latestTaken: (since: number) => {
      asked.push(since);
      return now.latestTaken;
    },
  };

  const beginnings = new PatternBeginnings(cluster, finality);
  // From now on, the list is known.
  beginnings.tick();
  return { now, asked, beginnings, cluster };
}

test("a pattern begins once each member knows it, and no write from before can arrive any longer", () => {
  const { now, beginnings } = fixture();
  now.latestTaken = LATEST;
  now.stablePoint = AT;
  beginnings.tick();
  now.stablePoint = AT + 60_000;
  assert.ok(!beginnings.mayBegin(NAME), "the announcement itself was not final");
  now.stablePoint = AT + 1_000;
  beginnings.tick();
  now.stablePoint = LATEST;
  assert.ok(!beginnings.mayBegin(NAME));
  assert.deepEqual(beginnings.ready, []);
  now.stablePoint++;
  assert.ok(beginnings.mayBegin(NAME));
  assert.equal(beginnings.ready.length, 1);
});

test("the latest date of a write is that which each member reports after it knows the pattern", () => {
  const { now, asked, beginnings } = fixture();
  now.stablePoint = AT + 1_000;
  now.serial = 7;
  beginnings.tick();
  now.stablePoint = AT + 90_000;
  now.serial = 9;
  beginnings.tick();
  assert.ok(!beginnings.mayBegin(NAME), "a member has not reported it since");

  // Its window is wider than that of this daemon.
  now.latestTaken = AT + 99_000;
  beginnings.tick();
  assert.ok(!beginnings.mayBegin(NAME));

  now.latestTaken = AT + 200_000;
  now.stablePoint = AT + 99_001;
  beginnings.tick();
  assert.ok(beginnings.mayBegin(NAME), "later reports do not count");
  assert.deepEqual(asked, [7, 7, 7]);
});

test("what each member knows is found out again after a disconnection, and under another list", () => {
  const { now, beginnings } = fixture();
  now.latestTaken = LATEST;
  now.stablePoint = AT + 1_000;
  beginnings.tick();
  now.stablePoint = LATEST + 1_000;
  assert.ok(beginnings.mayBegin(NAME));
  now.epoch = "list 1, and a member was disconnected";
  assert.ok(!beginnings.mayBegin(NAME));
  now.latestTaken = AT + 90_000;
  now.stablePoint += 1_000;
  beginnings.tick();
  assert.ok(!beginnings.mayBegin(NAME), "it may have accepted a write in the meantime");
  now.stablePoint = AT + 90_001;
  assert.ok(beginnings.mayBegin(NAME));
});

test("a pattern begins although this daemon's clock was a day ahead for a moment", () => {
  const { now, asked, beginnings } = fixture();
  now.stablePoint = AT + 1_000;
  now.clock = AT + DAY_MS;
  now.latestTaken = AT + DAY_MS;
  beginnings.tick();
  now.clock = AT + 2_000;
  now.latestTaken = LATEST;
  now.serial = 9;
  beginnings.tick();
  now.stablePoint = LATEST + 1;
  assert.ok(beginnings.mayBegin(NAME));
  assert.deepEqual(asked, [1, 1], "the members know the pattern since the first report");
});

test("a member that always reports the latest possible date delays a beginning by the widest window", () => {
  const { now, beginnings, cluster } = fixture();
  const wait = (from: number) => {
    const until = from + 1_000 + 10 * MINUTE_MS + 2 * 2_000;
    for (now.clock = from + 1_000; now.stablePoint < until; now.clock += MINUTE_MS) {
      now.stablePoint = Math.min(now.clock, until);
      now.latestTaken = latestPossible(cluster);
      beginnings.tick();
      assert.ok(!beginnings.mayBegin(NAME));
    }
    now.stablePoint = until + 1;
    beginnings.tick();
    assert.ok(beginnings.mayBegin(NAME));
    return until;
  };
  const before = wait(AT);
  now.epoch = "list 1, and this member was disconnected";
  assert.ok(!beginnings.mayBegin(NAME), "the wait begins again");
  wait(before + MINUTE_MS);
});
