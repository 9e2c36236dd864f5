/** Tests the check of members' entries, which depends on their bytes alone. */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import type { ListHistory } from "../../../../daemon/cluster/members/list-history.js";
import { PatternBeginnings } from "../../../../daemon/cluster/peers/decisions/pattern-beginnings.js";
import type { ClusterState } from "../../../../daemon/cluster/peers/shared/cluster-state.js";
import { entryCheck, unitCheck } from "../../../../daemon/cluster/replica/check-entry.js";
import { introductionOf } from "../../../../daemon/cluster/replica/own-envelopes.js";
import { RING_BODY_BYTES_MAX } from "../../../../daemon/engine/pipeline/envelope-checks.js";
import { hashOf, type Identity, makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { signEnvelope } from "../../../../keys/signatures.js";
import { bytesOf } from "../../../../protocol/byte-string.js";
import { type Ballot, voteBytes, writeCertificate } from "../../../../protocol/members/decision-messages.js";
import { listHash, type MemberList, writeMemberList } from "../../../../protocol/members/member-list.js";
import { type Decision, writeDecision } from "../../../../protocol/version-2/decision-body.js";
import { type EnvelopeHeader, hexOf, signedBytes } from "../../../../protocol/version-2/envelope.js";
import { readHead } from "../../../../protocol/version-2/envelope-head.js";
import { pathsOf, rootOf } from "../../../../protocol/version-2/hash-tree.js";
import { double } from "../../../support/double.js";
import { makeKeyPair, type SignedEnvelope, signCommands } from "../../../support/envelope-client.js";
import { log } from "../../program/scene.js";

const pair = makeKeyPair("rsa");
const unknownKey = makeKeyPair();
const root = makeKeyPair();
/** The date from which there is no space for entries. */
const FAR = Date.UTC(2100, 0);

function sceneOf(rootKey: readonly string[] = []) {
  const signers = loadSigners({ signKey: [pair.file], rootKey, clusterName: "dbsync" }, log);
  const check = entryCheck(signers, null);
  const { cluster } = signers;
  const sign = (commands: readonly (readonly string[])[], header: Partial<EnvelopeHeader> = {}) =>
    signCommands(pair, commands, { cluster, ...header });
  const judge = ({ body, signature }: SignedEnvelope, held: readonly string[] = []) =>
    check(body, signature, { holds: ({ id }) => held.includes(id), hasRoom: ({ at }) => at < FAR });
  return { signers, cluster, sign, judge };
}

const introduced = ({ id, key }: Identity) => ({ id, privateKey: key });

test("a valid envelope is an entry with its id, regardless of its date", () => {
  const { judge, sign } = sceneOf();
  for (const at of [5, Date.now() + 86_400_000]) {
    const envelope = sign([["SET", "k", "v"]], { at });
    const entry = judge(envelope);
    assert.ok(typeof entry === "object" && "envelope" in entry);
    assert.deepEqual(
      [entry.id, entry.envelope.at, entry.envelope.commands],
      [envelope.id, at, [["SET", "k", "v"]]],
    );
  }
});

test("a stored entry is recognized by its id alone, even if it is sent with another signature", () => {
  const { judge, sign } = sceneOf();
  const valid = sign([["SET", "k", "v"]], { at: 5, seq: 7 });
  const again = { ...valid, signature: Buffer.alloc(256) };
  assert.deepEqual(judge(again, [valid.id]), { stored: { at: 5, seq: 7, id: valid.id } });
  assert.deepEqual(judge(again, ["x".repeat(32)]), { refused: "bad-signature" });
});

test("a revoked key's envelope is an entry, because only the fold knows whether it precedes the revocation", () => {
  const { judge, sign, signers } = sceneOf([root.file]);
  const administrator = signers.ring.find(root.id) ?? assert.fail();
  const revoke = ["KEY", "REVOKE", Buffer.from(pair.id, "latin1").toString("hex")];
  signers.ring.execute(revoke, { at: 5, db: 0, id: "" }, administrator);
  assert.ok(typeof judge(sign([["SET", "k", "v"]])) === "object");
});

test("a changed, misdirected or malformed envelope is refused, and an unknown key is reported as such", () => {
  const { judge, sign, cluster } = sceneOf();
  const valid = sign([["SET", "k", "v"]]);
  const flipped = Buffer.from(valid.body);
  flipped[flipped.length - 3] = 0x78;

  const refusals: [SignedEnvelope, RegExp][] = [
    [{ ...valid, body: flipped }, /bad-signature/],
    [{ ...valid, signature: Buffer.alloc(256) }, /bad-signature/],
    [sign([["SET", "k", "v"]], { cluster: "x".repeat(32) }), /wrong-cluster/],
    [sign([["SET", "k", "v"]], { only: "x".repeat(32) }), /wrong-daemon/],
    [sign([["SET", "k", "v"]], { db: 16 }), /wrong-db/],
    [sign([["PUBLISH", "news", "text"]]), /not recorded/],
    [sign([["spublish", "news", "text"]], { multi: true }), /not recorded/],
    [{ ...valid, body: Buffer.from("*0\r\n") }, /malformed/],
  ];

  for (const [envelope, reason] of refusals) {
    const judged = judge(envelope);
    assert.ok(typeof judged === "object" && "refused" in judged, String(reason));
    assert.match(judged.refused, reason);
  }
  assert.equal(judge(signCommands(unknownKey, [["SET", "k", "v"]], { cluster })), "unknown-signer");
});

test("an entry for the key ring is refused if it has other commands or is too long, regardless of its signer", () => {
  const { judge, sign, cluster } = sceneOf([root.file]);
  const list = ["KEY", "LIST"];
  const padded = (bytes: number, by: (commands: string[][]) => SignedEnvelope) => {
    const { length } = by([["KEY", "REVOKE", "0".repeat(200_000)]]).body;
    return by([["KEY", "REVOKE", "0".repeat(200_000 + bytes - length)]]);
  };
  const byRoot = (commands: string[][]) => signCommands(root, commands, { cluster });

  for (const [envelope, reason] of [
    [sign([list, ["SET", "k", "v"]]), /^not-alone/],
    [sign([["SET", "k", "v"], list], { multi: true }), /^not-alone/],
    [byRoot([["GET", "k"], ["cluster"]]), /^not-alone/],
    [padded(RING_BODY_BYTES_MAX + 1, sign), /^ring-too-long/],
    [padded(RING_BODY_BYTES_MAX + 1, byRoot), /^ring-too-long/],
  ] as const) {
    const judged = judge(envelope);
    assert.ok(typeof judged === "object" && "refused" in judged, String(reason));
    assert.match(judged.refused, reason);
  }

  const longest = padded(RING_BODY_BYTES_MAX, sign);
  assert.equal(longest.body.length, RING_BODY_BYTES_MAX);
  for (const accepted of [
    longest,
    sign([list, ["KEY", "REVOKE", "0"]]),
    sign([["SET", "k", "v".repeat(300_000)]]),
  ])
    assert.ok("envelope" in (judge(accepted) as object));
});

test("a daemon authorizes itself only if there are no administrators", () => {
  const identity = makeIdentity();
  const open = sceneOf();
  const introduction = [introductionOf(identity)];
  const valid = signCommands(introduced(identity), introduction, { cluster: open.cluster });
  assert.ok(typeof open.judge(valid) === "object" && "envelope" in (open.judge(valid) as object));
  const forged = open.judge({ ...valid, signature: Buffer.alloc(64) });
  assert.ok(typeof forged === "object" && "refused" in forged);
  const others = signCommands(introduced(makeIdentity()), introduction, { cluster: open.cluster });
  assert.equal(open.judge(others), "unknown-signer", "a different key from the one that signs");
  const ruled = sceneOf([root.file]);
  const refused = signCommands(introduced(identity), introduction, { cluster: ruled.cluster });
  assert.equal(ruled.judge(refused), "unknown-signer");
});

test("an envelope for another user is refused if a client signed it; for a key that was added later, the fold decides", () => {
  const { judge, signers, sign, cluster } = sceneOf([root.file]);
  const as = "ada";
  const byClient = judge(sign([["SET", "k", "v"]], { as }));
  assert.ok(typeof byClient === "object" && "refused" in byClient);
  assert.match(byClient.refused, /^not-a-daemon/);

  const identity = makeIdentity();
  const byDaemon = signCommands(introduced(identity), [["SET", "k", "v"]], { cluster, as });
  assert.equal(judge(byDaemon), "unknown-signer");
  const administrator = signers.ring.find(root.id) ?? assert.fail();
  signers.ring.execute(introductionOf(identity), { at: 5, db: 0, id: "" }, administrator);
  assert.ok("envelope" in (judge(byDaemon) as object));

  // Another daemon may know that this key is a daemon's key.
  const added = [
    "KEY",
    "ADD",
    createPublicKey(unknownKey.privateKey).export({ type: "spki", format: "pem" }).toString(),
  ];
  signers.ring.execute(added, { at: 5, db: 0, id: "" }, administrator);
  assert.ok("envelope" in (judge(signCommands(unknownKey, [["SET", "k", "v"]], { cluster, as })) as object));
});

test("an entry dated too far ahead to be stored is detected before its signature is checked", () => {
  const { judge, sign } = sceneOf();
  const far = sign([["SET", "k", "v"]], { at: FAR });
  assert.equal(judge({ ...far, signature: Buffer.alloc(256) }), "no-room");
  assert.deepEqual(judge(far, [far.id]), { stored: { at: FAR, seq: 0, id: far.id } });
});

const members = [makeIdentity(), makeIdentity(), makeIdentity()];

/** Returns what a list's members decide on an envelope, and how a daemon that knows the list judges it. */
function decisionScene(isProved = true) {
  const { signers, cluster, sign } = sceneOf();
  const ids = members.map(({ id }) => id).sort();
  const list: MemberList = { cluster, number: 1, parents: [], members: ids, removed: [] };
  const hash = listHash(list, hashOf);
  const missed: string[] = [];
  const signedList = (one: MemberList) => {
    const { body } = sign([["CLUSTER", "MEMBERS", writeMemberList(one)]]);
    return { list: one, hash: listHash(one, hashOf), body };
  };

  const others = [makeIdentity().id, makeIdentity().id].sort();
  const later = { cluster, number: 2, parents: [hash], members: others, removed: ids };
  const known = [signedList(list), signedList(later)];
  const lists = {
    find: (wanted: string) => known.find((one) => one.hash === wanted) ?? null,
    isProved: () => isProved,
    miss: (wanted: string) => void missed.push(wanted),
  };
  const check = entryCheck(signers, lists as unknown as ListHistory);

  const ballot = { list: 1, listHash: hash, round: 1, member: ids[0] as string, attempt: 0 };
  const bodyOf = (unit: SignedEnvelope | null, more: Partial<Decision> = {}) =>
    writeDecision({
      slot: 1,
      index: 0,
      count: 1,
      previous: null,
      at: 7,
      seq: 0,
      outcomes: ["applied"],
      unit,
      ...more,
    });

  const certify = (
    body: Buffer,
    voters: readonly Identity[],
    by: Ballot = ballot,
    slot = 1,
    { bodies = [body], path = null as readonly string[] | null } = {},
  ) => {
    const ids = bodies.map((one) => hashOf(signedBytes(one)));
    const bytes = voteBytes(cluster, { ballot: by, slot, count: ids.length, root: rootOf(ids, hashOf) });
    const votes = voters.map(({ spki, key }) => ({ spki, signature: bytesOf(signEnvelope(bytes, key)) }));
    const own = path ?? (pathsOf(ids, hashOf)[bodies.indexOf(body)] as string[]);
    return writeCertificate({ ballot: by, path: own, votes });
  };

  const judge = (body: Buffer, signature: Buffer, held = "") =>
    check(body, signature, { holds: ({ id }) => id === held, hasRoom: () => true });
  const revoke = (at: number) => {
    const { ring } = signers;
    const key = ring.find(readHead(signedList(list).body).key) ?? assert.fail();
    ring.execute(["KEY", "REVOKE", hexOf(key.id)], { at, db: 0, id: "" }, key);
  };
  return { signers, sign, ballot, bodyOf, certify, judge, missed, check, revoke };
}

test("a decision with the votes of a majority of its list is an entry at its position", () => {
  const { sign, bodyOf, certify, judge } = decisionScene();
  const unit = sign([["SET", "lock", "a", "NX"]], { decide: true, at: 5 });
  for (const body of [bodyOf(unit), bodyOf(null, { outcomes: ["unmet"] })]) {
    const entry = judge(body, certify(body, members.slice(1)));
    assert.ok(typeof entry === "object" && "envelope" in entry);
    assert.deepEqual([entry.envelope.at, entry.envelope.decided?.slot], [7, 1]);
    assert.ok("stored" in (judge(body, Buffer.alloc(0), entry.id) as object));
  }
});

test("one majority of votes proves each decision of a proposal, and no other", () => {
  const { bodyOf, certify, judge } = decisionScene();
  const previous = { at: 6, seq: 0, id: "p".repeat(32) };
  const bodies = [0, 1, 2].map((index) => {
    const place = { slot: 5 + index, index, count: 3, previous, at: 7 + index };
    return bodyOf(null, { ...place, outcomes: ["unmet"] });
  });

  const voters = members.slice(1);
  for (const body of bodies) {
    const entry = judge(body, certify(body, voters, undefined, 5, { bodies }));
    assert.ok(typeof entry === "object" && "envelope" in entry);
  }

  const [first, second] = bodies as [Buffer, Buffer];
  const other = bodyOf(null, { slot: 6, index: 1, count: 3, previous, at: 8, outcomes: ["applied"] });
  const refusals: [Buffer, Buffer, RegExp][] = [
    [other, certify(second, voters, undefined, 5, { bodies }), /signature of a vote/],
    [second, certify(first, voters, undefined, 5, { bodies }), /signature of a vote/],
    [second, certify(second, voters, undefined, 5, { bodies, path: [] }), /path/],
    [second, certify(second, voters, undefined, 6, { bodies }), /signature of a vote/],
  ];

  for (const [body, signature, reason] of refusals) {
    const checked = judge(body, signature);
    assert.ok(typeof checked === "object" && "refused" in checked);
    assert.match(checked.refused, reason);
  }
});

test("the members of an earlier list can decide by themselves, also after a later list has evicted them", () => {
  const { bodyOf, certify, judge } = decisionScene();
  const body = bodyOf(null, {
    outcomes: ["unmet"],
    at: 1_000,
    slot: 9,
    previous: { at: 7, seq: 0, id: "p".repeat(32) },
  });
  const entry = judge(body, certify(body, members.slice(1), undefined, 9));
  assert.ok(typeof entry === "object" && "envelope" in entry);
});

test("a list whose signer's key was revoked decides no more, unless the lists in use follow it", () => {
  for (const isProved of [false, true]) {
    const { bodyOf, certify, judge, revoke } = decisionScene(isProved);
    revoke(8);
    const isUnknown = (at: number) => {
      const body = bodyOf(null, { outcomes: ["unmet"], at });
      return judge(body, certify(body, members)) === "unknown-list";
    };
    assert.deepEqual([isUnknown(7), isUnknown(8)], [false, !isProved]);
  }
});

test("a decision without enough votes, or on another envelope, is refused", () => {
  const { sign, ballot, bodyOf, certify, judge, missed } = decisionScene();
  const [one, two] = members as [Identity, Identity];
  const unit = sign([["SET", "lock", "a", "NX"]], { decide: true });
  const body = bodyOf(unit);

  const refusals: [Buffer, Buffer, RegExp][] = [
    [body, certify(body, [one]), /majority/],
    [body, certify(body, [one, one]), /a member has two votes/],
    [body, certify(body, [one, one, one, one]), /more votes than/],
    [body, certify(body, [one, makeIdentity()]), /not that of a member/],
    [body, certify(body, [one, two], ballot, 2), /signature of a vote/],
    [body, certify(body, [one, two], { ...ballot, list: 2 }), /number of the member list/],
    [body, Buffer.from("signature"), /without votes/],
  ];

  const others = [
    sign([["KEY", "LIST"]], { decide: true }),
    sign([["SET", "k", "v"]], { decide: true, cluster: "x".repeat(32) }),
    { ...unit, signature: Buffer.alloc(256) },
  ];
  for (const other of others) {
    const bytes = bodyOf(other);
    refusals.push([bytes, certify(bytes, [one, two]), /requested on keys|wrong-cluster|bad-signature/]);
  }

  for (const [bytes, signature, reason] of refusals) {
    const checked = judge(bytes, signature);
    assert.ok(typeof checked === "object" && "refused" in checked);
    assert.match(checked.refused, reason);
  }

  const unknown = { ...ballot, listHash: "u".repeat(32) };
  assert.equal(judge(body, certify(body, [one, two], unknown)), "unknown-list");
  assert.deepEqual(missed, ["u".repeat(32)]);
});

test("an envelope whose signer requests a decision is no entry of its own", () => {
  const { sign, judge } = decisionScene();
  const { body, signature } = sign([["SET", "k", "v"]], { decide: true });
  const checked = judge(body, signature);
  assert.ok(typeof checked === "object" && "refused" in checked);
  assert.match(checked.refused, /requested a decision/);
});

test("members decide on an envelope without decide only if it writes a decided key, or is about one pattern", () => {
  const { signers, cluster } = sceneOf([root.file]);
  const { ring } = signers;
  const daemon = makeIdentity();
  ring.addGenesis("daemon", bytesOf(createPublicKey(daemon.key).export({ type: "spki", format: "der" })));
  for (const [glob, isBegun] of [
    ["d:*", true],
    ["soon:*", false],
  ] as const)
    ring.patterns = ring.patterns.with({ glob, db: null, announcedAt: 5, isBegun });
  const check = unitCheck(signers);
  const state = double<ClusterState>({ timeline: { ring } });
  const beginnings = new PatternBeginnings(state, {
    stablePoint: () => 0,
    epoch: () => "",
    serial: () => 0,
    latestTaken: () => null,
  });
  const decides = (
    by: Parameters<typeof signCommands>[0],
    lines: string[],
    header: Partial<EnvelopeHeader> = {},
  ) => {
    const commands = lines.map((line) => line.split(" "));
    const unit = check(signCommands(by, commands, { cluster, ...header }), () => false);
    return unit !== null && beginnings.decidesOn(unit.envelope);
  };
  const [application, own] = [pair, introduced(daemon)];
  for (const by of [application, own]) {
    assert.ok(
      decides(by, ["SET d:a 1"]) && decides(by, ["SET a 1", "DEL a d:a"]) && decides(by, ["FLUSHALL"]),
    );
    assert.ok(!decides(by, ["SET a 1"]) && !decides(by, ["GET d:a"]));
  }
  // Another daemon may still record the same envelope of a client, but not that of a daemon.
  assert.deepEqual([decides(application, ["SET soon:a 1"]), decides(own, ["SET soon:a 1"])], [false, true]);

  for (const line of ["CLUSTER DECIDE x", "CLUSTER DECIDED soon:*", "CLUSTER UNDECIDE d:*"]) {
    assert.ok(decides(own, [line]), line);
    const more = [
      [line, "CLUSTER DECIDED soon:*"],
      [line, "KEY LIST"],
      ["KEY LIST", line],
    ];
    for (const lines of more) assert.ok(!decides(own, lines), lines.join("; "));
    assert.ok(!decides(own, [line], { multi: true }));
    assert.ok(!decides(own, [line], { if: [{ db: 0, key: "d:a", writer: "" }] }));
  }
});
