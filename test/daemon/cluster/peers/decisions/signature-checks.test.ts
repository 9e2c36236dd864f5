/** Tests which signatures are evidence that a decision was checked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SignatureChecks } from "../../../../../daemon/cluster/peers/decisions/decisions.js";
import { type Ballot, proposalBytes, voteBytes } from "../../../../../protocol/members/decision-votes.js";
import { CLUSTER, idOf, listOf, signedBy } from "./simulated-members.js";

const proposal = { slot: 1, id: "decision" };

/** Whether a keeper's proposal and a member's vote are evidence under a list. */
function isEvidence(names: readonly string[], keeper: string, voter: string): boolean {
  const list = listOf(1, names);
  const checks = new SignatureChecks(
    {
      cluster: CLUSTER,
      hash: (spki) => idOf(spki.toString("latin1").replace("key of ", "")),
      verify: (spki, bytes, signature) => signature === signedBy(spki, bytes),
    },
    () => ({ current: list, earlier: [] }),
  );
  const ballot: Ballot = { list: 1, listHash: list.hash, round: 1, member: idOf(keeper), attempt: 0 };
  const vote = { ballot, slot: proposal.slot, decision: proposal.id };
  const signed = (name: string, bytes: Buffer) => ({
    spki: `key of ${name}`,
    signature: signedBy(`key of ${name}`, bytes),
  });
  return checks.isEvidence(
    {
      vote: { ...vote, ...signed(voter, voteBytes(CLUSTER, vote)) },
      proposal: signed(keeper, proposalBytes(CLUSTER, vote)),
    },
    { ...proposal, previous: null, at: 1, seq: 0, unit: null, body: Buffer.alloc(0) },
  );
}

test("evidence has the signatures of two members of a list, or of its only member", () => {
  assert.equal(isEvidence(["a", "b", "c"], "a", "b"), true);
  assert.equal(isEvidence(["a", "b", "c"], "a", "a"), false);
  assert.equal(isEvidence(["a", "b", "c"], "a", "stranger"), false);
  assert.equal(isEvidence(["a"], "a", "a"), true);
});
