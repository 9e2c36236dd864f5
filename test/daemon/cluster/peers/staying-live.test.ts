/** Tests that a running daemon continues to accept writes when a member joins or returns. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DaemonState } from "../../../../protocol/version-2/messages-v2.js";
import { EPOCH, entryOf } from "./entries.js";
import { haveSameEntries, type Node, World } from "./support.js";

const AWAY_MS = 15_000;

function live(world: World, nodes: readonly Node[]): void {
  world.runUntil(() => nodes.every(({ peering }) => peering.state === "live"));
}

/** Writes as a client to the given nodes. */
function write(world: World, nodes: readonly Node[]): void {
  for (let i = 0; i < 20; i++) nodes[i % nodes.length]?.timeline.accept(entryOf(world.now - i));
}

/** Returns the successive states of each of the given nodes until all are live and equal. */
function statesUntilEqual(world: World, nodes: readonly Node[], all = nodes): DaemonState[][] {
  const states = nodes.map((): DaemonState[] => []);
  world.runUntil(() => {
    for (const [i, { peering }] of nodes.entries())
      if (states[i]?.at(-1) !== peering.state) states[i]?.push(peering.state);
    return all.every(({ peering }) => peering.state === "live") && haveSameEntries(...all);
  });
  return states;
}

/** Cuts the given groups off from each other for longer than the silence timeout, while each accepts writes. */
function split(world: World, groups: readonly (readonly Node[])[]): void {
  for (const [i, group] of groups.entries())
    for (const other of groups.filter((_, at) => at !== i).flat())
      for (const { name } of group) world.cut.add(`${name} ${other.name}`);
  world.breakAll((one, other) => world.cut.has(`${one} ${other}`));
  for (const group of groups) write(world, group);
  world.run(AWAY_MS);
  world.cut.clear();
}

test("of two daemons the one that never stopped accepts writes while the other one returns", () => {
  const world = new World();
  const [a, b] = world.addAll(["a", "b"]) as [Node, Node];
  live(world, [a, b]);
  world.latencyMs = 100;
  for (let i = 0; i < 3; i++) {
    world.kill("b");
    world.run(AWAY_MS);
    assert.equal(a.peering.state, "isolated");
    write(world, [a]);
    const again = world.add("b", { peers: ["a"] });
    assert.deepEqual(statesUntilEqual(world, [a], [a, again]), [["isolated", "live"]]);
  }
});

test("a lost member is not explained by a second connection that was closed before", () => {
  const world = new World();
  // Both sides connect before they receive each other's hello, and one of the two connections is closed.
  world.latencyMs = 100;
  const nodes = world.addAll(["a", "b", "c"]);
  live(world, nodes);
  world.run(AWAY_MS);
  const troubles = () => nodes.flatMap(({ peering }) => peering.members.map(({ trouble }) => trouble ?? ""));
  world.stop("c");
  for (let i = 0; i < 60; i++) {
    world.run(AWAY_MS / 30);
    assert.doesNotMatch(troubles().join(), /another connection/, `step ${i}`);
  }
  assert.match(troubles().join(), /./);
});

test("a single daemon accepts writes while an added peer joins", () => {
  const world = new World();
  const a = world.add("a");
  live(world, [a]);
  write(world, [a]);
  a.peering.setPeers([world.addressOf("b")]);
  world.latencyMs = 100;
  world.runUntil(() => a.peering.state === "isolated");
  const b = world.add("b", { peers: ["a"] });
  assert.deepEqual(statesUntilEqual(world, [a], [a, b]), [["isolated", "live"]]);
});

for (const groups of [
  [["a"], ["b"]],
  [
    ["a", "b"],
    ["c", "d"],
  ],
  [["a"], ["b"], ["c"]],
])
  test(`daemons that were cut off, ${groups.map((group) => group.join("")).join(" from ")}, accept writes while they meet again`, () => {
    const world = new World();
    const nodes = world.addAll(groups.flat());
    live(world, nodes);
    world.latencyMs = 100;
    split(
      world,
      groups.map((group) => group.map((name) => nodes.find((node) => node.name === name) as Node)),
    );
    for (const states of statesUntilEqual(world, nodes).slice(0, 2))
      assert.deepEqual(states, ["isolated", "live"]);
  });

test("a daemon that meets a live majority accepts no writes until it has the majority's entries", () => {
  const world = new World();
  const [a, b, c] = world.addAll(["a", "b", "c"]) as [Node, Node, Node];
  live(world, [a, b, c]);
  world.latencyMs = 100;
  split(world, [[a, b], [c]]);
  const states = statesUntilEqual(world, [a, b, c]);
  assert.deepEqual(states, [["live"], ["live"], ["isolated", "catching-up", "live"]]);
  assert.match(c.peering.reason, /^it was cut off from its peers/);
});

test("a daemon is not live before it knows what a returning member has pruned, and accepts writes until then", () => {
  const world = new World();
  const [a, b] = world.addAll(["a", "b"]) as [Node, Node];
  live(world, [a, b]);
  write(world, [a]);

  world.kill("b");
  world.run(AWAY_MS);
  world.isLost = ({ from, kind }) => from === "b" && kind === "report";

  const { timeline } = world.add("b", { peers: ["a"] });
  const hidden = entryOf(-70_000);
  timeline.index.add({ at: hidden.envelope.at, seq: 0, id: hidden.id }, false);
  timeline.prunedTo = EPOCH - 60_000;

  for (let passed = 0; passed < 9_000; passed += 1_000) {
    world.run(1_000);
    assert.equal(a.peering.state, "isolated");
  }

  world.isLost = () => false;
  world.runUntil(() => a.peering.state === "catching-up");
  assert.equal(a.peering.reason, "it is missing entries that a peer no longer stores");
});

test("a daemon that is cut off again while it returns is isolated, and not live with its own data", () => {
  const world = new World();
  const [a, b] = world.addAll(["a", "b"]) as [Node, Node];
  live(world, [a, b]);
  world.latencyMs = 100;
  world.kill("b");
  world.run(AWAY_MS);
  write(world, [a]);
  world.isLost = ({ kind }) => kind === "reconcile";
  world.add("b", { peers: ["a"] });
  world.run(2_000);
  world.kill("b");
  for (let passed = 0; passed < 40_000; passed += 1_000) {
    world.run(1_000);
    assert.equal(a.peering.state, "isolated");
  }
});
