/** Tests stable points, and the detection of wrong clocks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ReportTable } from "../../../../../daemon/cluster/peers/finality/report-table.js";
import { StablePoint } from "../../../../../daemon/cluster/peers/finality/stable-point.js";
import type {
  ClusterState,
  ConnectedMember,
} from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { totalsUpTo } from "../../../../../daemon/cluster/peers/shared/entry-totals.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import type { OwnMessage, StatusMessage } from "../../../../../protocol/members/member-messages.js";
import { double } from "../../../../support/double.js";
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
  a.timeline.accept(entryOf(500));
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

test("nothing from an open vote's date on becomes stable, also if the published watermark is later", async () => {
  const world = new World();
  const [a] = [world.add("a", { peers: ["b"] }), world.add("b")];
  world.run(500);
  let openDate = EPOCH + 3_000;
  // Without lists, nothing is decided, and each tick would set the date again.
  Object.defineProperty(a.timeline.decided, "openDate", { get: () => openDate, set: () => {} });
  world.run(20_000);
  assert.ok(a.timeline.published > EPOCH + 3_000);
  assert.equal(a.peering.stablePoint, EPOCH + 2_000);
  openDate = Number.POSITIVE_INFINITY;
  world.run(5_000);
  assert.ok(a.peering.stablePoint > EPOCH + 3_000);
});

test("nothing becomes stable while a member is disconnected, has different entries, or delays its watermark", async () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  world.run(5000);
  assert.equal(a.peering.stablePoint, 0);
  const b = world.add("b", { isUnknown: true });
  b.timeline.accept(entryOf(-10));
  a.timeline.accept(entryOf(-20));
  world.run(20_000);
  assert.equal(b.timeline.index.total("data").count, 1, "b receives no entry from a");
  assert.equal(a.peering.stablePoint, 0);
});

/** Creates a daemon, its stable point, and a connected member, whose entries have these dates. */
function pairWith(set: "ring" | "data", dates: readonly number[]) {
  const orderKey = (at: number) => ({ at: EPOCH + at, seq: 0, id: String(at).padStart(32, "x") });
  const [own, theirs] = [[500, 600], dates].map((dated) => {
    const timeline = new FakeTimeline(
      () => {},
      () => {},
    );
    for (const at of dated) timeline.index.add(orderKey(at), set === "ring");
    return timeline;
  }) as [FakeTimeline, FakeTimeline];
  own.published = EPOCH + 5000;

  const { id } = keyOf("b");
  const requests: number[] = [];
  const send = (message: OwnMessage) => void (message.kind === "report-request" && requests.push(message.at));
  const status = double<StatusMessage>({
    watermark: own.published,
    ring: theirs.index.total("ring"),
    data: theirs.index.total("data"),
  });
  const member = double<ConnectedMember>({ id, status, connection: { send } });
  const time = { uptime: 0 };
  const members = new Map([[id, member]]);

  const table = new ReportTable(
    double<ClusterState>({
      timeline: own.real,
      limits: PEERING_LIMITS,
      members,
      uptime: () => time.uptime,
      clock: () => EPOCH,
    }),
  );
  const point = new StablePoint(double<ClusterState>({ timeline: own.real, limits: PEERING_LIMITS }), table);

  const tick = () => point.tick(time.uptime, () => [member], "");
  /** The member replies to the last request. @param index  the entries that it reports */
  const report = (index = theirs.index, list: string | null = "") => {
    const [at] = requests.splice(0) as [number];
    table.receive(id, { at, watermark: own.published, ...totalsUpTo(index, at) }, list);
  };
  const addOwn = (at: number) => own.index.add(orderKey(at), set === "ring");
  return { id, own, point, table, status, time, requests, tick, report, addOwn };
}

for (const [difference, entries] of [
  ["has one more entry", [500, 600, 700]],
  ["has one entry fewer", [500]],
  ["has as many entries, but different ones", [500, 601]],
] as const)
  for (const set of ["ring", "data"] as const)
    test(`nothing becomes stable through the report of a member that ${difference} (${set})`, () => {
      const { own, point, time, tick, report } = pairWith(set, entries);
      tick();
      report();
      tick();
      assert.equal(point.value, 0);
      time.uptime += PEERING_LIMITS.reportEveryMs;
      tick();
      report(own.index);
      tick();
      assert.equal(point.value, own.published, "the point advances once both have the same entries");
    });

test("a report becomes invalid if the daemon's own entries change after it", () => {
  const { point, tick, report, addOwn } = pairWith("data", [500, 600]);
  tick();
  report();
  addOwn(550);
  tick();
  assert.equal(point.value, 0);
});

test("what a member reported before it disconnected does not count: it may return without these entries", () => {
  const { id, point, table, tick, report, addOwn } = pairWith("data", [500, 600, 700]);
  tick();
  report();
  table.disconnected(id);
  addOwn(700);
  tick();
  assert.equal(point.value, 0);
});

/** The mistake of docs/model/traces/ahead-of-own-watermark.txt. */
test("no date is stable that this daemon's own watermark has not passed", () => {
  const { own, id, point, table, status, tick } = pairWith("data", [500, 600]);
  own.published = EPOCH + 1000;
  table.receiveStatus(id, status, "");
  tick();
  assert.equal(point.value, EPOCH + 1000);
});

/** The mistake of docs/model/traces/old-reports.txt. */
test("once any daemon may have lost entries, no earlier report counts", () => {
  for (const isOwn of [true, false]) {
    const { point, table, status, tick, report } = pairWith("data", [500, 600]);
    if (!isOwn) table.receiveStatus("another member", { ...status, state: "catching-up" }, "");
    tick();
    report();
    if (isOwn) table.replaced();
    else table.receiveStatus("another member", { ...status, state: "live" }, "");
    tick();
    assert.equal(point.value, 0);
  }
});

/** The mistake of docs/model/traces/any-list.txt. */
test("a report under another list, or under none, does not count", () => {
  for (const list of ["another list", null]) {
    const { point, tick, report } = pairWith("data", [500, 600]);
    tick();
    report(undefined, list);
    tick();
    assert.equal(point.value, 0);
  }
});

test("a status with the same totals is a report on each date up to its watermark", () => {
  const { id, own, point, table, status, requests, tick, addOwn } = pairWith("data", [500, 600]);
  own.published += 5000;
  table.receiveStatus(id, status, "");
  tick();
  assert.equal(point.value, EPOCH + 5000);
  assert.deepEqual(requests, [], "no report is requested");
  table.receiveStatus(id, { ...status, watermark: EPOCH + 6000 }, "");
  addOwn(550);
  tick();
  assert.equal(point.value, EPOCH + 5000, "this daemon has other entries now");
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
