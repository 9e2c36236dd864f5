/** Tests decisions while one member of three lies: the others continue to decide. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Proposal } from "../../../../../daemon/cluster/peers/decisions/decision-types.js";
import { VoteCount } from "../../../../../daemon/cluster/peers/decisions/vote-count.js";
import {
  ATTEMPT_MAX,
  type Ballot,
  type DecisionMessage,
  type Evidence,
  proposalBytes,
  ROUND_MAX,
  readBallot,
  type Vote,
  voteBytes,
  writeBallot,
  writeCertificate,
} from "../../../../../protocol/members/decision-messages.js";
import { readEntries, writeEntries } from "../../../../../protocol/members/member-elements.js";
import { LIST_MEMBERS_MAX } from "../../../../../protocol/members/member-list.js";
import type { MemberSignature } from "../../../../../protocol/members/member-signature.js";
import { CLUSTER, idOf, idOfBody, listOf, type Member, signedBy, World } from "./simulated-members.js";

const NAMES = ["a", "b", "liar"];
const LIST = listOf(1, NAMES);
/** The later ballots of the liar. */
const ballotOf = (fields: Partial<Ballot> = {}): Ballot => ({
  list: 1,
  listHash: LIST.hash,
  round: 1,
  member: idOf("liar"),
  attempt: 0,
  ...fields,
});

const NO_DECISION = { slot: 0, orderKey: null, list: 0 };

/** Starts the honest members of a list whose third member lies. */
function honestMembers(): { world: World; members: [Member, Member] } {
  const world = new World(1);
  const members = NAMES.map((name) => world.add(name));
  for (const member of members) member.lists = [LIST];
  const [a, b] = members as [Member, Member];
  for (const member of [a, b]) member.start();
  return { world, members: [a, b] };
}

function lie(members: readonly Member[], message: DecisionMessage): void {
  for (const member of members) member.receive(idOf("liar"), message);
}

/** Expects that the honest members decide a new unit. */
async function expectDecision(world: World, members: readonly Member[]): Promise<void> {
  const [first] = members as [Member];
  const cas = world.submit(first, members, "x");
  await world.scheduler.runUntil(world.scheduler.time + 5_000);
  for (const member of members)
    assert.ok(member.decisionOn(cas.id) !== null, `${member.name} has the decision`);
}

const voteOf = (spki: string, root: string, ballot = ballotOf()): Vote => {
  const vote = { ballot, slot: 1, count: 1, root };
  return { ...vote, spki, signature: signedBy(spki, voteBytes(CLUSTER, vote)) };
};

/** Returns a proposal of the liar. */
function proposalOf(ballot: Ballot, body: Buffer, evidence: Evidence | null = null): DecisionMessage {
  const { slot } = JSON.parse(body.toString("latin1")) as { slot: number };
  const signed = signedProposal("key of liar", { ballot, slot, count: 1, root: idOfBody(body) });
  return { kind: "propose", ballot, bodies: [body], signed, evidence };
}

function signedProposal(spki: string, proposal: Parameters<typeof proposalBytes>[1]): MemberSignature {
  return { spki, signature: signedBy(spki, proposalBytes(CLUSTER, proposal)) };
}

test("a ballot above the last attempt is malformed", () => {
  const last = ballotOf({ round: ROUND_MAX, attempt: ATTEMPT_MAX });
  assert.deepEqual(readBallot(writeBallot(last)), last);
  assert.equal(readBallot(writeBallot(ballotOf({ attempt: ATTEMPT_MAX + 1 }))), null);
});

