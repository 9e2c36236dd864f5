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
const client = makeKeyPair();
const root = makeKeyPair();
/** A key that an administrator adds while the test runs. */
const addedKey = makeKeyPair();
const keys = { signKey: [client.file], rootKey: [root.file], clusterName: "dbsync" };

type MakeRing = () => StreamState["ring"];
type SignedCommand = ReturnType<typeof signCommands>;

/** Makes a state. @param initialState  returns the state before the first message */
function stateFrom(initialState: (makeRing: MakeRing) => StreamState) {
  const signers = loadSigners(keys, log);
  const state = new OrderedState(initialState(signers.makeRing), entryCheck(signers, null));
  signers.follow(state);
  return { state, signers };
}

const emptyState = () => stateFrom((makeRing) => emptyStreamState(makeRing(), DATABASES));

function bytesOf(state: OrderedState, cluster: string, created = "today"): Buffer {
  return Buffer.concat([...writeOrderSnapshot(state.current, { created, cluster })]);
}

/** Writes a snapshot of a state, and restores another state from it. */
function restoredFrom(state: OrderedState, { cluster, makeRing }: ReturnType<typeof loadSigners>) {
  const bytes = bytesOf(state, cluster);
  const options = { genesis: makeRing, databases: DATABASES, cluster };
  const { state: initial, created } = readOrderSnapshot([bytes], options);
  return { restored: stateFrom(() => initial).state, bytes, created };
}

/** Applies a command as the next message of a stream. */
const put = (to: OrderedState, { body, signature }: SignedCommand, at: number) =>
  to.apply({ seq: to.seq + 1, at, data: writeValue(body, signature) });

test("messages after a snapshot have the same effect with and without the snapshot", () => {
  const { state, signers } = emptyState();
  const { cluster } = signers;
  const sign = (by: typeof client, at: number, ...argv: string[]) =>
    signCommands(by, [argv], { cluster, at });

  const repeated = sign(client, NOW + 50, "INCR", "n");
  put(state, sign(root, NOW + 9000, "KEY", "ADD", addedKey.pem, "RULES", "+@all", "~*"), NOW + 1);
  put(state, sign(client, NOW, "SET", "ends", "v", "PX", "1"), NOW + 1);
  put(state, repeated, NOW + 2);
  put(state, sign(client, NOW, "RPUSH", "list", "a", "b"), NOW + 2);

  const { restored, bytes, created } = restoredFrom(state, signers);
  assert.equal(created, "today");
  assert.ok(bytesOf(restored, cluster).equals(bytes));

  // A command in the millisecond in which a key expires, a repeated command, one that the added key has signed, and one
  // that chooses an id.
  const next = [
    sign(client, NOW, "SET", "ends", "w", "NX"),
    repeated,
    sign(addedKey, NOW + 5, "APPEND", "list2", "x"),
    sign(client, NOW, "XADD", "stream", "*", "f", "v"),
  ];
  const kinds = next.map((command) => {
    const fromOriginal = put(state, command, NOW + 2);
    const fromRestored = put(restored, command, NOW + 2);
    assert.deepEqual(fromRestored, fromOriginal);
    return fromOriginal.kind === "applied" ? fromOriginal.answers[0]?.reply.kind : fromOriginal.kind;
  });
  assert.deepEqual(kinds, ["nil", "skipped", "integer", "bulk"]);
  assert.ok(bytesOf(restored, cluster).equals(bytesOf(state, cluster)));
});

test("a restored state distinguishes its last message from another one with the same sequence and date", () => {
  const { state, signers } = emptyState();
  const { cluster } = signers;
  const sign = () => signCommands(client, [["RPUSH", "list", "a", "b"]], { cluster, at: NOW });

  const last = sign();
  put(state, last, NOW + 2);
  const { restored } = restoredFrom(state, signers);

  const isLast = ({ body, signature }: SignedCommand) =>
    restored.isLast({ seq: 1, at: NOW + 2, data: writeValue(body, signature) });
  assert.equal(isLast(last), true);
  assert.equal(isLast(sign()), false, "the same command with another nonce");
});

test("a snapshot that was truncated or made with other keys is rejected", () => {
  const { state, signers } = emptyState();
  const { cluster } = signers;
  const bytes = bytesOf(state, cluster);
  const options = { genesis: signers.makeRing, databases: DATABASES, cluster };
  assert.throws(() => readOrderSnapshot([bytes.subarray(0, -1)], options), /cut off/);
  assert.throws(() => readOrderSnapshot([bytes], { ...options, cluster: "x".repeat(32) }), /other keys/);
});
