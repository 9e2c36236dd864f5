/** Tests which entries a daemon refuses because of their cost, before it adds them to the stream. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { entryCheck } from "../../../daemon/cluster/replica/check-entry.js";
import { NOTHING_CHOSEN } from "../../../daemon/cluster/replica/recorded-choices.js";
import { TimelineBackend, type TimelineState } from "../../../daemon/cluster/replica/timeline-backend.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { canonicalState } from "../../../daemon/store/canonical-state.js";
import { UNIT_STEPS_DEFAULT } from "../../../daemon/store/keyspace/effort-budget.js";
import { readBody } from "../../../protocol/version-2/envelope.js";
import { settingsFrom } from "../../../test/daemon/program/replicas.js";
import { log } from "../../../test/daemon/program/scene.js";
import { double } from "../../../test/support/double.js";
import { makeKeyPair, signCommands } from "../../../test/support/envelope-client.js";
import { type OrderContext, OrderRecorder } from "../order-recorder.js";
import type { OrderStream } from "../order-stream.js";
import { emptyStreamState, OrderedState } from "../ordered-state.js";

const NOW = Date.UTC(2026, 0);
/** The minimum of --max-unit-steps. */
const STEPS = 10_000;
const pair = makeKeyPair();
const facts = { last: 0, first: 1, created: "today", replicas: 1, others: 0, maxBytes: 1_000_000 };

/** Returns a state, and a recorder for it whose stream assigns consecutive numbers. */
function sceneOf(unitSteps: number) {
  const signers = loadSigners({ signKey: [pair.file], rootKey: [], clusterName: "dbsync" }, log);
  const state = new OrderedState(emptyStreamState(signers.makeRing(), 16), entryCheck(signers, null));
  signers.follow(state);

  const published: Buffer[] = [];
  const stream = double<OrderStream>({
    facts,
    trouble: null,
    async publish(_, data) {
      published.push(data);
      const seq = state.seq + 1;
      const ordered = state.apply({ seq, at: NOW, data });
      if (ordered.kind === "stopped") throw new Error(state.standstill ?? "");
      recorder.passed(seq, ordered);
      return { kind: "stored", seq, isRepeated: false };
    },
  });

  const order = double<OrderContext>({
    settings: settingsFrom([]),
    state,
    stream,
    log,
    environment: realEnvironment,
    hasCaughtUp: true,
    failure: null,
  });
  const backend = new TimelineBackend(double<TimelineState>(state), realEnvironment, unitSteps);
  const recorder: OrderRecorder = new OrderRecorder({ ...order, backend }, null);

  const record = async (...commands: readonly (readonly string[])[]) => {
    const { id, body, signature } = signCommands(pair, commands, { cluster: signers.cluster, at: NOW });
    const recorded = recorder.record({ id, body, signature, envelope: readBody(body) });
    if (!("flushed" in recorded)) return recorded;
    await recorded.flushed;
    return recorded.answers;
  };
  return { state, recorder, published, record };
}

const members = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`);

test("a daemon with a stream records no choices of its clients' commands", () => {
  const { recorder } = sceneOf(STEPS);
  assert.deepEqual(recorder.choicesOf(), NOTHING_CHOSEN);
});

test("a daemon refuses a unit that does too much before it adds the unit to the stream", async () => {
  const { state, recorder, published, record } = sceneOf(STEPS);
  await record(["SADD", "m", ...members(3000)]);
  const before = canonicalState(state.database);

  for (const commands of [
    [["SETRANGE", "s", "100000000", "x"]],
    [["COPY", "m", "copied"]],
    // Each command alone would be permitted.
    [
      ["SET", "k", "v"],
      ["SETRANGE", "s", "400000", "x"],
      ["SETRANGE", "t", "400000", "x"],
    ],
  ]) {
    const refused = await record(...commands);
    assert.ok("kind" in refused && refused.kind === "refused", JSON.stringify(commands));
    assert.deepEqual([refused.code, refused.effect], ["too-much", "not-applied"]);
  }

  assert.deepEqual([published.length, state.seq, recorder.waiting.size], [1, 1, 0]);
  assert.deepEqual(canonicalState(state.database), before);

  // This command does not exceed the limit.
  assert.ok(Array.isArray(await record(["SADD", "more", ...members(5000)])));
});

test("a daemon applies an entry of another daemon regardless of its own limit", async () => {
  const [free, bounded] = [sceneOf(UNIT_STEPS_DEFAULT), sceneOf(STEPS)];
  await free.record(["SETRANGE", "s", "5000000", "x"]);
  const [data] = free.published;
  assert.ok(data !== undefined);
  assert.equal(bounded.state.apply({ seq: 1, at: NOW, data }).kind, "applied");
  assert.deepEqual(canonicalState(bounded.state.database), canonicalState(free.state.database));
});
