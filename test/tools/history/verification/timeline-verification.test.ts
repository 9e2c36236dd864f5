/** Tests `dbsync log verify`: it finds every kind of fault, and none in intact data. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf } from "../../../../daemon/engine/trust/identity.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { writePromisesMark } from "../../../../daemon/timeline/entries/stored-promises.js";
import { writeValue } from "../../../../daemon/timeline/entries/stored-value.js";
import { makeSnapshot } from "../../../../daemon/timeline/snapshots/make-snapshot.js";
import type { Snapshots } from "../../../../daemon/timeline/snapshots/snapshot-stores.js";
import { NO_PROMISES, writeStoredPromises } from "../../../../protocol/members/decision-messages.js";
import { writeDecision } from "../../../../protocol/version-2/decision-body.js";
import { dateText, hexOf, signedBytes } from "../../../../protocol/version-2/envelope.js";
import {
  Verification,
  type VerificationReport,
} from "../../../../tools/history/verification/timeline-verification.js";
import { AT, MemorySnapshots, PastScene } from "../../../daemon/cluster/history/past-scene.js";
import { makeKeyPair } from "../../../support/envelope-client.js";

function verify(scene: PastScene, snapshots: Snapshots | null = null): VerificationReport {
  const { storage, signers } = scene;
  return new Verification(storage, snapshots, signers, () => {}).run();
}

function snapshotAt(scene: PastScene, snapshots: Snapshots, at: number): void {
  makeSnapshot({ ...scene.recallParts, snapshots, from: null, to: AT + at });
  scene.storage.put([], [["snapshots", Buffer.from(snapshots.list().join(" "))]]);
}

/** Replaces the stored bytes of an entry. */
function overwrite(scene: PastScene, entry: Entry, value: Buffer): void {
  const orderKey = writeOrderKey(orderKeyOf(entry));
  scene.storage.remove([orderKey]);
  scene.storage.put([[orderKey, value]]);
}

const kinds = ({ faults }: VerificationReport) => faults.map(({ kind }) => kind);

test("an intact timeline has no faults, and everything is counted", () => {
  const scene = new PastScene();
  const snapshots = new MemorySnapshots();
  const { app, root } = scene;
  const other = makeKeyPair();

  scene.write(app, 1, ["SET k v PX 10", "INCR k", "CONFIG GET x", "GET"]);
  scene.write(root, 2, [`KEY ADD ${scene.publicText(other)}`]);
  scene.write(other, 3, ["RPUSH l 1"], { if: [{ db: 0, key: "l", writer: "" }] });
  scene.write(other, 4, ["RPUSH l 1"], { if: [{ db: 0, key: "l", writer: "" }] });
  scene.write(app, 5, ["SET other 1"]);
  snapshotAt(scene, snapshots, 3);
  snapshotAt(scene, snapshots, 100);

  const report = verify(scene, snapshots);
  assert.deepEqual(report.faults, []);
  assert.deepEqual(report.units, { applied: 4, error: 1, denied: 1, unmet: 1, malformed: 1 });
  assert.match(report.firstMalformed ?? "", new RegExp(`^${dateText(AT + 1)} [0-9a-f]{64}$`));
  assert.deepEqual(
    [report.entries, report.ringEntries, report.signatures, report.first, report.last],
    [5, 1, 5, AT + 1, AT + 5],
  );
  assert.deepEqual(report.snapshots, [AT + 3, AT + 100]);
  assert.match(report.state, /^[\da-f]{64}$/);
});

test("a single changed byte is found", () => {
  const scene = new PastScene();
  const entry = scene.write(scene.app, 1, ["SET k v"]);
  const value = writeValue(entry.body, entry.signature);
  value[value.length - 3]! ^= 1;
  overwrite(scene, entry, value);
  const report = verify(scene);
  assert.deepEqual(kinds(report), ["damaged"]);
  assert.match(report.faults[0]?.where ?? "", /^2026-09-21T\S+ [\da-f]{64}$/);
});

test("damaged promises for decisions are found", () => {
  const scene = new PastScene();
  const mark = writePromisesMark(writeStoredPromises(NO_PROMISES));
  scene.storage.put([], [["decisions", mark]]);
  assert.deepEqual(kinds(verify(scene)), []);
  const damaged = Buffer.from(mark);
  damaged[9]! ^= 1;
  scene.storage.put([], [["decisions", damaged]]);
  assert.deepEqual(kinds(verify(scene)), ["damaged-promises"]);
});

