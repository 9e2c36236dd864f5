/** Tests that messages about decisions, stored promises and certificates are parsed back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedFrame } from "../../../protocol/errors.js";
import {
  type Ballot,
  compareBallots,
  type DecisionMessage,
  NO_PROMISES,
  proposalBytes,
  readCertificate,
  readDecisionMessage,
  readStoredPromises,
  type StoredPromises,
  voteBytes,
  writeCertificate,
  writeDecisionMessage,
  writeStoredPromises,
} from "../../../protocol/members/decision-messages.js";

const ballot: Ballot = {
  list: 7,
  listHash: "l".repeat(32),
  round: 3,
  member: "m".repeat(32),
  attempt: 2,
};
const vote = { ballot, slot: 9, count: 1, root: "d".repeat(32), spki: "spki", signature: "signature" };
const body = Buffer.from("body");
const last = { slot: 8, orderKey: { at: 1_790_000_000_000, seq: 1, id: "i".repeat(32) }, list: 6 };
const signed = { spki: "keeper", signature: "its signature" };
const evidence = { vote, proposal: signed };
const accepted = { bodies: [body, Buffer.from("next")], evidence };

const MESSAGES: readonly DecisionMessage[] = [
  { kind: "unit", body, signature: Buffer.from("s") },
  { kind: "promise-request", ballot },
  { kind: "promise", ballot, last, accepted, notBefore: 5, objected: [2, 63] },
  { kind: "promise", ballot, last: NO_PROMISES.last, accepted: null, notBefore: 0, objected: [] },
  { kind: "propose", ballot, bodies: Array.from({ length: 64 }, () => body), signed, evidence },
  { kind: "propose", ballot, bodies: [body], signed, evidence: null },
  { kind: "vote", vote },
  { kind: "outvoted", ballot },
  { kind: "answer-request", number: 1 },
  { kind: "answer", number: 2 ** 40 },
];

test("messages are parsed back", () => {
  for (const message of MESSAGES)
    assert.deepEqual(readDecisionMessage(writeDecisionMessage(message)), message);
});

test("a message of another kind or length is malformed", () => {
  const good = writeDecisionMessage({ kind: "outvoted", ballot }).toString("latin1");
  for (const bad of [
    good.replace("outvoted", "outvotes"),
    good.replace("*2", "*3"),
    good.slice(0, -4),
    `${good}x`,
    ...[0, 65].map((count) => {
      const bodies = Array.from({ length: count }, () => body);
      return writeDecisionMessage({ kind: "propose", ballot, bodies, signed, evidence }).toString("latin1");
    }),
  ])
    assert.throws(() => readDecisionMessage(Buffer.from(bad, "latin1")), MalformedFrame);
});

test("stored promises are parsed back", () => {
  const states: StoredPromises[] = [NO_PROMISES, { promised: ballot, accepted, last }];
  for (const state of states) assert.deepEqual(readStoredPromises(writeStoredPromises(state)), state);
});

test("a certificate is parsed back, and one that is too short is none", () => {
  const votes = ["a", "bb", "ccc"].map((spki) => ({ spki, signature: `signature of ${spki}` }));
  for (const path of [[], ["p".repeat(32), "q".repeat(32)]]) {
    const bytes = writeCertificate({ ballot, path, votes });
    assert.deepEqual(readCertificate(bytes), { ballot, path, votes });
    assert.equal(readCertificate(bytes.subarray(0, -1)), null);
    assert.deepEqual(readCertificate(writeCertificate({ ballot, path, votes: [] }))?.votes, []);
    const end = writeCertificate({ ballot, path, votes: [] }).length;
    if (path.length > 0) assert.equal(readCertificate(bytes.subarray(0, end - 1)), null);
  }
  assert.equal(readCertificate(Buffer.from("signature")), null);
});

test("ballots are ordered by list, round, member and attempt", () => {
  const later: Ballot[] = [
    { ...ballot, attempt: 3 },
    { ...ballot, member: "n".repeat(32), attempt: 0 },
    { ...ballot, round: 4, member: "a".repeat(32), attempt: 0 },
    { ...ballot, list: 8, round: 1, attempt: 0 },
  ];
  let before: Ballot | null = ballot;
  assert.ok(compareBallots(null, ballot) < 0);
  for (const next of later) {
    assert.ok(compareBallots(before, next) < 0 && compareBallots(next, before) > 0);
    before = next;
  }
  assert.equal(compareBallots(ballot, { ...ballot }), 0);
});

test("a vote's signature covers that it is a vote, the cluster, the ballot, the slot, the number of decisions and their root", () => {
  const cluster = "c".repeat(32);
  const signed = voteBytes(cluster, vote).toString("latin1");
  const others = [
    proposalBytes(cluster, vote),
    voteBytes("x".repeat(32), vote),
    voteBytes(cluster, { ...vote, slot: 10 }),
    voteBytes(cluster, { ...vote, count: 2 }),
    voteBytes(cluster, { ...vote, root: "e".repeat(32) }),
    voteBytes(cluster, { ...vote, ballot: { ...ballot, attempt: 3 } }),
  ];
  for (const other of others) assert.notEqual(other.toString("latin1"), signed);
});
