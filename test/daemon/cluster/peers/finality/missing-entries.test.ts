/** Tests entries that members have pruned and can no longer send: a daemon that is missing them is not live. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CutVoting } from "../../../../../daemon/cluster/peers/finality/cut-voting.js";
import { MissingEntries } from "../../../../../daemon/cluster/peers/finality/missing-entries.js";
import { ReportTable } from "../../../../../daemon/cluster/peers/finality/report-table.js";
import type {
  ClusterState,
  ConnectedMember,
} from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import { DigestIndex } from "../../../../../daemon/timeline/compare/digest-index.js";
import { orderKeyOf } from "../../../../../daemon/timeline/entries/entry.js";
import type { OwnMessage } from "../../../../../protocol/members/member-messages.js";
import { signatureOf } from "../../../../simulation/signatures.js";
import { double } from "../../../../support/double.js";
import { EPOCH, entryOf, keyOf } from "../entries.js";
import { FakeTimeline } from "../fake-timeline.js";
import { addressesOf, entriesOf, haveSameEntries, type Node, World } from "../support.js";

const INCOMPLETE = /is missing entries that a member no longer stores/;

const errorsOf = ({ lines }: Node) => lines.filter(({ text }) => INCOMPLETE.test(text));
const isLogged = ({ lines }: Node, text: RegExp) => lines.some((line) => text.test(line.text));

/** Adds twenty entries, a second apart. */
function fill(...nodes: readonly Node[]): void {
  for (let i = 0; i < 20; i++) {
    const entry = entryOf(-60_000 + i * 1000);
    for (const { timeline } of nodes) timeline.accept(entry);
  }
}

const prune = ({ timeline }: Node, at: number) => timeline.prune(EPOCH + at);

test("a joiner next to a member that has pruned stays catching-up, and its log has the date and the remedy", () => {
  const world = new World();
  const a = world.add("a");
  fill(a);
  world.run(100);
  prune(a, -50_500);

  const b = world.add("b", { peers: ["a"] });
  const states = new Set<string>();
  for (let i = 0; i < 60; i++) {
    world.run(1000);
    states.add(b.peering.state);
  }

  assert.deepEqual([...states], ["catching-up"]);
  assert.equal(a.peering.state, "live");
  assert.equal(entriesOf(b), 10, "b has the remaining entries");
  assert.equal(errorsOf(b).length, 1);
  assert.deepEqual(errorsOf(b)[0]?.facts, {
    member: Buffer.from(keyOf("a").id, "latin1").toString("hex"),
    address: "a:1",
    keepsFrom: new Date(EPOCH - 50_499).toISOString(),
  });

  assert.ok(!isLogged(b, /caught up/));
  assert.deepEqual(
    b.peering.members.map(({ prunedTo, isMissingEntries }) => [prunedTo, isMissingEntries]),
    [[EPOCH - 50_500, true]],
  );
  assert.deepEqual(
    a.peering.members.map(({ prunedTo, isMissingEntries }) => [prunedTo, isMissingEntries]),
    [[0, false]],
  );

  world.run(600_000);
  assert.equal(errorsOf(b).length, 2, "the error is logged again every ten minutes");
  assert.equal(b.peering.state, "catching-up");
});

test("a joiner next to a member that has pruned and one with all entries becomes live", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b")];
  fill(a);
  world.runUntil(() => entriesOf(b) === 20);
  prune(a, -45_000);

  const c = world.add("c", { peers: ["a"] });
  world.runUntil(() => errorsOf(c).length > 0);
  assert.equal(c.peering.state, "catching-up");

  c.peering.setPeers([world.addressOf("a"), world.addressOf("b")]);
  world.runUntil(() => c.peering.state === "live");
  assert.ok(haveSameEntries(a, b, c));
  assert.ok(isLogged(c, /caught up/));
  assert.deepEqual(
    c.peering.members.map(({ isMissingEntries }) => isMissingEntries),
    [false, false],
  );
  for (const node of [a, b]) assert.equal(node.peering.state, "live");
});

test("a joiner that receives everything from a complete member becomes live without a log line, even if another member has pruned", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b")];
  fill(a);
  world.runUntil(() => entriesOf(b) === 20);
  prune(a, -45_000);
  const c = world.add("c", { peers: ["a", "b"] });
  const states: string[] = [];
  world.runUntil(() => {
    if (c.peering.state === "live") states.push(haveSameEntries(a, c) ? "level" : "lacking");
    return states.length > 0;
  }, 10_000);
  assert.deepEqual([states, errorsOf(c).length], [["level"], 0]);
});

test("two members with the same entries stay live during writes, whether one or both have pruned", () => {
  const world = new World();
  const [a, b] = [world.add("a"), world.add("b", { peers: ["a"] })];
  fill(a, b);
  world.run(5000);
  const isLive = () => [a, b].every(({ peering: { state } }) => state === "live");
  assert.ok(isLive());

  prune(a, -45_500);
  for (let i = 0; i < 400; i++) {
    (i % 2 === 0 ? a : b).timeline.accept(entryOf(world.now));
    if (i === 200) prune(b, -44_000);
    if (i === 300) world.breakAll(() => true);
    world.run(25);
    assert.ok(isLive() || i >= 300, `after ${i}`);
  }

  world.run(5000);
  assert.ok(isLive() && haveSameEntries(a, b));
  assert.equal(errorsOf(a).length + errorsOf(b).length, 0);
});

