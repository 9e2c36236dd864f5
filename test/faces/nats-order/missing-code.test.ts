/**
 * Tests that a member of a stream stops before a message whose code is missing, and that it continues like a complete
 * member of the stream once it has the code.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { pino } from "pino";
import { entryCheck } from "../../../daemon/cluster/replica/check-entry.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { INSTALLED_FAMILIES } from "../../../daemon/installed-families.js";
import { ORDER_WINDOW } from "../../../daemon/options/timeline-values.js";
import { loadFamilies, provideFamilies } from "../../../daemon/store/family-code.js";
import { writeValue } from "../../../daemon/timeline/entries/stored-value.js";
import { readOrderSnapshot, writeOrderSnapshot } from "../../../faces/nats-order/order-snapshot.js";
import { emptyStreamState, OrderedState, type StreamState } from "../../../faces/nats-order/ordered-state.js";
import { makeKeyPair, signCommands } from "../../support/envelope-client.js";
import { type LackingReport, memberWith, reportOf } from "./lacking-member.js";

const NOW = Date.UTC(2026, 0);
const DATABASES = 16;
const [pair, root, unknownKey] = [makeKeyPair(), makeKeyPair(), makeKeyPair()];
const ARGS = ["-s", pair.file, "--root-key", root.file, "--order", "nats://127.0.0.1:1/writes"];
const signers = loadSigners(
  { signKey: [pair.file], rootKey: [root.file], clusterName: "dbsync" },
  pino({ level: "silent" }),
);
const { cluster, makeRing } = signers;

const GEOADD = ["GEOADD", "places", "13.361389", "38.115556", "Palermo"];
const NAMED = /^the code of .*\(redis\/geo\) cannot be loaded: /;

function message(argv: readonly string[], at = NOW, by = pair): { at: number; data: Buffer } {
  const { body, signature } = signCommands(by, [argv], { cluster, at });
  return { at: NOW, data: writeValue(body, signature) };
}

/** The messages of the stream. No member applies the second and the third one. */
const MESSAGES = [
  message(["SET", "before", "1"]),
  message(GEOADD, NOW, unknownKey),
  message(GEOADD, NOW - ORDER_WINDOW.past),
  message(GEOADD),
  message(["SET", "after", "1"]),
];
/** The number of messages before the one that needs the code. */
const BEFORE = 3;

const snapshotOf = (state: OrderedState): Buffer =>
  Buffer.concat([...writeOrderSnapshot(state.current, { created: "today", cluster })]);

/** Applies messages to a state on a member with all code. */
function applyAll(initial: StreamState, messages: typeof MESSAGES) {
  const state = new OrderedState(initial, entryCheck(signers, null));
  signers.follow(state);
  const replies = messages.map(({ at, data }) => {
    const ordered = state.apply({ seq: state.seq + 1, at, data });
    return ordered.kind === "applied" ? ordered.answers[0]?.reply.kind : ordered.kind;
  });
  return { replies, snapshot: snapshotOf(state) };
}

test("a member without the code stops before the message, and continues like a complete member once it has it", async () => {
  const { "redis/geo": _, ...others } = INSTALLED_FAMILIES;
  const { replica, connected } = await memberWith(others, ARGS, MESSAGES.length);
  assert.equal(connected, null);
  for (const [index, { at, data }] of MESSAGES.entries())
    if (replica.failure === null) replica.message({ seq: index + 1, at, data });
  const { reason, ...report } = reportOf(replica);
  assert.match(reason, NAMED);
  const expected = {
    seq: BEFORE,
    state: "outdated",
    refusal: "semantics-unknown",
    readStatus: "catching-up",
  };
  assert.deepEqual(report, expected);

  provideFamilies(INSTALLED_FAMILIES);
  await loadFamilies();
  const complete = applyAll(emptyStreamState(makeRing(), DATABASES), MESSAGES);
  assert.deepEqual(complete.replies, ["status", "skipped", "refused", "integer", "status"]);
  const parts = { genesis: makeRing, databases: DATABASES, cluster };
  const restored = readOrderSnapshot([snapshotOf(replica.state)], parts).state;
  const continued = applyAll(restored, MESSAGES.slice(BEFORE));
  assert.deepEqual(continued.replies, ["integer", "status"]);
  assert.ok(continued.snapshot.equals(complete.snapshot));
});

test("a member whose import of the code fails reads nothing", async () => {
  const worker = new Worker(new URL("./failing-import.js", import.meta.url), { workerData: ARGS });
  const [{ connected, reason, ...report }] = (await once(worker, "message")) as [LackingReport];
  await worker.terminate();
  assert.match(connected ?? "", NAMED);
  assert.match(reason, /\(redis\/geo\) cannot be loaded: absent$/);
  const expected = { seq: 0, state: "outdated", refusal: "semantics-unknown", readStatus: "catching-up" };
  assert.deepEqual(report, expected);
});
