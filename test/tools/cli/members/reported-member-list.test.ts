/** Tests that `dbsync members` trusts only member lists that an administrator or their members have signed. */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import { makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { signEnvelope } from "../../../../keys/signatures.js";
import { writeMemberList } from "../../../../protocol/members/member-list.js";
import { listSignedBytes, writeListProof } from "../../../../protocol/members/members-proof.js";
import { listVerifier, reportedList } from "../../../../tools/cli/members/member-views.js";
import { CLUSTER, listAfter } from "../../../daemon/timeline/members/lists.js";
import { makeKeyPair, signCommands } from "../../../support/envelope-client.js";

const AT = Date.UTC(2026, 0, 2);
const root = makeKeyPair();
const verifies = listVerifier([createPublicKey(root.privateKey)]);
const first = listAfter([], { add: "ABC" });
const text = writeMemberList(first.list);
const made = writeMemberList(listAfter([first], { add: "X" }).list);

/** Returns a list as a daemon reports it. */
function proof(commands: readonly (readonly string[])[], pair = root, cluster = CLUSTER): string[] {
  const { body, signature } = signCommands(pair, commands, { at: AT, cluster });
  return [body, signature].map((bytes) => bytes.toString("base64"));
}

const [body = "", signature = ""] = proof([["CLUSTER", "MEMBERS", text]]);

test("a list that an administrator has signed is verified, and reported with date and key", () => {
  const list = reportedList(text, [body, signature], verifies);
  assert.deepEqual([list?.signatureProblem, list?.signedAt, list?.hash], [null, AT, first.hash]);
});

test("other envelopes of a daemon do not verify an invented list", () => {
  const doubtOf = (text: string, proofParts: readonly string[]) =>
    reportedList(text, proofParts, verifies)?.signatureProblem;
  const list = ["CLUSTER", "MEMBERS", made];
  for (const proofParts of [
    [],
    ["", ""],
    ["bm9uZQ==", signature],
    // The proofs of another list, of this list with another command, and of a list of another cluster.
    [body, signature],
    proof([list, ["SET", "a", "1"]]),
    proof([list], root, "x".repeat(32)),
  ])
    assert.equal(doubtOf(made, proofParts), "no-proof");
  assert.equal(doubtOf(made, proof([list], makeKeyPair())), "unknown-key");
  assert.equal(doubtOf(made, [proof([list])[0] ?? "", signature]), "bad-signature");
  assert.equal(reportedList("no list", [body, signature], verifies), null);
});

test("a list is verified if its members have signed its text", () => {
  const members = [makeIdentity(), makeIdentity()];
  const list = {
    cluster: CLUSTER,
    number: 1,
    parents: [],
    members: members.map(({ id }) => id),
    removed: [],
  };
  const text = writeMemberList(list);

  const signatures = members.map(({ id, spki, key }) => {
    const signature = signEnvelope(listSignedBytes(Buffer.from(text)), key).toString("latin1");
    return [id, { spki, signature }] as const;
  });

  const report = (signed: typeof signatures, body = text, shown = text) => {
    const parts = [Buffer.from(body), writeListProof(new Map(signed))];
    const found = reportedList(
      shown,
      parts.map((part) => part.toString("base64")),
      verifies,
    );
    return [found?.memberSignatures, found?.signatureProblem];
  };

  assert.deepEqual(report(signatures), [2, null]);
  assert.deepEqual(report(signatures.slice(1)), [1, null]);
  assert.deepEqual(report([]), [0, "bad-signature"]);

  const [[first, own], [, other]] = signatures as [(typeof signatures)[0], (typeof signatures)[0]];
  assert.deepEqual(report([[first, { ...own, signature: other.signature }]]), [0, "bad-signature"]);
  assert.deepEqual(report([[first, { ...own, spki: own.spki.slice(1) }]]), [0, "bad-signature"]);

  // The signatures of another text prove nothing.
  const smaller = writeMemberList({ ...list, members: list.members.slice(1) });
  assert.deepEqual(report(signatures, smaller), [null, "no-proof"]);
  assert.deepEqual(report(signatures, smaller, smaller), [0, "bad-signature"]);
});
