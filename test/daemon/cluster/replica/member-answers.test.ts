/** Tests the answers to envelopes whose entries a member has sent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemberAnswers } from "../../../../daemon/cluster/replica/member-answers.js";
import type { VerifiedEnvelope } from "../../../../daemon/engine/pipeline/apply-units.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import type { Storage } from "../../../../daemon/timeline/entries/storage.js";
import type { UnitAnswer } from "../../../../daemon/timeline/fold/fold.js";
import { error, OK } from "../../../../protocol/reply.js";
import { double } from "../../../support/double.js";

const ANSWERS: readonly UnitAnswer[] = [
  { reply: OK, outcome: "applied", late: false },
  { reply: error("WRONGTYPE"), outcome: "applied", late: true },
];

const decision = { slot: 1, outcomes: ["applied"], signed: null, unit: "unit" } as const;

/** Returns the flags of two units of an envelope. @param decided  the decision of the members, or null */
async function flagsOf(decided: Entry["envelope"]["decided"], decide: boolean): Promise<readonly unknown[]> {
  const storage = double<Storage>({ flushed: async () => {} });
  const answers = new MemberAnswers(realEnvironment, 1_000, storage, () => true);
  const envelope = double<Entry["envelope"]>({ at: Date.now(), commands: [], decided, decide, multi: false });
  const entry = double<Entry>({ id: "unit", envelope });
  answers.folded([], [{ entry, answers: ANSWERS }], "isolated");

  const result = await answers.find(double<VerifiedEnvelope>({ id: "unit", maxReplyBytes: 1_000 }));
  const lines = result?.replies.split("\r\n") ?? [];
  return [lines[2], lines[5]];
}

test("each unit of an envelope that the members have placed, without a request of its client, has a flag", async () => {
  assert.deepEqual(await flagsOf(decision, false), ["placed isolated", "placed late provisional isolated"]);
  assert.deepEqual(await flagsOf(decision, true), ["decided isolated", "decided provisional isolated"]);
  assert.deepEqual(await flagsOf(null, false), ["isolated", "late provisional isolated"]);
});
