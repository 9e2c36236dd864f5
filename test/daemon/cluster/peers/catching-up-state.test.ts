/** Tests when a daemon is live: from the time when its state includes all entries that it had when it caught up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EPOCH, entryOf } from "./entries.js";
import { entriesOf, type Node, World } from "./support.js";

test("a daemon is live once its state includes the received entries, and stays live when more arrive", () => {
  const world = new World();
  const a = world.add("a");
  const b = world.add("b", { peers: ["a"] });
  b.timeline.waiting.areMarkedFolded = false;
  world.run(20_000);
  assert.equal(b.peering.state, "catching-up");

  // Continuous writes do not keep a daemon from being live, however old their dates are.
  for (let i = 0; i < 20; i++) {
    a.timeline.accept(entryOf(-EPOCH / 2 - i * 1000));
    world.run(1000);
  }
  assert.equal(b.timeline.waiting.marks, 1, "b waits for the entries that it had, and not for later ones");

  b.timeline.waiting.areMarkedFolded = true;
  world.run(100);
  assert.equal(b.peering.state, "live");
  b.timeline.waiting.areMarkedFolded = false;
  world.run(5000);
  assert.equal(b.peering.state, "live");
});

test("a daemon that was cut off is live once its state includes the entries that it missed", () => {
  const world = new World();
  const names = ["a", "b", "c"];
  const [a, b, c] = world.addAll(names) as [Node, Node, Node];
  world.runUntil(() => [a, b, c].every(({ peering }) => peering.state === "live"));

  for (const name of ["a", "b"]) for (const way of [`${name} c`, `c ${name}`]) world.cut.add(way);
  world.breakAll((one, other) => world.cut.has(`${one} ${other}`));
  world.runUntil(() => c.peering.state === "isolated");

  a.timeline.accept(entryOf(-30_000));
  c.timeline.waiting.areMarkedFolded = false;
  world.cut.clear();
  world.run(20_000);
  assert.equal(entriesOf(c), 1);
  assert.equal(c.peering.state, "catching-up");

  c.timeline.waiting.areMarkedFolded = true;
  world.run(100);
  assert.equal(c.peering.state, "live");
});

test("a daemon that accepts writes while a member returns is live once its state includes that member's entries", () => {
  const world = new World();
  const [a, b] = world.addAll(["a", "b"]) as [Node, Node];
  world.runUntil(() => [a, b].every(({ peering }) => peering.state === "live"));
  world.kill("b");
  world.runUntil(() => a.peering.state === "isolated");
  a.timeline.waiting.areMarkedFolded = false;
  world.add("b", { peers: ["a"] }).timeline.accept(entryOf(-30_000));
  world.run(20_000);
  assert.deepEqual([entriesOf(a), a.peering.state], [1, "isolated"]);
  a.timeline.waiting.areMarkedFolded = true;
  world.run(100);
  assert.equal(a.peering.state, "live");
});

test("a daemon that a live member connects to waits until it can check its clock by a voter's clock", () => {
  const world = new World();
  world.add("a", { peers: ["b"] });
  // The only address that b knows does not answer, so no voter's clock is known.
  const b = world.add("b", { peers: ["nowhere"] });
  b.offset = 3500;
  world.run(5000);
  assert.equal(b.peering.state, "catching-up");
  b.peering.setPeers([world.addressOf("a")]);
  world.runUntil(() => b.peering.state === "live");
  assert.equal(b.peering.isSkewed, true);
});
