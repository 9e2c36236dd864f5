/**
 * Tests the state of a stream's messages: valid messages produce the same state, regardless of invalid ones between
 * them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { entryCheck } from "../../../daemon/cluster/replica/check-entry.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { ORDER_WINDOW } from "../../../daemon/options/timeline-values.js";
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

function sceneOf(known: Semantics = EARLIER_SEMANTICS) {
  const keys = { signKey: [pair.file], rootKey: [root.file], clusterName: "dbsync" };
  const signers = loadSigners(keys, log, known);
  const applied: string[] = [];
  const past = emptyStreamState(signers.makeRing(), 16);
  const state = new OrderedState(past, entryCheck(signers, null), (id) => void applied.push(id));
  signers.follow(state);
  const sign = (
    commands: readonly (readonly string[])[],
    header: Partial<EnvelopeHeader> = {},
    by: typeof pair = pair,
  ) => signCommands(by, commands, { cluster: signers.cluster, at: NOW, ...header });
  const put = (data: Buffer, at = NOW) => state.apply({ seq: state.seq + 1, at, data });
  const add = ({ body, signature }: SignedEnvelope, at = NOW) => put(writeValue(body, signature), at);
  const get = (key: string) => state.database.run(GET, ["GET", key], { at: NOW, db: 0, id: "" });
  return { state, applied, sign, put, add, get };
}

const { findCommand } = await import("../../../daemon/store/command-table.js");
const GET = findCommand("GET") ?? assert.fail();

/** Returns the replies of an applied message. */
function repliesOf(ordered: ReturnType<OrderedState["apply"]>): readonly Reply[] {
  assert.ok(ordered.kind === "applied");
  return ordered.answers.map(({ reply }) => reply);
}

test("messages are applied one after the other, whatever their dates: the first SET NX sets the key", () => {
  const { add, sign, applied, state } = sceneOf();
  const [late, early] = [
    sign([["SET", "k", "late", "NX"]], { at: NOW + 500 }),
    sign([["SET", "k", "early", "NX"]]),
  ];
  assert.deepEqual(repliesOf(add(late)), [OK]);
  assert.deepEqual(repliesOf(add(early)), [NIL]);
  assert.deepEqual(applied, [late.id, early.id]);
  assert.equal(state.seq, 2);
});

test("an envelope that is in the stream twice is applied once", () => {
  const { add, sign, get } = sceneOf();
  const once = sign([["INCR", "n"]]);
  add(once);
  assert.deepEqual(add(once, NOW + 1000), {
    kind: "skipped",
    reason: "it was in the stream before",
    isKnown: true,
  });
  assert.deepEqual(get("n"), { kind: "bulk", bytes: "1" });
});

test("a message not signed by a key of the ring is skipped: garbage, an unknown signer, changed bytes, another signature", () => {
  const { add, put, sign, get, state } = sceneOf();
  const valid = sign([["SET", "k", "valid"]]);
  const kinds = [
    put(Buffer.from("garbage")),
    put(Buffer.alloc(0)),
    add(sign([["SET", "k", "unknownKey"]], {}, unknownKey)),
    add({ ...valid, signature: Buffer.alloc(64) }),
    add(sign([["SET", "k", "elsewhere"]], { cluster: "x".repeat(32) })),
    add(sign([["GET", "k"]])),
  ].map(({ kind }) => kind);
  assert.deepEqual(new Set(kinds), new Set(["skipped"]));
  assert.equal(state.skipped, kinds.length);
  // None of these prevents the valid message from being applied.
  assert.equal(add(valid).kind, "applied");
  assert.deepEqual(get("k"), { kind: "bulk", bytes: "valid" });
});

