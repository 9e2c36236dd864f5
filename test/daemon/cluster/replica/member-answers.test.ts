/** Tests the answers to envelopes on which the members do not decide. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GiveUp } from "../../../../daemon/cluster/peers/decisions/decisions.js";
import type { Members } from "../../../../daemon/cluster/peers/members-interface.js";
import type { DecisionResult } from "../../../../daemon/cluster/replica/entry-recorder.js";
import { MemberAnswers } from "../../../../daemon/cluster/replica/member-answers.js";
import type { NodeState } from "../../../../daemon/cluster/replica/replica-context.js";
import type { RefusedEnvelope } from "../../../../daemon/engine/answers/request.js";
import type { VerifiedEnvelope } from "../../../../daemon/engine/pipeline/apply-units.js";
import { hashOf } from "../../../../daemon/engine/trust/identity.js";
import { type Environment, realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { KeyRing } from "../../../../daemon/store/key-ring.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { OK } from "../../../../protocol/reply.js";
import { double } from "../../../support/double.js";

const entry = double<Entry>({
  id: "id",
  body: Buffer.alloc(1),
  signature: Buffer.alloc(1),
  envelope: double<Entry["envelope"]>({ key: "key", commands: [] }),
});

const REASON = "no majority answers";

/** A daemon whose members do not answer. @param isPatient  whether the client of its envelope waits anyway */
function silence(isPatient: boolean) {
  let endWait = () => {};
  let giveUp: GiveUp = () => assert.fail();
  const environment: Environment = {
    ...realEnvironment,
    setTimer: (_, step) => {
      endWait = step;
      return () => {};
    },
  };

  const answers = new MemberAnswers(environment, 1_000, null, () => true);
  const decisions = double<Members["decisions"]>({
    obstacle: () => null,
    isKnown: () => false,
    submit: (_entry, _isOnlyHere, given) => {
      giveUp = given;
    },
  });
  const timeline = double<NodeState["timeline"]>({
    ring: new KeyRing({ hash: (bytes) => hashOf(Buffer.from(bytes, "latin1")) }),
  });
  const backend = double<NodeState["backend"]>({ unitSteps: 1 });
  const peering = double<NodeState["peering"]>({ decisions });

  const answer = answers.decisionOnOwn(entry, { peering, timeline, backend }, { isPatient });
  return {
    answer,
    endWait,
    giveUp: (isSent: boolean, mayArrive = true) => giveUp(isSent, REASON, mayArrive),
  };
}

/** Requests a decision that is given up. @param isSent  whether another member may have received the envelope */
async function givenUp(isSent: boolean, isPatient = false) {
  const { answer, giveUp } = silence(isPatient);
  assert.ok(giveUp(isSent));
  return shown(await answer);
}

/** Returns the flags in the answer to an envelope on whose position the members have decided. */
async function flagsOf(decide: boolean): Promise<string | undefined> {
  const answers = new MemberAnswers(realEnvironment, 1_000, null, () => true);
  const decided = { slot: 1, outcomes: ["applied"], signed: null, unit: "unit" } as const;
  const envelope = { ...entry.envelope, at: Date.now(), decide, decided, multi: false };
  const folded = { ...entry, envelope } as Entry;
  answers.folded([], [{ entry: folded, answers: [{ reply: OK, outcome: "applied", late: false }] }], "");
  const result = await answers.find(double<VerifiedEnvelope>({ id: "unit", maxReplyBytes: 100 }));
  return result?.replies.split("\r\n").at(-2);
}

const shown = (answer: DecisionResult | RefusedEnvelope) =>
  "kind" in answer ? [answer.code, answer.effect, answer.detail] : null;

test("an answer states that the members have placed an envelope that did not request a decision", async () => {
  assert.deepEqual([await flagsOf(true), await flagsOf(false)], ["decided", "placed"]);
});

test("an envelope that another member may have received may take effect", async () => {
  assert.deepEqual(await givenUp(true), ["undecided", "unknown", "not in time"]);
});

test("an envelope that no other member can have received never takes effect", async () => {
  assert.deepEqual(await givenUp(false), ["cannot-decide", "not-applied", "no majority answers"]);
});

test("an envelope whose client waits anyway is given up if no other member can have received it", async () => {
  assert.deepEqual(await givenUp(false, true), ["cannot-decide", "not-applied", "no majority answers"]);
});

test("an envelope whose client waits anyway and that was sent is given up after the time limit", async () => {
  const { answer, endWait, giveUp } = silence(true);
  assert.deepEqual([giveUp(true), giveUp(true)], [false, false]);
  endWait();
  assert.deepEqual(shown(await answer), ["undecided", "unknown", "not in time"]);
  assert.ok(giveUp(true), "it is sent to no member any longer");
});

test("an envelope whose client waits anyway is given up once its decision can no longer arrive", async () => {
  for (const isSent of [true, false]) {
    const { answer, giveUp } = silence(true);
    assert.ok(giveUp(isSent, false));
    const expected = isSent
      ? ["undecided", "unknown", "not in time"]
      : ["cannot-decide", "not-applied", REASON];
    assert.deepEqual(shown(await answer), expected);
  }
});
