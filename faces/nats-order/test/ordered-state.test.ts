/**
 * Tests the state of a stream's messages: valid messages produce the same state, regardless of invalid ones between
 * them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { entryCheck } from "../../../daemon/cluster/replica/check-entry.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { ORDER_WINDOW } from "../../../daemon/options/timeline-values.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { Semantics } from "../../../daemon/store/semantics.js";
import { writeValue } from "../../../daemon/timeline/entries/stored-value.js";
import { NIL, OK, type Reply } from "../../../protocol/reply.js";
import type { EnvelopeHeader } from "../../../protocol/version-2/envelope.js";
import { log } from "../../../test/daemon/program/scene.js";
import { makeKeyPair, type SignedEnvelope, signCommands } from "../../../test/support/envelope-client.js";
import { EARLIER_SEMANTICS, NEXT_SEMANTICS } from "../../../test/support/next-semantics.js";
import { emptyStreamState, OrderedState } from "../ordered-state.js";

const NOW = Date.UTC(2026, 0);
const pair = makeKeyPair();
const root = makeKeyPair();
const unknownKey = makeKeyPair();

const GET = findCommand("GET") ?? assert.fail();

/** Returns the state of an empty stream, and functions that add messages to it. */
function sceneOf(known: Semantics = EARLIER_SEMANTICS) {
  const keys = { signKey: [pair.file], rootKey: [root.file], clusterName: "dbsync" };
  const signers = loadSigners(keys, log, known);
  const applied: string[] = [];
  const emptyState = emptyStreamState(signers.makeRing(), 16);
  const state = new OrderedState(emptyState, entryCheck(signers, null), (id) => void applied.push(id));
  signers.follow(state);
  const sign = (
    commands: readonly (readonly string[])[],
    header: Partial<EnvelopeHeader> = {},
    signer: typeof pair = pair,
  ) => signCommands(signer, commands, { cluster: signers.cluster, at: NOW, ...header });
  const addBytes = (data: Buffer, at = NOW) => state.apply({ seq: state.seq + 1, at, data });
  const addEnvelope = ({ body, signature }: SignedEnvelope, at = NOW) =>
    addBytes(writeValue(body, signature), at);
  const get = (key: string) => state.database.run(GET, ["GET", key], { at: NOW, db: 0, id: "" });
  return { state, applied, sign, addBytes, addEnvelope, get };
}

/** Returns the replies of an applied message. */
function repliesOf(outcome: ReturnType<OrderedState["apply"]>): readonly Reply[] {
  assert.ok(outcome.kind === "applied");
  return outcome.answers.map(({ reply }) => reply);
}

test("messages are applied one after the other, whatever their dates: the first SET NX sets the key", () => {
  const { addEnvelope, sign, applied, state } = sceneOf();
  const late = sign([["SET", "k", "late", "NX"]], { at: NOW + 500 });
  const early = sign([["SET", "k", "early", "NX"]]);
  assert.deepEqual(repliesOf(addEnvelope(late)), [OK]);
  assert.deepEqual(repliesOf(addEnvelope(early)), [NIL]);
  assert.deepEqual(applied, [late.id, early.id]);
  assert.equal(state.seq, 2);
});

test("an envelope that is in the stream twice is applied once", () => {
  const { addEnvelope, sign, get } = sceneOf();
  const envelope = sign([["INCR", "n"]]);
  addEnvelope(envelope);
  assert.deepEqual(addEnvelope(envelope, NOW + 1000), {
    kind: "skipped",
    reason: "it was in the stream before",
    isKnown: true,
  });
  assert.deepEqual(get("n"), { kind: "bulk", bytes: "1" });
});

test("a message not signed by a key of the ring is skipped: garbage, an unknown signer, changed bytes, another signature", () => {
  const { addEnvelope, addBytes, sign, get, state } = sceneOf();
  const valid = sign([["SET", "k", "valid"]]);
  const kinds = [
    addBytes(Buffer.from("garbage")),
    addBytes(Buffer.alloc(0)),
    addEnvelope(sign([["SET", "k", "unknownKey"]], {}, unknownKey)),
    addEnvelope({ ...valid, signature: Buffer.alloc(64) }),
    addEnvelope(sign([["SET", "k", "elsewhere"]], { cluster: "x".repeat(32) })),
    addEnvelope(sign([["GET", "k"]])),
  ].map(({ kind }) => kind);
  assert.deepEqual(new Set(kinds), new Set(["skipped"]));
  assert.equal(state.skipped, kinds.length);
  // None of these prevents the valid message from being applied.
  assert.equal(addEnvelope(valid).kind, "applied");
  assert.deepEqual(get("k"), { kind: "bulk", bytes: "valid" });
});

