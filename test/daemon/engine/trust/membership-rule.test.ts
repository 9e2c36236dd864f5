/** Tests which daemons may be members. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOfMember } from "../../../../daemon/cluster/members/member-refusal.js";
import { hashOf, makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import type { PeerAddress } from "../../../../daemon/options/peer-address.js";
import { membershipStateOf } from "../../../../protocol/members/member-list.js";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import { double } from "../../../support/double.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { log } from "../../program/scene.js";

const pair = makeKeyPair();
const root = makeKeyPair();
const other = makeIdentity();
const third = hashOf(Buffer.from("third"));

const ringOf = (rootKey: readonly string[] = []) =>
  loadSigners({ signKey: [pair.file], rootKey, clusterName: "dbsync" }, log).ring;

const NONE = membershipStateOf([]);
const UNPINNED = double<PeerAddress>({ pin: null });
const PINNED = double<PeerAddress>({ pin: other.id });

const add = ["CLUSTER", "ADD", Buffer.from(other.spki, "latin1").toString("base64")];

test("a daemon is a member only if it is pinned or knows the secret", () => {
  const parts = { membership: NONE, ring: ringOf(), peers: [UNPINNED, PINNED] };
  assert.equal(refusalOfMember(other.id, false, parts), null);
  assert.equal(refusalOfMember(third, false, parts), "not-a-member");
  assert.equal(refusalOfMember(third, true, parts), null);
});

test("a daemon without --peer has no members", () => {
  const ring = ringOf([root.file]);
  ring.execute(add, { at: 1, db: 0, id: "" }, ring.find(root.id) ?? assert.fail());
  assert.equal(refusalOfMember(other.id, true, { membership: NONE, ring, peers: [] }), "no-peers");
});

test("a key that an administrator authorized makes its daemon a member, but a revoked key does not, pinned or not", () => {
  const ring = ringOf([root.file]);
  const parts = { membership: NONE, ring, peers: [UNPINNED] };
  const signer = ring.find(root.id) ?? assert.fail();
  const run = (at: number, ...argv: string[]) => ring.execute(argv, { at, db: 0, id: "" }, signer);
  assert.equal(refusalOfMember(other.id, false, parts), "not-a-member");
  run(1, ...add);
  assert.equal(refusalOfMember(other.id, false, parts), null);
  run(2, "KEY", "REVOKE", hexOf(other.id));
  assert.equal(refusalOfMember(other.id, true, { membership: NONE, ring, peers: [PINNED] }), "revoked");
});

test("a key that authorized itself may sign, but does not make its daemon a member", () => {
  const ring = ringOf();
  const itself = ring.introduction([add], other.id, 1) ?? assert.fail();
  ring.execute(add, { at: 1, db: 0, id: "" }, itself);
  assert.equal(ring.find(other.id)?.role, "daemon");
  const parts = { membership: NONE, ring, peers: [UNPINNED] };
  assert.equal(refusalOfMember(other.id, false, parts), "not-a-member");
  assert.equal(refusalOfMember(other.id, true, parts), null);
});

test("a client's key does not make its owner a member, pinned or not", () => {
  const parts = { membership: NONE, ring: ringOf(), peers: [double<PeerAddress>({ pin: pair.id })] };
  assert.equal(refusalOfMember(pair.id, true, parts), "not-a-member");
});

test("with a list, a daemon without proof is not-a-member and learns nothing about the list; one with proof is not-listed", () => {
  const ring = ringOf();
  const listed = { ...NONE, heads: [{} as (typeof NONE.heads)[number]], members: new Set([third]) };
  const parts = { membership: listed, ring, peers: [UNPINNED] };
  assert.equal(refusalOfMember(third, false, parts), null);
  assert.equal(refusalOfMember(other.id, false, parts), "not-a-member");
  assert.equal(refusalOfMember(other.id, true, parts), "not-listed");
  assert.equal(refusalOfMember(other.id, false, { ...parts, peers: [PINNED] }), "not-listed");
});