const INVENTED: readonly [what: string, ballot: Ballot][] = [
  ["the last round", ballotOf({ round: ROUND_MAX })],
  ["the last round of the receiver", ballotOf({ round: ROUND_MAX, member: idOf("a") })],
  ["another number of the list", ballotOf({ list: 0xffffffff })],
  ["another list", ballotOf({ list: 0xffffffff, listHash: "f".repeat(32) })],
  ["a keeper that is no member", ballotOf({ round: 1000, member: "f".repeat(32) })],
];
for (const [what, ballot] of INVENTED)
  test(`members decide although a liar names a ballot with ${what}`, async () => {
    const { world, members } = honestMembers();
    for (const kind of ["outvoted", "promise-request"] as const) lie(members, { kind, ballot });
    await expectDecision(world, members);
    for (const { stored } of members) assert.ok((stored?.promised?.round ?? 0) < 10, "few rounds are used");
    for (const kind of ["outvoted", "promise-request"] as const) lie(members, { kind, ballot });
    await expectDecision(world, members);
  });

test("members decide although a liar names a much later ballot to one of them only", async () => {
  const { world, members } = honestMembers();
  const [a] = members;
  lie([a], { kind: "promise-request", ballot: ballotOf({ round: 2 ** 40 }) });
  await world.scheduler.runUntil(500);
  assert.equal(a.stored?.promised?.round, 2 ** 40);
  await expectDecision(world, members);
});

/** Lets the honest members have promised rounds of their own ballots before their start. */
function promisedBefore(members: readonly Member[], rounds: readonly number[]): void {
  for (const [index, member] of members.entries()) {
    member.stop();
    const promised = ballotOf({ round: rounds[index] as number, member: member.id });
    member.stored = { promised, accepted: null, last: NO_DECISION };
    member.start();
  }
}

test("a member that was away accepts the rounds of the others", async () => {
  const { world, members } = honestMembers();
  promisedBefore(members, [5_000_000, 1]);
  await expectDecision(world, members);
});

test("members decide although both have promised a round above the date, because their clocks were wrong", async () => {
  const { world, members } = honestMembers();
  promisedBefore(members, [2 ** 47, 2 ** 47]);
  await expectDecision(world, members);
});

test("a member that has lost its promises votes again after a liar that named the last round answers", async () => {
  const { world, members } = honestMembers();
  const [a, b] = members;
  const c = world.members.get(idOf("liar")) as Member;
  await expectDecision(world, members);

  b.stop();
  b.loseDisk();
  b.start();
  world.scheduler.after(100, null, () => {
    for (const round of [ROUND_MAX, ROUND_MAX - 1])
      lie([b], { kind: "outvoted", ballot: ballotOf({ round, member: a.id }) });
  });
  await world.scheduler.runUntil(world.scheduler.time + 500);
  assert.equal(b.decisions?.isAmnesic, true);

  c.start();
  for (let count = 0; count < 50; count++) world.exchange();
  await world.scheduler.runUntil(world.scheduler.time + 5_000);
  assert.equal(b.decisions?.isAmnesic, false);

  a.stop();
  await expectDecision(world, [b, c]);
});

test("a keeper is replaced immediately if it is not connected, and otherwise after a pause", async () => {
  const { world, members } = honestMembers();
  const [a] = members;
  const promisedAfter = async (round: number): Promise<number | undefined> => {
    lie([a], { kind: "promise-request", ballot: ballotOf({ round }) });
    await world.scheduler.runUntil(world.scheduler.time + 20);
    return a.stored?.promised?.round;
  };
  for (const round of [1, 2, 3]) assert.equal(await promisedAfter(round), round);

  const liar = world.members.get(idOf("liar")) as Member;
  liar.start();
  liar.receive = () => {};
  assert.equal(await promisedAfter(4), 3, "its first turn was less than 2 s ago");

  liar.stop();
  assert.equal(await promisedAfter(5), 5);
  liar.start();
  await world.scheduler.runUntil(world.scheduler.time + 2_000);
  assert.equal(await promisedAfter(6), 6);
});

test("a member answers a bounded number of one member's requests per second", async () => {
  const { world, members } = honestMembers();
  const [a] = members;
  let saved = 0;
  const { send } = world;
  world.send = (from, to, message) => {
    if (message.kind === "promise") saved++;
    send.call(world, from, to, message);
  };

  const liar = world.members.get(idOf("liar")) as Member;
  liar.start();
  liar.receive = () => {};
  for (let attempt = 0; attempt < 2_000; attempt++)
    lie([a], { kind: "promise-request", ballot: ballotOf({ attempt }) });
  await world.scheduler.runUntil(500);

  assert.ok(saved > 0 && saved <= 100, `${saved} promises`);
  await expectDecision(world, members);
});