test("the message's time counts: all daemons refuse dates far from it, and expiry is relative to it", () => {
  const { addEnvelope, sign, state } = sceneOf();
  const tooOld = sign([["SET", "k", "v"]], { at: NOW - ORDER_WINDOW.past });
  const refusedByClock = addEnvelope(tooOld);
  assert.ok(refusedByClock.kind === "refused" && !refusedByClock.isFinal);
  addEnvelope(sign([["SET", "first", "v"]]));
  const refusedByStream = addEnvelope(tooOld);
  assert.ok(
    refusedByStream.kind === "refused" && refusedByStream.refusal.code === "skew" && refusedByStream.isFinal,
  );
  const ahead = addEnvelope(sign([["SET", "k", "v"]], { at: NOW + ORDER_WINDOW.future }));
  assert.ok(ahead.kind === "refused" && !ahead.isFinal);
  addEnvelope(sign([["SET", "k", "v", "PX", "100"]], { at: NOW + 5000 }), NOW + 1000);
  assert.equal(state.newest.at, NOW + 1000);
  const beforeExpiry = addEnvelope(sign([["SET", "k", "w", "NX"]], { at: NOW }), NOW + 1100);
  assert.deepEqual(repliesOf(beforeExpiry), [NIL]);
  const afterExpiry = addEnvelope(sign([["SET", "k", "w", "NX"]], { at: NOW + 1 }), NOW + 1101);
  assert.deepEqual(repliesOf(afterExpiry), [OK]);
});

test("a leader whose clock is behind does not turn time back", () => {
  const { addEnvelope, sign, state } = sceneOf();
  addEnvelope(sign([["SET", "a", "1"]]), NOW + 10);
  addEnvelope(sign([["SET", "b", "1"]]), NOW);
  assert.deepEqual(state.newest, { at: NOW + 10, seq: 1 });
});

test("garbage from a clock that is ahead does not make a daemon apply an envelope again", () => {
  const { addEnvelope, addBytes, sign, get } = sceneOf();
  const envelope = sign([["INCR", "n"]]);
  addEnvelope(envelope);
  addBytes(Buffer.from("garbage"), NOW + ORDER_WINDOW.past + 2000);
  assert.equal(addEnvelope(envelope, NOW + 1).kind, "skipped");
  assert.deepEqual(get("n"), { kind: "bulk", bytes: "1" });
});

test("a key's rights depend on the position in the stream: a command after its revocation is denied", () => {
  const { addEnvelope, sign } = sceneOf();
  const revoke = ["KEY", "REVOKE", Buffer.from(pair.id, "latin1").toString("hex")];
  assert.equal(addEnvelope(sign([["SET", "k", "1"]])).kind, "applied");
  assert.equal(addEnvelope(sign([revoke], {}, root)).kind, "applied");
  const afterRevocation = addEnvelope(sign([["SET", "k", "2"]], { at: NOW - 1 }));
  assert.ok(afterRevocation.kind === "applied" && afterRevocation.answers[0]?.outcome === "denied");
});

test("a message after a missing one is not applied", () => {
  const { state, sign } = sceneOf();
  const { body, signature } = sign([["SET", "k", "v"]]);
  assert.throws(() => state.apply({ seq: 2, at: NOW, data: writeValue(body, signature) }), /came after 0/);
});

test("after an unknown semantics version nothing is applied, and earlier results remain", () => {
  const { addEnvelope, sign, state, get } = sceneOf();
  addEnvelope(sign([["SET", "k", "before"]]));
  assert.equal(state.standstill, null);
  addEnvelope(sign([["CLUSTER", "SEMANTICS", "2"]], {}, root));
  assert.match(
    state.standstill ?? "",
    /^semantics version 2 applies from .* this release knows only version 1: upgrade it$/,
  );
  addEnvelope(sign([["SET", "k", "after"]]), NOW + 1);
  assert.deepEqual(get("k"), { kind: "bulk", bytes: "before" });
});

test("a newer release skips the same messages as older ones until the semantics are switched", () => {
  const older = sceneOf();
  const newer = sceneOf(NEXT_SEMANTICS);

  const messages = [
    ["SET", "k", "v"],
    ["TWICE", "k"],
    ["INCR", "n"],
  ].map((argv) => older.sign([argv]));

  for (const message of messages)
    assert.equal(newer.addEnvelope(message).kind, older.addEnvelope(message).kind);
  assert.deepEqual(newer.state.newest, older.state.newest);
  assert.deepEqual(newer.get("n"), { kind: "bulk", bytes: "1" });

  newer.addEnvelope(newer.sign([["CLUSTER", "SEMANTICS", "2"]], {}, root));
  for (const argv of [
    ["TWICE", "k"],
    ["INCR", "n"],
  ])
    newer.addEnvelope(newer.sign([argv]));
  assert.deepEqual(
    [newer.get("k"), newer.get("n")].map((reply) => "bytes" in reply && reply.bytes),
    ["vv", "11"],
  );
});