test("a daemon that was away longer than the retention time is catching up as soon as it is connected", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  world.run(5000);

  world.cut.add("a b").add("b a");
  world.run(15_000);
  fill(a);
  world.run(100);
  prune(a, 0);
  assert.equal(b.peering.state, "isolated");

  world.cut.clear();
  world.runUntil(() => b.peering.state !== "isolated");
  assert.equal(b.peering.state, "catching-up");
  world.run(30_000);
  assert.equal(b.peering.state, "catching-up");
  assert.equal(errorsOf(b).length, 1);
  assert.equal(a.peering.state, "live", "a has more entries than a member that is not live");
});

/** Returns the components of a daemon that is missing an entry that a member has pruned, and by default is not live. */
function subject(state: "live" | "catching-up" = "catching-up") {
  const time = { uptime: 0 };
  /** Dates of the reports that were requested from b; a is the member that has pruned. */
  const requests: number[] = [];
  const timeline = new FakeTimeline(
    (step) => step(),
    () => {},
  );
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const clocks = { clock: () => EPOCH, uptime: () => time.uptime };

  const send = (message: OwnMessage) => void (message.kind === "report-request" && requests.push(message.at));
  const members = ["a", "b"].map((id) => {
    const note = (message: OwnMessage) => id === "b" && send(message);
    const to = { remote: `${id}:1`, send: note };
    return [
      id,
      double<ConnectedMember>({ id, status: { state: "live", watermark: 1 }, connection: to }),
    ] as const;
  });

  const cluster = double<ClusterState>({
    timeline: timeline.real,
    log,
    limits: PEERING_LIMITS,
    ...clocks,
    addresses: addressesOf(state === "live" ? ["a", "b"] : ["a"]),
    members: new Map(members),
    state,
    beganEmpty: true,
    order: null,
    notices: {
      warn: () => state === "live" || assert.fail("the member is believed"),
      error: () => true,
    },
  });

  const table = new ReportTable(cluster);
  const missing = new MissingEntries(cluster, double<CutVoting>({ haveSigned: () => false }), table);

  const entry = entryOf(-60_000);
  const theirs = new DigestIndex();
  theirs.add(orderKeyOf(entry), false);
  const totals = { ring: theirs.total("ring"), data: theirs.total("data") };
  const numbers = { serial: 1, echo: 0, echoAge: 0, clock: EPOCH, watermark: 0, latest: 0, skewed: false };
  const receives = (pruned: number) => {
    const status = { kind: "status", ...numbers, ...totals, pruned, state: "live" } as const;
    table.receiveStatus("a", status, "");
    missing.receiveStatus(cluster.members.get("a") as ConnectedMember, status, true);
  };
  const reports = () => {
    table.receive("a", { at: EPOCH - 50_000, watermark: 0, ...totals }, "");
    missing.reported("a", EPOCH - 50_000);
  };
  /**
   * The other member reports the same entries.
   * @param watermark  milliseconds by which its watermark is before EPOCH
   */
  const confirms = (watermark: number) =>
    table.receive("b", { at: EPOCH - 50_000, watermark: EPOCH - watermark, ...totals }, "");
  return { missing, time, requests, timeline, entry, receives, reports, confirms };
}

test("a live daemon believes a claim only if members confirm it whose watermarks have passed the date", () => {
  const { missing, time, receives, reports, confirms } = subject("live");
  receives(EPOCH - 50_500);
  reports();
  const check = () => {
    time.uptime += PEERING_LIMITS.catchUpMs;
    reports();
    missing.tick(time.uptime);
    return missing.isIncomplete(time.uptime + PEERING_LIMITS.catchUpMs, false, 0);
  };
  assert.equal(check(), false);
  confirms(50_001);
  assert.equal(check(), false, "it may not have received all entries of that time when it reported");
  confirms(50_000);
  assert.equal(check(), true);
});

test("missing entries stop counting as stuck when they arrive", () => {
  const { missing, time, timeline, entry, receives, reports } = subject();
  const pruned = EPOCH - 50_500;
  receives(pruned);
  reports();
  const isStuck = () => missing.areStuck("a", time.uptime, PEERING_LIMITS.snapshotAfterMs);
  assert.equal(isStuck(), false, "the missing entries may be in flight");
  time.uptime += PEERING_LIMITS.snapshotAfterMs;
  assert.equal(isStuck(), true);
  timeline.accept(entry);
  assert.equal(isStuck(), false);
});

test("a daemon does not wait forever for a member that claims to prune and never reports its entries", () => {
  const { missing, time, receives } = subject();
  for (let i = 0; i < 20; i++) {
    receives(0);
    receives(EPOCH - 50_500 - 1000 * i);
    assert.equal(missing.isIncomplete(time.uptime, true, 0), time.uptime < PEERING_LIMITS.catchUpStuckMs);
    time.uptime += 2000;
  }
});

