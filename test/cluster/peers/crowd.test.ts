/** Tests a peer with the cluster's secret that appears as many members: it cannot displace members named by --peer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BANS_MAX, Bans } from "../../../cluster/peers/connections/bans.js";
import { MemberBits } from "../../../cluster/peers/member-bits.js";
import { CLOSE_REASONS } from "../../../cluster/peers/shared/close-reasons.js";
import type { ClusterState } from "../../../cluster/peers/shared/cluster-state.js";
import { MEMBERS_MAX, NON_VOTERS_MAX } from "../../../cluster/peers/shared/peering-limits.js";
import { ClusterSecret } from "../../../engine/trust/cluster-secret.js";
import { double } from "../../support/double.js";
import { addressesOf, type Node, World } from "./support.js";

const secret = new ClusterSecret(Buffer.alloc(32, 1));
/** It admits every peer that knows the secret. */
const parts: Partial<ClusterState> = {
  secret,
  refusal: (_id, knows) => (knows ? null : "not-a-member"),
};

const namesOf = (word: string, count: number) => Array.from({ length: count }, (_, at) => `${word}${at}`);

/** Returns daemons with the secret that only connect to `a`. */
function crowd(world: World, count: number): Node[] {
  return namesOf("stranger", count).map((name) => world.add(name, { peers: ["a"], parts }));
}

const connected = ({ peering }: Node) =>
  peering.members.filter(({ connection }) => connection === "connected").map(({ id }) => id);

const isThere = (at: Node, other: Node) => connected(at).includes(other.key.id);

test("a member that was named comes back at once, however many strangers with the secret are there", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"], parts });
  world.add("b", { peers: ["a"], parts });
  world.runUntil(() => connected(a).length === 1);
  world.kill("b");
  const strangers = crowd(world, MEMBERS_MAX + 9);
  world.run(2000);
  assert.equal(connected(a).length, NON_VOTERS_MAX);
  const refused = strangers.filter((stranger) => !isThere(stranger, a));
  assert.equal(refused.length, strangers.length - NON_VOTERS_MAX);
  assert.ok(
    refused.every(({ lines }) => lines.some(({ text }) => text === CLOSE_REASONS["too-many-members"])),
  );

  const b = world.add("b", { peers: ["a"], parts });
  world.settle();
  assert.ok(isThere(a, b) && isThere(b, a));
  assert.equal(connected(a).length, NON_VOTERS_MAX + 1);
});

test("so does one of whom nothing is known but its address", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"], parts });
  crowd(world, MEMBERS_MAX + 9);
  world.run(2000);
  assert.equal(connected(a).length, NON_VOTERS_MAX);
  const b = world.add("b", { parts });
  world.runUntil(() => isThere(a, b));
});

test("strangers that prove themselves all at once are no more", () => {
  const world = new World();
  crowd(world, MEMBERS_MAX + 9);
  const a = world.add("a", { peers: ["b"], parts });
  // All connections of one turn are in their handshake together.
  world.run(20_000);
  assert.equal(connected(a).length, NON_VOTERS_MAX);
});

test("where all places are taken, a stranger gives way to an address that is named later", () => {
  const world = new World();
  const named = namesOf("named", MEMBERS_MAX - NON_VOTERS_MAX);
  for (const name of named) world.add(name, { parts });
  const a = world.add("a", { peers: named, parts });
  const strangers = crowd(world, NON_VOTERS_MAX + 1);
  world.runUntil(() => connected(a).length === MEMBERS_MAX);
  const before = strangers.filter((stranger) => isThere(a, stranger));

  const b = world.add("b", { parts });
  a.peering.setPeers([...named, "b"].map((name) => world.addressOf(name)));
  world.run(1000);
  assert.ok(isThere(a, b));
  assert.equal(connected(a).length, MEMBERS_MAX);
  const gone = before.filter((stranger) => !isThere(a, stranger));
  assert.equal(gone.length, 1);
  assert.ok(gone[0]?.lines.some(({ text }) => text === CLOSE_REASONS["too-many-members"]));
  const statuses = a.peering.members.filter(({ address }) =>
    [...named, "b"].includes(address.split(":")[0] ?? ""),
  );
  assert.ok(statuses.every(({ connection }) => connection === "connected"));
});

test("the bit of a member with a voice is given away last", () => {
  const forgotten: number[] = [];
  const notes = new Map<string, unknown>([["named", 1]]);
  const cluster = double<ClusterState>({ members: new Map(), addresses: addressesOf(["named"]) });
  const bits = new MemberBits(cluster, notes, (bit) => void forgotten.push(bit));
  const own = bits.of("named");
  for (const name of namesOf("stranger", 2 * MEMBERS_MAX)) bits.of(name);
  assert.ok(forgotten.length > MEMBERS_MAX && !forgotten.includes(own));
  assert.equal(bits.of("named"), own);
  assert.ok(notes.has("named"));
});

test("who is refused for a while is remembered no longer, and of very many those who are refused longest", () => {
  const bans = new Bans((id) => id === "named");
  bans.add("short", 10, 0);
  bans.add("guilty", Number.POSITIVE_INFINITY, 0);
  bans.add("guilty", 10, 0);
  assert.ok(bans.has("short", 9) && !bans.has("short", 10) && bans.has("guilty", 1e9));
  bans.add("named", 20, 10);
  assert.equal(bans.size, 2);
  for (const name of namesOf("stranger", 2 * BANS_MAX)) bans.add(name, 30, 11);
  assert.equal(bans.size, BANS_MAX);
  assert.ok(bans.has("guilty", 12) && bans.has("named", 12) && bans.has(`stranger${2 * BANS_MAX - 1}`, 12));
  for (const name of namesOf("other", 2 * BANS_MAX)) bans.add(name, Number.POSITIVE_INFINITY, 40);
  assert.equal(bans.size, BANS_MAX);
  assert.ok(bans.has(`other${2 * BANS_MAX - 1}`, 41));
});