test("a proposal that is outvoted does not replace one that a member cannot judge yet", async () => {
  const { world, members } = honestMembers();
  await expectDecision(world, members);
  const isKeeper = ({ id, stored }: Member): boolean => stored?.promised?.member === id;
  const [keeper, voter] = [members.find(isKeeper), members.find((member) => !isKeeper(member))];
  assert.ok(keeper !== undefined && voter !== undefined);

  const cas = world.casOf(keeper, "y");
  voter.objectsTo.add(cas.id);
  const previous = keeper.decisions?.last.orderKey;
  const invented = {
    slot: 2,
    index: 0,
    count: 1,
    previous,
    at: voter.clock + 1_000,
    cas: null,
    isApplied: false,
  };
  const outvoted = proposalOf(ballotOf({ round: 0 }), Buffer.from(JSON.stringify(invented)));

  keeper.decisions?.submit(world.unitOf(cas));
  for (let time = 0; time < 100; time += 10) {
    await world.scheduler.runUntil(world.scheduler.time + 10);
    lie([voter], outvoted);
  }

  voter.objectsTo.clear();
  await world.scheduler.runUntil(world.scheduler.time + 100);
  assert.ok(world.decidedUnits.has(cas.id), "the keeper does not have to repeat it");
});

test("a vote that names another number of decisions does not count, because no certificate with it is valid", async () => {
  const { world, members } = honestMembers();
  const [a, b] = members;
  const cas = world.casOf(a, "x");
  b.objectsTo.add(cas.id);

  let votes = 0;
  world.trace = (from, to, message) => {
    if (message.kind !== "propose" || from !== a.id || to !== b.id) return;
    const [body] = message.bodies as [Buffer];
    const wrong = { ballot: message.ballot, slot: 1, count: 2, root: idOfBody(body) };
    const signature = signedBy("key of liar", voteBytes(CLUSTER, wrong));
    lie([a], { kind: "vote", vote: { ...wrong, spki: "key of liar", signature } });
    votes++;
  };

  a.decisions?.submit(world.unitOf(cas));
  await world.scheduler.runUntil(2_000);
  assert.ok(votes > 0, "it has voted for a proposal");
  assert.ok(!world.decidedUnits.has(cas.id), "only the keeper agrees");
});

test("a member verifies a bounded number of votes per second", () => {
  const { world, members } = honestMembers();
  const [a] = members;
  for (let round = 0; round < 2_000; round++)
    lie([a], { kind: "vote", vote: voteOf("key of liar", "d".repeat(32), ballotOf({ round })) });
  assert.ok(world.verified > 0 && world.verified <= 100, `${world.verified} signatures`);
});

test("members decide although a liar repeats a request for promises, and proposes nothing", async () => {
  const { world, members } = honestMembers();
  const ask = (): void => {
    lie(members, { kind: "promise-request", ballot: ballotOf() });
    world.scheduler.after(100, null, ask);
  };
  ask();
  await expectDecision(world, members);
});

test("members decide although a liar's proposal leaves no later attempt", async () => {
  const { world, members } = honestMembers();
  const [a] = members;
  const body = Buffer.from(
    JSON.stringify({
      slot: 1,
      index: 0,
      count: 1,
      previous: null,
      at: 1,
      cas: world.casOf(a, "y"),
      isApplied: false,
    }),
  );
  lie(members, proposalOf(ballotOf({ attempt: ATTEMPT_MAX }), body));
  await world.scheduler.runUntil(500);
  await expectDecision(world, members);
  for (const { stored } of members) assert.ok((stored?.promised?.attempt ?? 0) <= ATTEMPT_MAX);
});

