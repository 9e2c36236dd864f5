/** Which daemons may be members. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf, makeIdentity } from "../../daemon/identity.js";
import { loadSigners } from "../../daemon/load-signers.js";
import { mayBeMember } from "../../daemon/membership.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { log } from "./scene.js";

const pair = makeKeyPair();
const other = makeIdentity();
const third = hashOf(Buffer.from("third"));

const ringOf = () => loadSigners({ signKey: [pair.file], rootKey: [], clusterName: "dbsync" }, log).ring;

test("unpinned daemons on this machine are members while nothing is pinned", () => {
  const unpinned = { ring: ringOf(), peers: [{ pin: null }] };
  assert.ok(mayBeMember(other.id, true, unpinned));
  assert.ok(!mayBeMember(other.id, false, unpinned));
  const pinned = { ...unpinned, peers: [{ pin: null }, { pin: other.id }] };
  assert.ok(mayBeMember(other.id, false, pinned));
  assert.ok(!mayBeMember(third, true, pinned));
});

test("a key of the ring that is no daemon's, or was revoked, is no member's, pinned or not", () => {
  const ring = ringOf();
  const parts = { ring, peers: [{ pin: other.id }, { pin: pair.id }] };
  assert.ok(!mayBeMember(pair.id, true, parts), "a client's");
  const signer = ring.find(pair.id) ?? assert.fail();
  const run = (at: number, ...argv: string[]) => ring.execute(argv, { at, db: 0, id: "" }, signer);
  run(1, "CLUSTER", "ADD", Buffer.from(other.spki, "latin1").toString("base64"));
  assert.ok(mayBeMember(other.id, false, { ...parts, peers: [] }));
  run(2, "KEY", "REVOKE", Buffer.from(other.id, "latin1").toString("hex"));
  assert.ok(ring.find(other.id)?.revokedAt !== null);
  assert.ok(!mayBeMember(other.id, true, parts));
});