test("the message's time counts: all daemons refuse dates far from it, and expiry is relative to it", () => {
  const { add, sign, state } = sceneOf();
  const tooOld = sign([["SET", "k", "v"]], { at: NOW - ORDER_WINDOW.past });
  const byThisClock = add(tooOld);
  assert.ok(byThisClock.kind === "refused" && !byThisClock.isFinal);
  add(sign([["SET", "first", "v"]]));
  const old = add(tooOld);
  assert.ok(old.kind === "refused" && old.refusal.code === "skew" && old.isFinal);
  const ahead = add(sign([["SET", "k", "v"]], { at: NOW + ORDER_WINDOW.future }));
  assert.ok(ahead.kind === "refused" && !ahead.isFinal);
  add(sign([["SET", "k", "v", "PX", "100"]], { at: NOW + 5000 }), NOW + 1000);
  assert.equal(state.newest.at, NOW + 1000);
  const still = add(sign([["SET", "k", "w", "NX"]], { at: NOW }), NOW + 1100);
  assert.deepEqual(repliesOf(still), [NIL]);
  const over = add(sign([["SET", "k", "w", "NX"]], { at: NOW + 1 }), NOW + 1101);
  assert.deepEqual(repliesOf(over), [OK]);
});

test("a leader whose clock is behind does not turn time back", () => {
  const { add, sign, state } = sceneOf();
  add(sign([["SET", "a", "1"]]), NOW + 10);
  add(sign([["SET", "b", "1"]]), NOW);
  assert.deepEqual(state.newest, { at: NOW + 10, seq: 1 });
});

test("garbage from a clock that is ahead does not make a daemon apply an envelope again", () => {
  const { add, put, sign, get } = sceneOf();
  const once = sign([["INCR", "n"]]);
  add(once);
  put(Buffer.from("garbage"), NOW + ORDER_WINDOW.past + 2000);
  assert.equal(add(once, NOW + 1).kind, "skipped");
  assert.deepEqual(get("n"), { kind: "bulk", bytes: "1" });
});

test("a key's rights depend on the position in the stream: a command after its revocation is denied", () => {
  const { add, sign } = sceneOf();
  const revoke = ["KEY", "REVOKE", Buffer.from(pair.id, "latin1").toString("hex")];
  assert.equal(add(sign([["SET", "k", "1"]])).kind, "applied");
  assert.equal(add(sign([revoke], {}, root)).kind, "applied");
  const after = add(sign([["SET", "k", "2"]], { at: NOW - 1 }));
  assert.ok(after.kind === "applied" && after.answers[0]?.outcome === "denied");
});

test("a message after a missing one is not applied", () => {
  const { state, sign } = sceneOf();
  const { body, signature } = sign([["SET", "k", "v"]]);
  assert.throws(() => state.apply({ seq: 2, at: NOW, data: writeValue(body, signature) }), /came after 0/);
});

test("after an unknown semantics version nothing is applied, and earlier results remain", () => {
  const { add, sign, state, get } = sceneOf();
  add(sign([["SET", "k", "before"]]));
  assert.equal(state.standstill, null);
  add(sign([["CLUSTER", "SEMANTICS", "2"]], {}, root));
  assert.match(
    state.standstill ?? "",
    /^semantics version 2 applies from .* this release knows only version 1: upgrade it$/,
  );
  add(sign([["SET", "k", "behind"]]), NOW + 1);
  assert.deepEqual(get("k"), { kind: "bulk", bytes: "before" });
});

test("a newer release skips the same messages as older ones until the semantics are switched", () => {
  const [old, next] = [sceneOf(), sceneOf(NEXT_SEMANTICS)];
  const messages = [
    ["SET", "k", "v"],
    ["TWICE", "k"],
    ["INCR", "n"],
  ].map((argv) => old.sign([argv]));
  for (const message of messages) assert.equal(next.add(message).kind, old.add(message).kind);
  assert.deepEqual(next.state.newest, old.state.newest);
  assert.deepEqual(next.get("n"), { kind: "bulk", bytes: "1" });
  next.add(next.sign([["CLUSTER", "SEMANTICS", "2"]], {}, root));
  for (const argv of [
    ["TWICE", "k"],
    ["INCR", "n"],
  ])
    next.add(next.sign([argv]));
  assert.deepEqual(
    [next.get("k"), next.get("n")].map((reply) => "bytes" in reply && reply.bytes),
    ["vv", "11"],
  );
});
