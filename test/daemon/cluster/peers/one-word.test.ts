/**
 * Tests a single member's report: it neither stops a live member, nor prevents a member from going live if the other
 * members confirm it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PEERING_LIMITS } from "../../../../daemon/cluster/peers/shared/peering-limits.js";
import { EPOCH, entryOf } from "./entries.js";
import { haveSameEntries, type Node, World } from "./support.js";

/** Adds twenty entries, a second apart. */
function fill(nodes: readonly Node[]): void {
  for (let i = 0; i < 20; i++) {
    const entry = entryOf(-60_000 + i * 1000);
    for (const { timeline } of nodes) timeline.accept(entry);
  }
}

/** Creates two equal live members, and a third that will connect. */
function pairAnd(liar: string): { world: World; honest: readonly [Node, Node] } {
  const world = new World();
  const a = world.add("a", { peers: ["b", liar] });
  const b = world.add("b", { peers: ["a", liar] });
  fill([a, b]);
  world.runUntil(() => [a, b].every(({ peering }) => peering.state === "live"));
  return { world, honest: [a, b] };
}

/** Adds a member that claims to have pruned entries that no member ever had. */
function addLiar(world: World, peers: readonly string[] = ["a", "b"]): Node {
  const liar = world.add("liar", { peers });
  for (let i = 0; i < 40; i++) {
    const { id, envelope } = entryOf(-90_000 + i * 1000);
    liar.timeline.index.add({ at: envelope.at, seq: 0, id }, false);
  }
  liar.timeline.prunedTo = EPOCH - 50_500;
  return liar;
}

test("if one member claims to have pruned unknown entries, the other members stay live", () => {
  const { world, honest } = pairAnd("liar");
  addLiar(world);
  for (let i = 0; i < 240; i++) {
    world.run(500);
    for (const { peering } of honest) assert.equal(peering.state, "live", `after ${i / 2} s`);
  }
  const isLogged = ({ lines }: Node) => lines.some(({ text }) => /the claim is ignored/.test(text));
  assert.ok(honest.every(isLogged), "the claim is logged as ignored");
});

test("in a pair, a live daemon stays live regardless of the other daemon's reports while both are connected", () => {
  const world = new World();
  const [a, liar] = [world.add("a", { peers: ["liar"] }), world.add("liar", { peers: ["a"] })];
  fill([a, liar]);
  world.runUntil(() => a.peering.state === "live" && haveSameEntries(a, liar));
  const hidden = entryOf(-55_500);
  liar.timeline.index.add({ at: hidden.envelope.at, seq: 0, id: hidden.id }, false);
  liar.timeline.prune(EPOCH - 50_500);
  for (let i = 0; i < 120; i++) {
    world.run(500);
    assert.equal(a.peering.state, "live", `after ${i / 2} s`);
  }
});

test("a starting daemon is live if most of the cluster confirm it, regardless of a third daemon's reports", () => {
  const { world } = pairAnd("liar");
  addLiar(world);
  world.kill("b");
  const again = world.add("b", { peers: ["a", "liar"] });
  world.runUntil(() => again.peering.state === "live", 30_000);
  world.run(60_000);
  assert.equal(again.peering.state, "live");
});

test("a starting daemon is not kept catching up by a member that never sends the entries that it claims to have", () => {
  const { world } = pairAnd("liar");
  const liar = addLiar(world);
  liar.timeline.read = () => null;
  liar.timeline.prunedTo = -1;
  world.kill("b");
  const again = world.add("b", { peers: ["a", "liar"] });
  world.runUntil(() => again.peering.state === "live", 60_000);
});

for (const from of ["a live majority", "each other"])
  test(`a single member's claims about the past while daemons were cut off from ${from} make no daemon catch up afterwards`, () => {
    const world = new World();
    const names = ["a", "b", "c"];
    const nodes = names.map((name) =>
      world.add(name, { peers: [...names, "d", "liar"].filter((other) => other !== name) }),
    );
    const d = world.add("d", { peers: [...names, "liar"] });
    fill([...nodes, d]);
    world.runUntil(() => [...nodes, d].every(({ peering }) => peering.state === "live"));

    addLiar(world, [...names, "d"]);
    world.run(5_000);

    const apart = from === "each other" ? names : [];
    for (const name of names)
      for (const other of [...apart, "d"])
        if (other !== name) for (const way of [`${name} ${other}`, `${other} ${name}`]) world.cut.add(way);

    world.runUntil(() => d.peering.state === "isolated");
    world.run(PEERING_LIMITS.statusEveryMs + 500);
    world.kill("liar");
    world.cut.clear();
    world.runUntil(() => d.peering.state === "live");

    world.isLost = ({ from, kind }) => from === "liar" && kind === "report";
    addLiar(world, [...names, "d"]);
    for (let ticks = 0; ticks < 400; ticks++) {
      world.run(25);
      assert.equal(d.peering.state, "live", `${ticks} ticks after the liar reconnected`);
    }
  });

test("entries that most other members have and no longer store make a live daemon catch up", () => {
  const world = new World();
  const names = ["a", "b", "c"];
  const nodes = world.addAll(names);
  fill(nodes);
  world.runUntil(() => nodes.every(({ peering }) => peering.state === "live") && haveSameEntries(...nodes));
  const [a, b, c] = nodes as [Node, Node, Node];
  const lost = entryOf(-55_500);
  for (const { timeline } of [a, b]) {
    timeline.index.add({ at: lost.envelope.at, seq: 0, id: lost.id }, false);
    timeline.prune(EPOCH - 50_500);
  }
  world.runUntil(() => c.peering.state === "catching-up", 30_000);
  assert.deepEqual([a.peering.state, b.peering.state], ["live", "live"]);
});

test("two daemons that lost all entries do not become live while a third has the entries", () => {
  const world = new World();
  const names = ["a", "b", "c"];
  const a = world.add("a", { peers: ["b", "c"] });
  fill([a]);
  world.settle();
  a.timeline.prune(EPOCH - 50_500);
  world.run(15_000);
  const [b, c] = ["b", "c"].map((name) =>
    world.add(name, { peers: names.filter((other) => other !== name) }),
  ) as [Node, Node];
  world.run(60_000);
  assert.deepEqual([b.peering.state, c.peering.state], ["catching-up", "catching-up"]);
});

test("peers that are not in --peer influence no clock and no watermark, however many connect", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  world.runUntil(() => [a, b].every(({ peering }) => peering.state === "live"));
  const far = 50 * 365 * 86_400_000;
  for (const name of ["x", "y", "z"]) world.add(name, { peers: ["a", "b"] }).offset = far;
  world.run(30_000);
  for (const { peering, timeline } of [a, b]) {
    assert.equal(peering.isSkewed, false);
    assert.ok(timeline.raisedTo < EPOCH + world.now + 60_000, `${timeline.raisedTo - EPOCH}`);
  }
  const joiner = world.add("b", { peers: ["a"] });
  world.runUntil(() => joiner.peering.state === "live");
  assert.ok(joiner.timeline.raisedTo < EPOCH + world.now + 60_000, `${joiner.timeline.raisedTo - EPOCH}`);
});
