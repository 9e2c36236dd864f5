/** Tests stable points, and the detection of wrong clocks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StablePoint } from "../../../../cluster/peers/finality/stable-point.js";
import { totalsUpTo } from "../../../../cluster/peers/shared/entry-totals.js";
import { PEERING_LIMITS } from "../../../../cluster/peers/shared/peering-limits.js";
import { EPOCH, entryOf, keyOf } from "../entries.js";
import { FakeTimeline } from "../fake-timeline.js";
import { haveSameEntries, World } from "../support.js";

/** Records whether a promise has resolved. */
function watch(promise: Promise<void>): { isDone: boolean } {
  const watched = { isDone: false };
  promise.then(() => {
    watched.isDone = true;
  });
  return watched;
}

const settle = async () => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

test("entries before all watermarks are stable once all members report the same entries", async () => {
  const world = new World();
  const [a, b, c] = [world.add("a", { peers: ["b", "c"] }), world.add("b"), world.add("c")];
  world.run(500);
  a.timeline.take(entryOf(500));
  const stable = watch(a.peering.stable(EPOCH + 500));
  world.run(1000);
  await settle();
  assert.ok(!stable.isDone, "the watermarks are a second behind");
  world.run(4500);
  await settle();
  assert.ok(stable.isDone);
  assert.ok(haveSameEntries(a, b, c));
  assert.ok(a.peering.stablePoint > EPOCH + 500 && a.peering.stablePoint <= EPOCH + world.now - 1000);
  assert.equal(a.peering.stablePoint % 1000, 0);
});

test("nothing becomes stable while a member is disconnected, has different entries, or delays its watermark", async () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  world.run(5000);
  assert.equal(a.peering.stablePoint, 0);
  const b = world.add("b", { isUnknown: true });
  b.timeline.take(entryOf(-10));
  a.timeline.take(entryOf(-20));
  world.run(20_000);
  assert.equal(b.timeline.index.total("data").count, 1, "b receives no entry from a");
  assert.equal(a.peering.stablePoint, 0);
});

for (const [difference, entries] of [
  ["has one more entry", [500, 600, 700]],
  ["has one entry fewer", [500]],
  ["has as many entries, but different ones", [500, 601]],
] as const)
  for (const set of ["ring", "data"] as const)
    test(`nothing becomes stable through the report of a member that ${difference} (${set})`, () => {
      const [own, theirs] = [[500, 600], entries].map((dates) => {
        const timeline = new FakeTimeline(
          () => {},
          () => {},
        );
        for (const at of dates)
          timeline.index.add({ at: EPOCH + at, seq: 0, id: String(at).padStart(32, "x") }, set === "ring");
        return timeline;
      }) as [FakeTimeline, FakeTimeline];
      own.published = EPOCH + 5000;
      const point = new StablePoint(own.real, PEERING_LIMITS);
      const { id } = keyOf("b");
      const requests: number[] = [];
      const member = { id, watermark: own.published, requestReport: (at: number) => void requests.push(at) };
      const report = (index: FakeTimeline["index"]) => {
        const [at] = requests.splice(0) as [number];
        point.reported(id, { at, watermark: own.published, ...totalsUpTo(index, at) });
      };
      point.tick(0, () => [member]);
      report(theirs.index);
      assert.equal(point.value, 0);
      point.tick(PEERING_LIMITS.reportEveryMs, () => [member]);
      report(own.index);
      assert.equal(point.value, own.published, "the point advances once both have the same entries");
    });

test("a report becomes invalid if the daemon's own digest changes after it", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b")];
  world.run(10_000);
  const before = a.peering.stablePoint;
  assert.ok(before > 0);
  const { digestUpTo } = b.timeline.index;
  b.timeline.index.digestUpTo = (at, set) => {
    const digest = digestUpTo.call(b.timeline.index, at, set);
    if (set === "data")
      a.timeline.index.add({ at: EPOCH + 5, seq: 0, id: String(world.now).padStart(32, "x") }, false);
    return digest;
  };
  world.run(6000);
  assert.equal(a.peering.stablePoint, before);
});

test("without members everything at or below the daemon's own watermark is stable", async () => {
  const world = new World();
  const a = world.add("a");
  world.run(500);
  const stable = watch(a.peering.stable(EPOCH + 500));
  world.run(4000);
  await settle();
  assert.ok(stable.isDone);
});

test("a clock that differs from the members' median is reported to the timeline, and the watermark follows the other clocks", () => {
  const world = new World();
  const [a, b, c] = [
    world.add("a", { peers: ["b", "c"] }),
    world.add("b", { peers: ["a", "c"] }),
    world.add("c", { peers: ["a", "b"] }),
  ];
  world.run(5000);
  for (const { peering } of [a, b, c]) assert.equal(peering.isSkewed, false);
  a.offset = 86_400_000;
  assert.equal(a.peering.isSkewed, true, "a detects the error immediately");
  world.run(3000);
  assert.equal(a.timeline.isSkewed, true);
  assert.equal(b.peering.isSkewed || c.peering.isSkewed, false);
  const past = 30_000;
  assert.ok(
    a.timeline.raisedTo <= EPOCH + world.now - past && a.timeline.raisedTo > EPOCH + world.now - past - 5000,
  );
  const ofA = b.peering.members.find(({ id }) => id === a.key.id);
  assert.equal(ofA?.skewed, true);
  assert.ok(Math.abs((ofA?.skew ?? 0) - 86_400_000) < 100);
  a.offset = 0;
  world.run(2000);
  assert.equal(a.timeline.isSkewed, false);
});

test("of two clocks the earlier one counts as right", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  b.offset = 5000;
  world.run(5000);
  assert.equal(a.peering.isSkewed, false);
  assert.equal(b.peering.isSkewed, true);
});

test("without a majority the last verdict on the clock remains valid", () => {
  const world = new World();
  const [a] = [world.add("a", { peers: ["b", "c"] }), world.add("b"), world.add("c")];
  world.run(5000);
  world.kill("b");
  world.kill("c");
  world.run(30_000);
  a.offset = 60_000;
  assert.equal(a.peering.isSkewed, false);
});
