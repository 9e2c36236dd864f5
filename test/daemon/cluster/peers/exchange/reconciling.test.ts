/** Tests how members find the entries that they missed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { packedBytes } from "../../../../../protocol/members/member-elements.js";
import { entryOf, keyOf } from "../entries.js";
import { entriesOf, haveSameEntries, type Node, World } from "../support.js";

test("a daemon that returns receives the entries that it missed, the key ring first, and is catching up until then", () => {
  const world = new World();
  const a = world.add("a");
  world.run(100);
  for (let i = 0; i < 3000; i++) a.timeline.accept(entryOf(i * 10));
  a.timeline.accept(entryOf(29_000, ["KEY", "ADD", "x"]));
  world.run(30_000);

  const order: string[] = [];
  const b = world.add("b", { peers: ["a"] });
  const { receive } = b.timeline;
  b.timeline.receive = (entries, from) => {
    order.push(...entries.map(({ envelope }) => envelope.commands[0]?.[0] as string));
    return receive.call(b.timeline, entries, from);
  };

  assert.equal(b.peering.state, "catching-up");
  world.runUntil(() => b.peering.state === "live");
  assert.ok(haveSameEntries(a, b));
  assert.equal(order[0], "KEY");
  assert.equal(b.peering.members[0]?.isEqual, true);
  assert.equal(order.length, 3001, "each entry was received once");
});

test("both sides of a partition converge soon after the partition has healed", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b")];
  world.run(1000);
  world.cut.add("a b").add("b a");
  for (let i = 0; i < 700; i++) {
    a.timeline.accept(entryOf(world.now));
    b.timeline.accept(entryOf(world.now));
    world.run(25);
  }
  assert.equal(a.peering.state, "isolated");
  world.cut.clear();
  assert.ok(world.runUntil(() => haveSameEntries(a, b)) <= 20_000);
  assert.equal(entriesOf(a), 1400);
});

test("entries that were lost with a connection are found by the next comparison", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b")];
  world.run(1000);
  a.timeline.accept(entryOf(1000));
  world.cut.add("a b");
  world.run(200);
  assert.equal(entriesOf(b), 0);
  world.breakAll(() => true);
  world.cut.clear();
  assert.ok(world.runUntil(() => haveSameEntries(a, b), 10_000) <= 1000);
});

test("members with the same entries compare nothing", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b")];
  world.run(1000);
  a.timeline.accept(entryOf(1000));
  world.run(3000);
  assert.ok(haveSameEntries(a, b));
  world.seen.length = 0;
  world.run(60_000);
  assert.equal(world.countOf("reconcile"), 0);
});

test("comparisons alone spread old entries from one daemon to the complete chain", () => {
  const world = new World();
  const [a, b, c] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["c"] }), world.add("c")];
  for (let i = 0; i < 500; i++) a.timeline.accept(entryOf(-1_000_000 + i));
  assert.ok(world.runUntil(() => haveSameEntries(a, b, c) && entriesOf(c) === 500) <= 15_000);
});

test("a comparison consists of steps between which other work runs", () => {
  const world = new World();
  const a = world.add("a");
  for (let i = 0; i < 5000; i++) a.timeline.accept(entryOf(i));
  world.run(100);
  const b = world.add("b", { peers: ["a"] });
  world.runUntil(() => haveSameEntries(a, b));
  const pushes = world.seen.filter(({ kind }) => kind === "push");
  assert.ok(pushes.every(({ bytes }) => bytes < 200_000));
});

test("a daemon without connections serves after a while", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  world.run(9000);
  assert.equal(a.peering.state, "catching-up");
  world.run(2000);
  assert.equal(a.peering.state, "isolated");
});

test("a daemon with a changed list of peers opens new connections, and closes those to removed peers", () => {
  const world = new World();
  const [a] = [world.add("a", { peers: ["b"] }), world.add("b"), world.add("c")];
  world.run(1000);
  assert.equal(a.peering.members[0]?.id, keyOf("b").id);
  a.peering.setPeers([world.addressOf("c")]);
  world.run(1000);
  assert.deepEqual(
    a.peering.members.map(({ id, connection }) => [id, connection]),
    [[keyOf("c").id, "connected"]],
  );
});

test("an exchange that takes longer than the idle limit continues, and nothing is sent twice", () => {
  const world = new World();
  const limits = {
    windowBytes: 32_768,
    batchBytes: 16_384,
    reconcileMs: 200,
    reconcileMinMs: 16,
    reconcileMaxMs: 20,
    deflateFromBytes: 1e9,
  };

  const a = world.add("a", { limits });
  const entries = Array.from({ length: 4000 }, (_, i) => entryOf(-4_000_000 + i * 100));
  for (const entry of entries) a.timeline.accept(entry);
  world.run(1000);

  const b = world.add("b", { peers: ["a"], limits });
  const start = world.now;
  while (!haveSameEntries(a, b)) {
    b.timeline.isStuck = true;
    world.run(25);
    b.timeline.release();
    b.timeline.isStuck = true;
    world.settle();
    assert.ok(world.now - start < 60_000);
  }

  assert.ok(world.now - start > 2 * limits.reconcileMs);
  const pushed = world.seen.filter(({ kind, from }) => kind === "push" && from === "a");
  const bytes = entries.reduce((sum, entry) => sum + packedBytes(entry), 0);
  assert.ok(pushed.reduce((sum, push) => sum + push.bytes, 0) < 1.1 * bytes);
});

test("a daemon that starts with another incomplete daemon is not live before a third has had time to connect", () => {
  const world = new World();
  const b = world.add("b", { peers: ["a", "c"] });
  for (let i = 0; i < 1000; i++) b.timeline.accept(entryOf(i));
  world.run(12_000);

  for (const name of ["a", "c"]) world.cut.add(`${name} b`).add(`b ${name}`);
  const a = world.add("a", { peers: ["b", "c"] });
  const c = world.add("c", { peers: ["a", "b"] });
  world.run(5000);
  assert.deepEqual([a.peering.state, c.peering.state], ["catching-up", "catching-up"]);

  world.cut.clear();
  world.runUntil(() => a.peering.state === "live" && c.peering.state === "live");
  assert.ok(haveSameEntries(a, b, c));

  world.kill("b");
  const [d, e] = [world.add("d", { peers: ["e", "b"] }), world.add("e", { peers: ["d", "b"] })];
  world.run(9000);
  assert.equal(d.peering.state, "catching-up");
  world.run(2000);
  assert.deepEqual([d.peering.state, e.peering.state], ["live", "live"], "the time for the third is over");
});

test("a daemon that was cut off is not live before it has the entries that other members accepted", () => {
  const world = new World();
  const names = ["a", "b", "c"];
  const limits = { windowBytes: 16_384, batchBytes: 8192 };
  const nodes = world.addAll(names, { limits });
  const [a, , c] = nodes as [Node, Node, Node];
  world.run(5000);

  for (const name of ["a", "b"]) world.cut.add(`${name} c`).add(`c ${name}`);
  world.breakAll((from, to) => from === "c" || to === "c");
  world.run(30_000);
  assert.equal(c.peering.state, "isolated");

  for (let i = 0; i < 2000; i++) a.timeline.accept(entryOf(i));
  world.run(1000);
  world.cut.clear();

  const states = new Set<string>();
  while (!haveSameEntries(a, c)) {
    c.timeline.isStuck = true;
    world.run(25);
    c.timeline.release();
    c.timeline.isStuck = true;
    world.settle();
    if (!haveSameEntries(a, c)) states.add(c.peering.state);
    assert.ok(world.now < 120_000);
  }

  assert.deepEqual([...states].sort(), ["catching-up", "isolated"]);
  c.timeline.release();
  world.runUntil(() => c.peering.state === "live");
});
