/**
 * Tests that a daemon that was paused is out of date until it has compared itself with its members, regardless of the
 * messages that waited in its sockets.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PEERING_LIMITS } from "../../../../daemon/cluster/peers/shared/peering-limits.js";
import { entryOf } from "./entries.js";
import { entriesOf, type Node, World } from "./support.js";

/**
 * The duration of a standstill. It is longer than the pauses that a daemon ignores, and shorter than the time after
 * which members consider a peer dead.
 */
const STILL_MS = 9_000;

function startTrio(): { world: World; nodes: readonly [Node, Node, Node] } {
  const world = new World();
  const nodes = world.addAll(["a", "b", "c"]) as [Node, Node, Node];
  world.runUntil(() => nodes.every(({ peering }) => peering.state === "live"));
  return { world, nodes };
}

test("a daemon that stood still is immediately out of date, until it has its members' entries", () => {
  const { world, nodes } = startTrio();
  const [a, , c] = nodes;
  world.stop("c");
  // The first statuses that wait in c's socket name only entries that c has. The new entries follow.
  world.run(2 * PEERING_LIMITS.statusEveryMs);
  for (let i = 0; i < 5; i++) a.timeline.accept(entryOf(-5_000 + i));
  world.run(STILL_MS - 2 * PEERING_LIMITS.statusEveryMs);
  assert.equal(entriesOf(c), 0);
  assert.equal(c.peering.standstill.mayBeStale, true, "the check precedes all timers");
  assert.equal(c.peering.state, "live", "c does not repeat the steps of a start");

  c.timeline.waiting.areMarkedFolded = false;
  world.wake("c");
  world.runUntil(() => entriesOf(c) === 5);
  world.run(2 * PEERING_LIMITS.statusEveryMs);
  assert.equal(c.peering.standstill.mayBeStale, true, "the received entries are not in its state yet");

  c.timeline.waiting.areMarkedFolded = true;
  world.run(25);
  assert.equal(c.peering.standstill.mayBeStale, false);
});

test("reports sent during the standstill do not prove that the daemon has its members' entries", () => {
  const { world, nodes } = startTrio();
  const [a, b, c] = nodes;
  world.stop("c");
  world.run(STILL_MS);

  // These entries are still in flight when c reads the old statuses.
  world.cut.add("a c").add("b c");
  a.timeline.accept(entryOf(-5_000));
  world.run(100);
  assert.equal(entriesOf(b), 1);

  // Here c checks for a standstill before it reads its sockets, as it does when a request is the first to arrive.
  assert.equal(c.peering.standstill.mayBeStale, true);
  world.wake("c");
  world.run(1_000);
  assert.equal(entriesOf(c), 0);
  assert.equal(c.peering.standstill.mayBeStale, true);

  world.cut.clear();
  world.runUntil(() => !c.peering.standstill.mayBeStale);
  assert.equal(entriesOf(c), 1);
});

test("a daemon whose members do not return serves again after a time, and reports that it is cut off", () => {
  const { world, nodes } = startTrio();
  const [, , c] = nodes;
  world.stop("c");
  world.run(STILL_MS);
  for (const name of ["a", "b"]) world.kill(name);
  world.wake("c");
  world.run(25);
  assert.equal(c.peering.standstill.mayBeStale, true);
  world.run(PEERING_LIMITS.catchUpMs + 100);
  assert.equal(c.peering.standstill.mayBeStale, false);
  assert.equal(c.peering.state, "isolated");
});

test("two daemons that stood still together become up to date again", () => {
  const world = new World();
  const [a, b] = world.addAll(["a", "b"]) as [Node, Node];
  const areLive = () =>
    [a, b].every(({ peering }) => peering.state === "live" && !peering.standstill.mayBeStale);
  world.runUntil(areLive);
  for (const name of ["a", "b"]) world.stop(name);
  world.run(STILL_MS);
  for (const name of ["a", "b"]) world.wake(name);
  assert.ok(a.peering.standstill.mayBeStale && b.peering.standstill.mayBeStale);
  world.runUntil(areLive, 2 * PEERING_LIMITS.statusEveryMs);
});

test("a pause below the limit, or of a daemon without members, changes nothing", () => {
  const { world, nodes } = startTrio();
  const [, , c] = nodes;
  world.stop("c");
  world.run(PEERING_LIMITS.standstillMs - 25);
  world.wake("c");
  assert.equal(c.peering.standstill.mayBeStale, false);
  const lonely = new World();
  const one = lonely.add("one");
  lonely.run(100);
  lonely.stop("one");
  lonely.run(STILL_MS);
  lonely.wake("one");
  assert.equal(one.peering.standstill.mayBeStale, false);
});

test("a clock that jumps ahead, as on a suspended machine, counts as a standstill; one that is set back does not", () => {
  const { world, nodes } = startTrio();
  const [, , c] = nodes;
  c.offset -= STILL_MS;
  assert.equal(c.peering.standstill.mayBeStale, false);
  world.run(25);
  c.offset += STILL_MS;
  assert.equal(c.peering.standstill.mayBeStale, true);
  world.runUntil(() => !c.peering.standstill.mayBeStale);
});

test("a daemon that receives nothing from most members reports that before it considers them dead", () => {
  const { world, nodes } = startTrio();
  const [, , c] = nodes;
  assert.equal(c.peering.standstill.isCutOff, false);
  for (const name of ["a", "b"]) for (const way of [`${name} c`, `c ${name}`]) world.cut.add(way);
  world.run(PEERING_LIMITS.standstillMs + PEERING_LIMITS.statusEveryMs + 100);
  assert.equal(c.peering.standstill.isCutOff, true);
  assert.equal(c.peering.state, "live");
  world.cut.clear();
  world.runUntil(() => !c.peering.standstill.isCutOff);
});