test("an envelope at another envelope's position is found", () => {
  const scene = new PastScene();
  const entry = scene.write(scene.app, 1, ["SET k v"]);
  const other = scene.entry(scene.app, 1, ["SET k w"]);
  overwrite(scene, entry, writeValue(other.body, other.signature));
  assert.deepEqual(kinds(verify(scene)), ["wrong-id"]);
});

test("an invalid signature, an unknown signer and another cluster's envelope are found", () => {
  const scene = new PastScene();
  const entry = scene.write(scene.app, 1, ["SET k v"]);
  overwrite(scene, entry, writeValue(entry.body, Buffer.alloc(64)));
  scene.write(makeKeyPair(), 2, ["SET k v"]);
  scene.write(scene.app, 3, ["SET k v"], { cluster: "x".repeat(32) });
  const report = verify(scene);
  assert.deepEqual(kinds(report), ["bad-signature", "wrong-cluster", "unknown-signer"]);
  assert.equal(report.faultCount, 3);
});

test("a decision without a unit is checked by its votes", () => {
  const scene = new PastScene();
  const body = writeDecision({
    slot: 1,
    index: 0,
    count: 1,
    previous: null,
    at: AT + 1,
    seq: 0,
    outcomes: ["unmet"],
    unit: null,
  });
  const id = hashOf(signedBytes(body));
  const { storage } = scene;
  storage.put([[writeOrderKey({ at: AT + 1, seq: 0, id }), writeValue(body, Buffer.alloc(0))]]);

  const report = verify(scene);
  assert.deepEqual(kinds(report), ["bad-signature"]);
  assert.deepEqual([report.entries, Object.values(report.units)], [1, [0, 0, 0, 0, 0]]);
});

test("a signer whose key was added with a later date is known", () => {
  const scene = new PastScene();
  const late = makeKeyPair();
  scene.write(late, 1, ["SET k v"]);
  scene.write(scene.root, 2, [`KEY ADD ${scene.publicText(late)}`]);
  const report = verify(scene);
  assert.deepEqual([report.faultCount, report.units.denied, report.signatures], [0, 1, 2]);
});

test("a signer is known even if the administrator that added its key had been revoked before", () => {
  const scene = new PastScene();
  const [administrator, late] = [makeKeyPair(), makeKeyPair()];
  scene.write(scene.root, 1, [`KEY ADD ${scene.publicText(administrator)} RULES +@all ~*`]);
  scene.write(administrator, 3, [`KEY ADD ${scene.publicText(late)}`]);
  scene.write(late, 4, ["SET k v"]);
  assert.equal(verify(scene).units.denied, 0);
  scene.write(scene.root, 2, [`KEY REVOKE ${hexOf(administrator.id)}`]);
  const report = verify(scene);
  assert.deepEqual([report.faults, report.units.denied, report.signatures], [[], 2, 4]);
});

test("snapshots that do not follow from the commands, and damaged snapshots, are found", () => {
  const scene = new PastScene();
  const snapshots = new MemorySnapshots();
  const entry = scene.write(scene.app, 1, ["SET k v"]);
  snapshotAt(scene, snapshots, 10);
  scene.storage.remove([writeOrderKey(orderKeyOf(entry))]);
  assert.deepEqual(kinds(verify(scene, snapshots)), ["wrong-snapshot"]);
  snapshots.files.get(AT + 10)?.[1]?.fill(1);
  assert.deepEqual(kinds(verify(scene, snapshots)), ["damaged-snapshot"]);
});

test("if the beginning is no longer stored, verification starts with the oldest snapshot", () => {
  const scene = new PastScene();
  const snapshots = new MemorySnapshots();
  const entry = scene.write(scene.app, 1, ["SET k v"]);
  snapshotAt(scene, snapshots, 10);
  scene.write(scene.app, 20, ["APPEND k w"]);
  snapshotAt(scene, snapshots, 30);
  const complete = verify(scene, snapshots);
  scene.storage.remove([writeOrderKey(orderKeyOf(entry))]);
  scene.storage.put([], [["pruned", Buffer.from(String(AT + 5))]]);
  const remaining = verify(scene, snapshots);
  assert.deepEqual([remaining.faults, remaining.begins, remaining.snapshots], [[], AT + 10, [AT + 30]]);
  assert.equal(remaining.state, complete.state);
  assert.deepEqual(kinds(verify(scene)), ["no-beginning"]);
});
