/** Tests for how long members that cannot be reached have been away, as reports state it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemberAbsences } from "../../../../daemon/cluster/peers/member-absences.js";
import { amount } from "../../../support/amount.js";
import { type Node, World } from "./support.js";

/** Milliseconds for which the daemon runs before a member is lost. */
const RUNNING_MS = amount(130_000, 900_000);
/** Milliseconds within which a connected member sends something. */
const SENT_MS = 2000;

const statusOf = ({ peering }: Node, address: string) =>
  peering.members.find((member) => member.address === address) ?? assert.fail(`no status of ${address}`);

function assertAway(node: Node, address: string, milliseconds: number): void {
  const { awayFor } = statusOf(node, address);
  const isTrue = awayFor !== null && awayFor >= milliseconds && awayFor <= milliseconds + SENT_MS;
  assert.ok(isTrue, `${address} is away for ${awayFor} instead of ${milliseconds} ms`);
}

test("a member that was lost a moment ago is away since its last message, and not while it is connected", () => {
  const world = new World();
  const [a] = world.addAll(["a", "b"]) as [Node, Node];
  world.run(RUNNING_MS);
  assert.equal(statusOf(a, "b:1").awayFor, null);
  world.kill("b");
  world.run(5000);
  assertAway(a, "b:1", 5000);
  assert.equal(statusOf(a, "b:1").lastHeard, statusOf(a, "b:1").awayFor);
});

test("a member at an address that was added a moment ago is away since then, and not since the daemon's start", () => {
  const world = new World();
  const [a] = world.addAll(["a", "b"]) as [Node, Node];
  world.run(RUNNING_MS);
  a.peering.setPeers(["b", "c"].map((name) => world.addressOf(name)));
  world.run(5000);
  assertAway(a, "c:1", 5000);
  assert.equal(statusOf(a, "c:1").lastHeard, null);
});

test("a member that only connects itself, and was lost a moment ago, is away since then", () => {
  const world = new World();
  // No connection to the address of b succeeds, so the daemon does not know which daemon is there.
  const a = world.add("a", { peers: ["b-from-outside"] });
  world.run(RUNNING_MS);
  assertAway(a, "b-from-outside:1", RUNNING_MS);
  world.add("b", { peers: ["a"] });
  world.run(5000);
  assert.equal(statusOf(a, "b-from-outside:1").awayFor, null);
  world.kill("b");
  world.run(5000);
  assertAway(a, "b-from-outside:1", 5000);
});

test("neither a second address of a connected member nor the daemon's own address is away", () => {
  const world = new World();
  world.stale.set("alias", "b");
  const a = world.add("a", { peers: ["a", "b", "alias"] });
  world.add("b", { peers: ["a"] });
  world.run(RUNNING_MS);
  assert.deepEqual(
    ["a:1", "b:1"].map((address) => statusOf(a, address).connection),
    ["self", "connected"],
  );
  assert.deepEqual(
    ["a:1", "b:1", "alias:1"].map((address) => statusOf(a, address).awayFor),
    [null, null, null],
  );
});

test("a listed member without an address that was never connected is away since a list has named it", () => {
  const absences = new MemberAbsences();
  absences.tick(new Set(["b"]), 0);
  absences.tick(new Set(["b", "c"]), 900_000);
  assert.deepEqual(absences.ofMember("b", 905_000), { lastHeard: null, awayFor: 905_000 });
  assert.deepEqual(absences.ofMember("c", 905_000), { lastHeard: null, awayFor: 5000 });
  // A list that leaves it out, and a later one that names it again.
  absences.tick(new Set(["b"]), 906_000);
  absences.tick(new Set(["b", "c"]), 907_000);
  assert.equal(absences.ofMember("c", 910_000).awayFor, 3000);
  absences.disconnected("c", 909_000, false);
  assert.deepEqual(absences.ofMember("c", 910_000), { lastHeard: 1000, awayFor: 1000 });
  assert.deepEqual(absences.ofMember("unknown", 910_000), { lastHeard: null, awayFor: null });
});
