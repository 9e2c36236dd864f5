/** Tests that a state restored from a snapshot continues like the original. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { entryCheck } from "../../../daemon/cluster/replica/check-entry.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { writeValue } from "../../../daemon/timeline/entries/stored-value.js";
import { log } from "../../../test/daemon/program/scene.js";
import { makeKeyPair, signCommands } from "../../../test/support/envelope-client.js";
import { readOrderSnapshot, writeOrderSnapshot } from "../order-snapshot.js";
import { emptyStreamState, OrderedState, type StreamState } from "../ordered-state.js";

const NOW = Date.UTC(2026, 0);
const DATABASES = 16;
const [pair, root, added] = [makeKeyPair(), makeKeyPair(), makeKeyPair()];
const keys = { signKey: [pair.file], rootKey: [root.file], clusterName: "dbsync" };

function stateFrom(initial: (makeRing: () => StreamState["ring"]) => StreamState) {
  const signers = loadSigners(keys, log);
  const state = new OrderedState(initial(signers.makeRing), entryCheck(signers, null));
  signers.follow(state);
  return { state, signers };
}

function bytesOf(state: OrderedState, cluster: string, created = "today"): Buffer {
  return Buffer.concat([...writeOrderSnapshot(state.current, { created, cluster })]);
}

test("messages after a snapshot have the same effect with and without the snapshot", () => {
  const { state, signers } = stateFrom((makeRing) => emptyStreamState(makeRing(), DATABASES));
  const { cluster } = signers;
  const sign = (by: typeof pair, at: number, ...argv: string[]) => signCommands(by, [argv], { cluster, at });
  const put = (to: OrderedState, { body, signature }: ReturnType<typeof sign>, at: number) =>
    to.apply({ seq: to.seq + 1, at, data: writeValue(body, signature) });
  const again = sign(pair, NOW + 50, "INCR", "n");
  put(state, sign(root, NOW + 9000, "KEY", "ADD", added.pem, "RULES", "+@all", "~*"), NOW + 1);
  put(state, sign(pair, NOW, "SET", "ends", "v", "PX", "1"), NOW + 1);
  put(state, again, NOW + 2);
  const last = sign(pair, NOW, "RPUSH", "list", "a", "b");
  put(state, last, NOW + 2);
  const chunks = [bytesOf(state, cluster)];
  const parts = { genesis: signers.makeRing, databases: DATABASES, cluster };
  const { state: initial, created } = readOrderSnapshot(chunks, parts);
  assert.equal(created, "today");
  const { state: restored } = stateFrom(() => initial);
  assert.ok(bytesOf(restored, cluster).equals(chunks[0] as Buffer));
  const { body, signature } = sign(pair, NOW, "RPUSH", "list", "a", "b");
  assert.equal(restored.isLast({ seq: 4, at: NOW + 2, data: writeValue(last.body, last.signature) }), true);
  assert.equal(restored.isLast({ seq: 4, at: NOW + 2, data: writeValue(body, signature) }), false);
  const more = [
    // These are a command in the millisecond in which a key expires, a repeated one, and one signed by the added key.
    sign(pair, NOW, "SET", "ends", "w", "NX"),
    again,
    sign(added, NOW + 5, "APPEND", "list2", "x"),
    sign(pair, NOW, "XADD", "stream", "*", "f", "v"),
  ];
  const kinds = more.map((one) => {
    const [a, b] = [put(state, one, NOW + 2), put(restored, one, NOW + 2)];
    assert.deepEqual(a, b);
    return a.kind === "applied" ? a.answers[0]?.reply.kind : a.kind;
  });
  assert.deepEqual(kinds, ["nil", "skipped", "integer", "bulk"]);
  assert.ok(bytesOf(restored, cluster).equals(bytesOf(state, cluster)));
});

test("a snapshot that was truncated or made with other keys is not used", () => {
  const { state, signers } = stateFrom((makeRing) => emptyStreamState(makeRing(), DATABASES));
  const { cluster } = signers;
  const bytes = bytesOf(state, cluster);
  const parts = { genesis: signers.makeRing, databases: DATABASES, cluster };
  assert.throws(() => readOrderSnapshot([bytes.subarray(0, -1)], parts), /cut off/);
  assert.throws(() => readOrderSnapshot([bytes], { ...parts, cluster: "x".repeat(32) }), /other keys/);
});