test("many reports of one member cause only one request to the other members per interval", () => {
  const { requests, time, receives, reports } = subject();
  receives(EPOCH - 50_500);
  for (let i = 0; i < 1000; i++) reports();
  assert.equal(requests.length, 1);
  time.uptime += PEERING_LIMITS.reportEveryMs;
  for (let i = 0; i < 1000; i++) reports();
  assert.equal(requests.length, 2);
});

test("a daemon requests reports from other members until no entry is missing", () => {
  const { missing, requests, time, timeline, entry, receives, reports } = subject();
  receives(EPOCH - 50_500);
  reports();
  for (let rounds = 1; rounds <= 5; rounds++) {
    assert.equal(requests.length, rounds);
    time.uptime += PEERING_LIMITS.reportEveryMs;
    missing.tick(time.uptime);
  }
  timeline.accept(entry);
  requests.length = 0;
  time.uptime += PEERING_LIMITS.reportEveryMs;
  missing.tick(time.uptime);
  assert.equal(requests.length, 0, "nothing is missing any longer");
});

/** Creates a daemon that is missing entries that a departed member has pruned, and a member connected only to it. */
function worldMissingEntries(prunedTo: number) {
  const world = new World();
  const a = world.add("a");
  fill(a);
  world.run(100);
  prune(a, prunedTo);
  const b = world.add("b", { peers: ["a"] });
  world.add("c", { peers: ["b"] });
  world.run(5000);
  world.kill("a");
  world.run(30_000);
  assert.equal(b.peering.state, "catching-up");
  return { world, b };
}

test("a daemon remembers missing entries of a disconnected member until the member is removed", () => {
  const { world, b } = worldMissingEntries(-50_000);
  b.peering.setPeers([world.addressOf("c")]);
  world.run(100);
  assert.equal(b.peering.state, "live");
});

test("a daemon stops waiting for missing entries if their member returns with a new id and no data", () => {
  const { world, b } = worldMissingEntries(-40_000);
  const key = keyOf("another");
  world.add("a", { parts: { identity: { ...key, sign: (bytes) => signatureOf(key.spki, bytes) } } });
  world.runUntil(() => b.peering.state === "live");
});

test("an incomplete daemon that prunes makes no other daemon catch up, and stays incomplete", () => {
  const world = new World();
  const a = world.add("a");
  fill(a);
  world.run(100);
  prune(a, -50_500);
  const [b, c] = [world.add("b", { peers: ["a"] }), world.add("c", { peers: ["a", "b"] })];
  world.run(5000);
  prune(b, -48_000);
  world.run(60_000);
  assert.deepEqual(
    [a, b, c].map(({ peering }) => peering.state),
    ["live", "catching-up", "catching-up"],
  );
});

test("entries pruned long ago are compared by coarse sums after the finer sums were dropped", () => {
  const world = new World();
  const [a, b] = [world.add("a"), world.add("b")];
  const DAY = 86_400_000;
  for (let i = 0; i < 20; i++) {
    const entry = entryOf(-3 * DAY + i * 1000);
    for (const { timeline } of [a, b]) timeline.accept(entry);
  }
  world.run(100);
  prune(a, -3 * DAY + 5500);

  const requests: number[] = [];
  const { digestUpTo } = a.timeline.index;
  a.timeline.index.digestUpTo = (at, set) => {
    requests.push(at);
    return digestUpTo.call(a.timeline.index, at, set);
  };

  b.timeline.accept(entryOf(-3 * DAY + 9500));
  b.peering.setPeers([world.addressOf("a")]);
  world.runUntil(() => requests.length > 0);
  assert.ok(requests.every((at) => at % 4_096_000 === 0 && at > EPOCH - 3 * DAY + 5500));
  world.runUntil(() => haveSameEntries(a, b) && b.peering.state === "live");
});

test("of two daemons that were disconnected and pruned up to different dates, one is live, and the other is incomplete", () => {
  // `before`: how many more entries a has than b in the part that both prune. `between`: how many more a has than b in
  // the part that only a prunes. If a number is negative, b has more.
  for (const [before, between] of [
    [1, -3],
    [-1, 3],
    [0, 0],
  ] as const) {
    const world = new World();
    const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
    world.cut.add("a b").add("b a");
    fill(a);
    fill(b);
    const extra = before > 0 ? [a, -55_000, b, -51_800] : [b, -55_000, a, -51_800];
    const [early, earlyAt, late, lateAt] = extra as [Node, number, Node, number];
    for (let i = 0; i < Math.abs(before); i++) early.timeline.accept(entryOf(earlyAt + i));
    for (let i = 0; i < Math.abs(between); i++) late.timeline.accept(entryOf(lateAt + i));
    world.run(100);
    prune(a, -50_500);
    prune(b, -52_500);
    world.cut.clear();
    world.run(60_000);
    const states = [a, b].map(({ peering }) => peering.state).sort();
    assert.deepEqual(states, ["catching-up", "live"], `${before} and ${between}`);
  }
});