test("a keeper goes on after an objection with the last possible date", async () => {
  const { world, members } = honestMembers();
  const [a, b] = members;
  const link = [a.id, b.id].sort().join("");
  world.trace = (from, _to, message) => {
    if (message.kind !== "propose" || from !== a.id) return;
    // The other member does not receive the first proposal.
    if (message.ballot.attempt === 0) world.cut.add(link);
    world.scheduler.after(100, null, () => world.cut.delete(link));
    const ballot = { ...message.ballot, attempt: message.ballot.attempt + 1 };
    const notBefore = Number.MAX_SAFE_INTEGER;
    if (ballot.attempt === 1)
      lie([a], { kind: "promise", ballot, last: NO_DECISION, accepted: null, notBefore, objected: [] });
  };
  const cas = world.submit(a, [a], "x");
  await world.scheduler.runUntil(40_000);
  for (const member of [a, b]) assert.ok(member.decisionOn(cas.id) !== null, member.name);
});

test("a keeper proposes although a liar promises with a later decision that nobody else has", async () => {
  const { world, members } = honestMembers();
  const [a, b] = members;
  world.trace = (from, _to, message) => {
    if (message.kind !== "promise-request") return;
    const last = { slot: 9, orderKey: { at: 1_700_000_000_500, seq: 0, id: "i".repeat(32) }, list: 1 };
    const receiver = from === a.id ? a : b;
    lie([receiver], {
      kind: "promise",
      ballot: message.ballot,
      last,
      accepted: null,
      notBefore: 0,
      objected: [],
    });
  };
  await expectDecision(world, members);
});

test("a keeper does not believe which list has made a decision that it cannot check", async () => {
  const { world, members } = honestMembers();
  const [a] = members;
  a.prunedTo = 1_700_000_000_000;
  const last = { slot: 9, orderKey: { at: 1, seq: 0, id: "i".repeat(32) }, list: 1000 };
  world.trace = (_from, to, message) => {
    if (message.kind === "promise-request" && to === idOf("b"))
      lie([a], { kind: "promise", ballot: message.ballot, last, accepted: null, notBefore: 0, objected: [] });
  };
  world.submit(a, [a], "x");
  await world.scheduler.runUntil(2_000);
  assert.deepEqual(a.decisions?.last, { ...last, list: 0 });
});

test("a member that believes in an invented decision returns to the others' with their next one", async () => {
  const { world, members } = honestMembers();
  const [a, b] = members;
  const c = world.members.get(idOf("liar")) as Member;
  c.start();
  b.prunedTo = 1_700_000_000_000;

  const invented = {
    slot: 100,
    previous: { at: 1, seq: 0, id: "i".repeat(32) },
    at: 1_700_000_000_001,
    cas: world.casOf(a, "y"),
    isApplied: false,
  };

  b.decisions?.receive(c.id, proposalOf(ballotOf({ round: 1 }), Buffer.from(JSON.stringify(invented))));
  assert.equal(b.decisions?.last.slot, 99);
  assert.equal(b.decisions?.last.list, 0, "the number of the list is not believed");

  await world.scheduler.runUntil(1_000);
  await expectDecision(world, [a, c]);
  for (let count = 0; count < 50; count++) world.exchange();
  c.stop();
  await expectDecision(world, members);
});

test("a member that believes in an invented decision does not return to a decision before a missing one", async () => {
  const { world, members } = honestMembers();
  const [a, b] = members;
  const c = world.members.get(idOf("liar")) as Member;
  c.start();
  b.prunedTo = 1_700_000_000_000;
  world.cut.add([a.id, b.id].sort().join("")).add([b.id, c.id].sort().join(""));

  const last = { slot: 99, orderKey: { at: 1, seq: 0, id: "i".repeat(32) }, list: 1 };
  const invented = {
    slot: 100,
    index: 0,
    count: 1,
    previous: last.orderKey,
    at: 1_700_000_000_001,
    cas: null,
    isApplied: false,
  };
  b.decisions?.receive(c.id, proposalOf(ballotOf({ round: 1 }), Buffer.from(JSON.stringify(invented))));
  assert.equal(b.decisions?.last.slot, 99);

  for (let count = 0; count < 2; count++) await expectDecision(world, [a, c]);
  const [first, second] = [...a.entries.values()];
  assert.ok(first !== undefined && second !== undefined);
  b.add(second);
  assert.equal(b.decisions.last.slot, 99);
  b.add(first);
  assert.equal(b.decisions.last.slot, 1);

  world.cut.clear();
  await expectDecision(world, members);
  assert.equal(b.decisions.last.slot, 3);
});

