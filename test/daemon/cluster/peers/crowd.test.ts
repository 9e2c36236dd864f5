/** Tests a peer with the cluster's secret that appears as many members: it cannot displace members named by --peer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BANS_MAX, Bans } from "../../../../daemon/cluster/peers/member-bans.js";
import { MemberBits } from "../../../../daemon/cluster/peers/member-slots.js";
import type { ClusterState } from "../../../../daemon/cluster/peers/shared/cluster-state.js";
import { MEMBERS_MAX, NON_VOTERS_MAX } from "../../../../daemon/cluster/peers/shared/peering-limits.js";
import { ClusterSecret } from "../../../../daemon/engine/trust/cluster-secret.js";
import { CLOSE_REASONS } from "../../../../protocol/figures/close-reasons.js";

import { double } from "../../../support/double.js";
import { addressesOf, type Node, World } from "./support.js";

const secret = new ClusterSecret(Buffer.alloc(32, 1));
/** A cluster that admits every peer that knows the secret. */
const parts: Partial<ClusterState> = {
  secret,
  refusal: (_id, knows) => (knows ? null : "not-a-member"),
};

const namesOf = (word: string, count: number) => Array.from({ length: count }, (_, at) => `${word}${at}`);

/** Returns daemons with the secret that only connect to `a`. */
function crowd(world: World, count: number): Node[] {
  return namesOf("peer", count).map((name) => world.add(name, { peers: ["a"], parts }));
}

const connected = ({ peering }: Node) =>
  peering.members.filter(({ connection }) => connection === "connected").map(({ id }) => id);

const isConnected = (at: Node, other: Node) => connected(at).includes(other.key.id);

test("a member that --peer names reconnects immediately, however many unnamed peers with the secret are connected", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"], parts });
  world.add("b", { peers: ["a"], parts });
  world.runUntil(() => connected(a).length === 1);
  world.kill("b");
  const unnamed = crowd(world, MEMBERS_MAX + 9);
  world.run(2000);
  assert.equal(connected(a).length, NON_VOTERS_MAX);
  const refused = unnamed.filter((peer) => !isConnected(peer, a));
  assert.equal(refused.length, unnamed.length - NON_VOTERS_MAX);
  assert.ok(
    refused.every(({ lines }) => lines.some(({ text }) => text === CLOSE_REASONS["too-many-members"])),
  );

  const b = world.add("b", { peers: ["a"], parts });
  world.settle();
  assert.ok(isConnected(a, b) && isConnected(b, a));
  assert.equal(connected(a).length, NON_VOTERS_MAX + 1);
});

test("a member of which only the address is known also reconnects immediately", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"], parts });
  crowd(world, MEMBERS_MAX + 9);
  world.run(2000);
  assert.equal(connected(a).length, NON_VOTERS_MAX);
  const b = world.add("b", { parts });
  world.runUntil(() => isConnected(a, b));
});

test("many unnamed peers that prove themselves at the same time do not exceed the limit", () => {
  const world = new World();
  crowd(world, MEMBERS_MAX + 9);
  const a = world.add("a", { peers: ["b"], parts });
  // All connections that are opened in one turn are in their handshakes at the same time.
  world.run(20_000);
  assert.equal(connected(a).length, NON_VOTERS_MAX);
});

test("a daemon without a free slot drops an unnamed peer for an address that is named later", () => {
  const world = new World();
  const named = namesOf("named", MEMBERS_MAX - NON_VOTERS_MAX);
  for (const name of named) world.add(name, { parts });
  const a = world.add("a", { peers: named, parts });
  const unnamed = crowd(world, NON_VOTERS_MAX + 1);
  world.runUntil(() => connected(a).length === MEMBERS_MAX);
  const before = unnamed.filter((peer) => isConnected(a, peer));

  const b = world.add("b", { parts });
  a.peering.setPeers([...named, "b"].map((name) => world.addressOf(name)));
  world.run(1000);
  assert.ok(isConnected(a, b));
  assert.equal(connected(a).length, MEMBERS_MAX);
  const dropped = before.filter((peer) => !isConnected(a, peer));
  assert.equal(dropped.length, 1);
  assert.ok(dropped[0]?.lines.some(({ text }) => text === CLOSE_REASONS["too-many-members"]));
  const statuses = a.peering.members.filter(({ address }) =>
    [...named, "b"].includes(address.split(":")[0] ?? ""),
  );
  assert.ok(statuses.every(({ connection }) => connection === "connected"));
});

test("a voting member is the last to lose its bit to another member", () => {
  const forgotten: number[] = [];
  const notes = new Map<string, unknown>([["named", 1]]);
  const cluster = double<ClusterState>({ members: new Map(), addresses: addressesOf(["named"]) });
  const bits = new MemberBits(cluster, notes, (bit) => void forgotten.push(bit));
  const own = bits.of("named");
  for (const name of namesOf("peer", 2 * MEMBERS_MAX)) bits.of(name);
  assert.ok(forgotten.length > MEMBERS_MAX && !forgotten.includes(own));
  assert.equal(bits.of("named"), own);
  assert.ok(notes.has("named"));
});

test("a ban is forgotten when it ends, and if there are too many bans, the longest ones are kept", () => {
  const bans = new Bans((id) => id === "named");
  bans.add("short", 10, 0);
  bans.add("guilty", Number.POSITIVE_INFINITY, 0);
  bans.add("guilty", 10, 0);
  assert.ok(bans.has("short", 9) && !bans.has("short", 10) && bans.has("guilty", 1e9));
  bans.add("named", 20, 10);
  assert.equal(bans.size, 2);
  for (const name of namesOf("peer", 2 * BANS_MAX)) bans.add(name, 30, 11);
  assert.equal(bans.size, BANS_MAX);
  assert.ok(bans.has("guilty", 12) && bans.has("named", 12) && bans.has(`peer${2 * BANS_MAX - 1}`, 12));
  for (const name of namesOf("other", 2 * BANS_MAX)) bans.add(name, Number.POSITIVE_INFINITY, 40);
  assert.equal(bans.size, BANS_MAX);
  assert.ok(bans.has(`other${2 * BANS_MAX - 1}`, 41));
});
