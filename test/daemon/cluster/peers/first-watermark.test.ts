/** Tests from which date a daemon without data accepts entries: only after all dates that its members call final. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FirstWatermark, watermarkToBegin } from "../../../../daemon/cluster/peers/first-watermark.js";
import type { ClusterState } from "../../../../daemon/cluster/peers/shared/cluster-state.js";
import { DigestIndex } from "../../../../daemon/timeline/compare/digest-index.js";
import type { StatusMessage } from "../../../../protocol/members/member-messages.js";
import { double } from "../../../support/double.js";
import { EPOCH, entryOf } from "./entries.js";
import { World } from "./support.js";

const DAY_MS = 86_400_000;

test("a daemon that begins without data, its clock a day behind, accepts nothing that its members may have called final", () => {
  const world = new World();
  const members = [world.add("a", { peers: ["b"] }), world.add("b")];
  world.run(10_000);
  const final = Math.max(...members.map(({ peering }) => peering.stablePoint));
  assert.ok(final > EPOCH);
  const c = world.add("c", { peers: ["a", "b"] });
  c.offset = -DAY_MS;
  assert.ok(c.peering.isJoining);
  assert.equal(c.timeline.raisedTo, 0);
  world.runUntil(() => c.peering.state === "live");
  assert.ok(!c.peering.isJoining);
  assert.ok(
    c.timeline.raisedTo >= final && c.timeline.raisedTo <= EPOCH + world.now,
    `${c.timeline.raisedTo}`,
  );
});

test("a daemon that begins without data does not believe the only one of several members that it reaches", () => {
  const world = new World();
  const others = (name: string) => ["a", "b", "c", "d", "e"].filter((other) => other !== name);
  const a = world.add("a", { peers: others("a") });
  a.offset = DAY_MS;
  world.runUntil(() => a.timeline.published > EPOCH + DAY_MS / 2);
  const c = world.add("c", { peers: others("c") });
  world.run(60_000);
  assert.equal(c.peering.state, "catching-up");
  assert.match(c.peering.reason, /waits for another peer/);
  assert.equal(c.timeline.raisedTo, 0);
  world.add("b", { peers: others("b") });
  world.runUntil(() => c.peering.state === "live");
  assert.ok(c.timeline.raisedTo <= EPOCH + world.now, `${c.timeline.raisedTo}`);
});

test("a daemon that begins without data hears each connected member before it decides from which date it accepts entries", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b", "c"] }), world.add("b", { peers: ["a", "c"] })];
  // Both clocks were ahead together, so that both members agree that dates of the next day are final.
  a.offset = b.offset = DAY_MS;
  world.runUntil(() => [a, b].every(({ timeline }) => timeline.published > EPOCH + DAY_MS / 2));
  a.offset = b.offset = 0;
  world.isLost = ({ from, to, kind }) => from === "b" && to === "c" && kind === "status";
  const c = world.add("c", { peers: ["a", "b"] });
  world.runUntil(() => c.peering.members.filter(({ connection }) => connection === "connected").length === 2);
  world.run(2000);
  assert.ok(c.peering.isJoining);
  world.isLost = () => false;
  world.runUntil(() => c.peering.state === "live");
  assert.ok(c.timeline.raisedTo > EPOCH + DAY_MS / 2, `${c.timeline.raisedTo}`);
});

test("a daemon that begins without data and reaches no member begins alone", () => {
  const world = new World();
  const c = world.add("c", { peers: ["a"] });
  assert.ok(c.peering.isJoining);
  world.runUntil(() => c.peering.state === "isolated");
  assert.ok(!c.peering.isJoining);
  assert.equal(c.timeline.raisedTo, 0);
});

test("a daemon that has published a watermark before, or has no members, does not join", () => {
  for (const [published, hasOthers] of [
    [1, true],
    [0, false],
  ] as const) {
    const raised: number[] = [];
    const timeline = {
      published,
      raise: (to: number) => void raised.push(to),
      index: new DigestIndex(),
      forgotten: { clear: () => assert.fail("it has not joined") },
    };
    const first = new FirstWatermark(double<ClusterState>({ timeline, clock: () => 10 }));
    first.start(hasOthers);
    assert.ok(!first.isUnderWay);
    first.receiveFirstStatus("a", double<StatusMessage>({ data: { count: 0, sum: "" } }));
    first.caughtUp([member(5, 10)], { ids: new Set(["a"]), others: 1 });
    assert.deepEqual(raised, []);
  }
});

const A_AND_B = { ids: new Set(["a", "b"]), others: 2 };

/** Returns a new daemon with an index that a test fills. */
function newDaemon() {
  const index = new DigestIndex();
  let cleared = 0;
  const forgotten = { clear: () => void cleared++ };
  const timeline = { published: 0, raise: () => {}, index, forgotten };
  const first = new FirstWatermark(double<ClusterState>({ timeline, clock: () => 10 }));
  first.start(true);
  const met = (id: string, count: number) =>
    first.receiveFirstStatus(id, double<StatusMessage>({ data: { count, sum: "" } }));
  return { first, index, met, cleared: () => cleared };
}