test("a member objects to a proposal after an invented decision, which other members could never find", async () => {
  const { world, members } = honestMembers();
  const [a, b] = members;
  await expectDecision(world, members);
  const { orderKey } = a.decisions?.last ?? {};
  assert.ok(orderKey != null);

  let objections = 0;
  world.trace = (_from, to, { kind }) => {
    if (to === idOf("liar") && kind === "promise") objections++;
  };
  world.isConnected = (_one, other) => other === idOf("liar") || world.members.get(other)?.isUp === true;

  for (const [count, previous] of [
    { ...orderKey, at: 1 },
    { ...orderKey, id: "i".repeat(32) },
  ].entries()) {
    const decision = {
      slot: 2,
      index: 0,
      count: 1,
      previous,
      at: a.clock + 1,
      cas: world.casOf(a, "y"),
      isApplied: true,
    };

    // A further attempt is part of the liar's turn. Another turn would be ignored.
    const ballot = ballotOf({ round: 1_000, attempt: count });
    lie(members, proposalOf(ballot, Buffer.from(JSON.stringify(decision))));
    await world.scheduler.runUntil(world.scheduler.time + 300);
    for (const { stored } of [a, b]) assert.notEqual(stored?.accepted?.proposal.slot, 2);
    assert.equal(objections, 2 * (count + 1));
  }

  await expectDecision(world, members);
});

/** A decision with a wrong outcome: the condition of its unit does not hold. */
function wrongDecision(world: World, at: Member): { readonly body: Buffer; readonly id: string } {
  const cas = { ...world.casOf(at, "x"), expects: "another writer" };
  const decision = {
    slot: 1,
    index: 0,
    count: 1,
    previous: null,
    at: at.clock + 1_000,
    cas,
    isApplied: true,
  };
  const body = Buffer.from(JSON.stringify(decision));
  return { body, id: idOfBody(body) };
}

/** Expects that the members decide, but not as the liar wants it. */
async function expectOwnDecision(world: World, members: readonly Member[]): Promise<void> {
  await expectDecision(world, members);
  for (const { cas, isApplied } of world.decidedUnits.values())
    assert.ok(!isApplied || cas?.expects === "", "a unit whose condition does not hold is not applied");
}

/** The evidence of a liar: its vote for a decision, and a signature that the keeper of the ballot has not made. */
function falseEvidence(decision: string, ballot: Ballot, signer: string): Evidence {
  const vote = voteOf("key of liar", decision, ballot);
  return { vote, proposal: signedProposal(signer, vote) };
}

for (const [which, round, isStored] of [
  ["its own ballot", 2, false],
  ["a later ballot", 3, false],
  ["an earlier ballot", 1, true],
] as const)
  test(`a member ${isStored ? "accepts" : "evaluates"} a proposal with evidence of ${which}`, async () => {
    const { world, members } = honestMembers();
    const [a] = members;
    const { body, id } = wrongDecision(world, a);
    const ballot = ballotOf({ round: 2 });
    const vote = voteOf("key of b", id, ballotOf({ round }));
    lie([a], proposalOf(ballot, body, { vote, proposal: signedProposal("key of liar", vote) }));
    await world.scheduler.runUntil(100);
    assert.equal(a.stored?.accepted?.proposal.root === id, isStored);
  });

/** The keepers of the ballots in which the liar claims to have voted, and whose key signs the proposal. */
const FALSE_EVIDENCE: readonly [keeper: string, signer: string][] = [
  ["a", "key of liar"],
  ["liar", "key of liar"],
  ["no member", "key of no member"],
];

