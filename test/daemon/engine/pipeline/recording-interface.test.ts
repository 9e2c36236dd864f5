/** Tests the pipeline's recording on a daemon without a timeline. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { VerifiedEnvelope } from "../../../../daemon/engine/pipeline/apply-units.js";
import { Unrecorded } from "../../../../daemon/engine/pipeline/recording-interface.js";
import type { SeenEnvelopes } from "../../../../daemon/engine/pipeline/seen-envelopes.js";
import type { Signers } from "../../../../daemon/engine/trust/signers.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { double } from "../../../support/double.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { makeScene } from "../../program/scene.js";

const NOW = 1_790_000_000_000;

test("a daemon without a timeline knows only envelopes that it remembers, and records nothing", async () => {
  const environment = { ...realEnvironment, clock: () => NOW };
  const floor = { date: NOW - 10, pending: null };
  const recording = new Unrecorded(environment, floor);
  assert.deepEqual([recording.state, recording.members, recording.seenTo], ["live", null, NOW - 10]);
  floor.date = NOW + 1;
  assert.equal(recording.state, "catching-up");

  const seen = double<SeenEnvelopes>({ floor: NOW - 5, isApplied: (id: string) => id === "known" });
  const at = (id: string, date: number) => ({ id, at: date, seq: 0 });
  assert.equal(recording.hasApplied(at("known", NOW), seen), true);
  assert.equal(recording.hasApplied(at("other", NOW), seen), false);
  assert.equal(recording.mayArrive(at("other", NOW), seen), true);
  assert.equal(recording.mayArrive(at("other", NOW - 5), seen), false);

  const envelope = { at: NOW, seq: 3, commands: [["SET", "k", "v"]] };
  assert.equal(recording.apply({ envelope } as unknown as VerifiedEnvelope), null);
  assert.deepEqual([recording.newest.at, recording.newest.seq], [NOW, 3]);
  assert.equal(await recording.confirm(), false);
});

test("an applied envelope is not refused as not applied, even if its signature is no longer valid", async () => {
  const { pipeline, sign, take, codeOf } = makeScene({ clock: { now: NOW + 1 }, pair: makeKeyPair() });
  const envelope = sign([["SET", "k", "v"]], { at: NOW + 2 });
  assert.equal(codeOf(envelope), "result");
  const { signers } = pipeline;
  assert.ok(signers !== null);
  const { ring, cluster } = signers;
  pipeline.signers = double<Signers>({ ring, cluster, find: (id) => ring.find(id), verify: () => false });
  for (const [one, effect] of [
    [envelope, "unknown"],
    [sign([["SET", "k", "w"]], { at: NOW + 3 }), "not-applied"],
  ] as const) {
    const answer = await take(one);
    assert.ok(answer.kind === "refused");
    assert.deepEqual([answer.code, answer.effect], ["bad-signature", effect]);
  }
});