test("answers of a new daemon are no longer late once all configured peers have reported that they began without data", () => {
  const { first, met, cleared } = newDaemon();
  met("a", 0);
  first.caughtUp([], { ids: new Set(["a"]), others: 2 });
  first.caughtUp([], A_AND_B);
  met("guest", 0);
  first.caughtUp([], A_AND_B);
  assert.equal(cleared(), 0, "b has not connected yet");
  met("b", 0);
  // Member a has received entries in the meantime, but only after its first status.
  met("a", 5);
  first.caughtUp([], A_AND_B);
  first.caughtUp([], A_AND_B);
  assert.equal(cleared(), 1);
});

for (const id of ["b", "guest"])
  test(`answers of a new daemon stay late if ${id} had entries when they met`, () => {
    const { first, met, cleared } = newDaemon();
    met("a", 0);
    first.caughtUp([], A_AND_B);
    met(id, 1);
    met("b", 0);
    first.caughtUp([], A_AND_B);
    assert.equal(cleared(), 0);
  });

test("a new daemon that is live before its last peer connects gives no late answers once it has met that peer", () => {
  const world = new World();
  const names = ["a", "b", "c"];
  const a = world.add("a", { peers: ["b", "c"] });
  let cleared = 0;
  Object.assign(a.timeline, { published: 0, forgotten: { clear: () => void cleared++ } });
  world.add("b", { peers: names.filter((name) => name !== "b") });
  world.runUntil(() => a.peering.state === "live");
  a.timeline.accept(entryOf(-1000));
  world.run(1000);
  assert.equal(cleared, 0);
  world.add("c", { peers: ["a", "b"] });
  world.runUntil(() => cleared > 0);
});

const member = (watermark: number, clock: number, isSkewed = false) =>
  double<StatusMessage>({ watermark, clock, isSkewed });

for (const [what, members, watermark] of [
  ["no member is connected", [], 0],
  ["all are new", [member(0, 100), member(0, 100)], 0],
  ["one is new", [member(0, 100), member(70, 100)], 70],
  ["one that began alone has reported less", [member(20, 100), member(70, 100)], 70],
  ["one clock has been ahead", [member(70, 100), member(900, 100)], 100],
  ["one clock is ahead, and its daemon knows it", [member(70, 100), member(900, 930, true)], 100],
  ["all clocks have been ahead", [member(900, 100), member(910, 101)], 900],
  ["the only other clock is ahead, and its daemon knows it", [member(900, 930, true)], 100],
  ["one of two lies", [member(70, 100), member(9e12, 9e12)], 100],
  ["the only one lies", [member(9e12, 9e12)], 100 + DAY_MS],
] as const)
  test(`a daemon that begins without data begins at ${watermark} if ${what}`, () => {
    assert.equal(watermarkToBegin(members, 100), watermark);
  });