for (const [keeper, signer] of FALSE_EVIDENCE) {
  test(`members evaluate a proposal with a liar's vote in a ballot of ${keeper}`, async () => {
    const { world, members } = honestMembers();
    const { body, id } = wrongDecision(world, members[0]);
    const ballot = ballotOf({ round: 2 });
    lie(members, { kind: "promise-request", ballot });
    const evidence = falseEvidence(id, ballotOf({ member: idOf(keeper) }), signer);
    lie(members, proposalOf(ballot, body, evidence));
    await world.scheduler.runUntil(100);
    lie(members, { kind: "vote", vote: voteOf("key of liar", id, ballot) });
    await expectOwnDecision(world, members);
  });

  test(`a keeper does not propose what a liar has voted for in a ballot of ${keeper}`, async () => {
    const { world, members } = honestMembers();
    const [a, b] = members;
    const { body, id } = wrongDecision(world, a);
    const evidence = falseEvidence(id, ballotOf({ round: 0, member: idOf(keeper) }), signer);
    world.trace = (from, _to, message) => {
      const receiver = from === a.id ? [a] : [b];
      if (message.kind === "propose")
        lie(receiver, { kind: "vote", vote: voteOf("key of liar", id, message.ballot) });
      if (message.kind !== "promise-request") return;
      const promise = {
        kind: "promise",
        ballot: message.ballot,
        last: NO_DECISION,
        notBefore: 0,
        objected: [],
      } as const;
      lie(receiver, { ...promise, accepted: { bodies: [body], evidence } });
    };
    await expectOwnDecision(world, members);
  });
}

test("members do not vote for a proposal without its keeper's signature, because it would be no evidence", async () => {
  const { world, members } = honestMembers();
  const [a, b] = members;
  const cas = world.casOf(a, "x");
  const decision = { slot: 1, index: 0, count: 1, previous: null, at: a.clock + 1, cas, isApplied: true };
  const ballot = ballotOf();
  const proposal = proposalOf(ballot, Buffer.from(JSON.stringify(decision)));
  const unsigned = { ...proposal, signed: signedProposal("key of b", voteOf("", "", ballot)) };
  lie(members, unsigned);
  await world.scheduler.runUntil(100);
  for (const { stored } of [a, b]) assert.equal(stored?.accepted ?? null, null);
  lie([a], proposal);
  await world.scheduler.runUntil(200);
  assert.notEqual(a.stored?.accepted ?? null, null);
});

test("a keeper does not count a vote under a list that can decide no more", async () => {
  const { world, members } = honestMembers();
  const [a, b] = members;
  const orderKey = { at: 1_699_999_999_000, seq: 0, id: "i".repeat(32) };
  const last = { slot: 1, orderKey, list: 2 };
  const lists = [LIST, listOf(2, NAMES)];

  for (const member of members) {
    member.stop();
    Object.assign(member, { lists, stored: member === a ? { promised: null, accepted: null, last } : null });
    member.start();
  }

  let hasProposed = false;
  world.trace = (_from, to, message) => {
    if (to !== b.id) return;
    if (message.kind === "propose") hasProposed = true;
    if (message.kind !== "promise-request") return;
    const decision = {
      slot: 2,
      index: 0,
      count: 1,
      previous: orderKey,
      at: a.clock,
      cas: world.casOf(a, "y"),
      isApplied: false,
    };
    const body = Buffer.from(JSON.stringify(decision));
    const accepted = { bodies: [body], evidence: falseEvidence(idOfBody(body), ballotOf(), "key of liar") };
    lie([a], { kind: "promise", ballot: message.ballot, last, notBefore: 0, objected: [], accepted });
  };

  world.submit(a, [a], "x");
  await world.scheduler.runUntil(2_000);
  assert.ok(hasProposed);
});

test("what the only member of a list may have decided is not evaluated by the next list's members", async () => {
  const world = new World(1);
  const [a, b] = [world.add("a"), world.add("b")];
  a.lists = [listOf(1, ["a"])];
  a.start();
  const cas = world.submit(a, [a], "x");
  await world.scheduler.runUntil(1_000);
  assert.ok(world.decidedUnits.get(cas.id)?.isApplied);
  a.stop();
  a.entries.clear();
  b.start();
  world.write(b, "x");
  for (const member of [a, b]) member.lists = [listOf(1, ["a"]), listOf(2, ["a", "b"])];
  a.start();
  await world.scheduler.runUntil(10_000);
  for (const member of [a, b]) assert.ok(member.decisionOn(cas.id) !== null, member.name);
});

test("a member that contradicts itself is reported once", () => {
  const { world, members } = honestMembers();
  const [a] = members;
  for (const letter of "abcdefgh") lie([a], { kind: "vote", vote: voteOf("key of liar", letter.repeat(32)) });
  assert.deepEqual([world.contradictions, world.verified], [1, 2]);
});

test("a certificate has the votes of a majority and no more, so that it fits into a message", () => {
  const names = Array.from({ length: LIST_MEMBERS_MAX }, (_, number) => `member ${number}`);
  const list = listOf(1, names);
  const votes = new VoteCount();
  const decision = {
    slot: 1,
    index: 0,
    count: 1,
    previous: null,
    at: 1,
    seq: 0,
    id: "d".repeat(32),
    unit: null,
    body: Buffer.alloc(9),
  };
  const proposal: Proposal = { slot: 1, decisions: [decision], root: decision.id };

  votes.addProposal(proposal, idOf("member 0"), 0);
  for (const name of names) votes.add(voteOf(`key of ${name}`, proposal.root), idOf(name));
  const made = votes.decisionsFrom(1, list);
  assert.equal(made?.votes.votes.length, names.length / 2 + 1);

  // A key of P-256 has 91 bytes, and its signatures at most 72.
  const long = { spki: "k".repeat(91), signature: "s".repeat(72) };
  const signature = writeCertificate({
    ballot: ballotOf(),
    path: [],
    votes: made.votes.votes.map(() => long),
  });
  assert.equal(readEntries(writeEntries([{ body: decision.body, signature }]))?.length, 1);
});

for (const isConnected of [false, true])
  test(`members decide although each keeper believes a ${isConnected ? "silent" : "stopped"} liar that clocks are later`, async () => {
    const { world, members } = honestMembers();
    const liar = world.members.get(idOf("liar")) as Member;
    liar.receive = () => {};
    if (isConnected) liar.start();

    world.aheadMs = 250;
    for (const member of members)
      Object.defineProperty(member, "clockOffset", {
        get: () => (member.stored?.promised?.member === member.id ? 1_900 : 0),
      });

    let objections = 0;
    world.trace = (_from, _to, message) => {
      if (message.kind === "promise" && message.notBefore > 0) objections++;
    };

    for (let count = 0; count < 5; count++) {
      const cas = world.submit(members[count % 2] as Member, members, "x");
      await world.scheduler.runUntil(world.scheduler.time + 3_000);
      for (const member of members) assert.ok(member.decisionOn(cas.id) !== null, `unit ${count}`);
    }
    assert.ok(objections > 0 && objections <= 10, `${objections} objections`);
  });

test("a keeper does not follow the clock of a single member that objects, if the others can decide", async () => {
  const { world, members } = honestMembers();
  const [a, b] = members;
  const c = world.members.get(idOf("liar")) as Member;
  c.start();
  world.aheadMs = 250;
  c.clockOffset = -1_900;
  // The vote of the other member arrives after the objection.
  world.savingMs = (member) => (member === b ? 200 : 1);
  for (let count = 0; count < 10; count++) {
    const cas = world.submit(a, [a], "x");
    await world.scheduler.runUntil(world.scheduler.time + 3_000);
    const { at } = a.decisionOn(cas.id) ?? assert.fail(`unit ${count}`);
    assert.ok(at >= cas.at, `${at - cas.at} ms`);
  }
});
