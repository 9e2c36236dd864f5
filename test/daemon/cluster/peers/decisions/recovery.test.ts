/** Tests when a member that has lost its promises votes again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  DecisionPorts,
  Proposal,
} from "../../../../../daemon/cluster/peers/decisions/decision-types.js";
import { Decisions } from "../../../../../daemon/cluster/peers/decisions/decisions.js";
import { NO_PROMISES } from "../../../../../protocol/members/decision-messages.js";
import { CLUSTER, listOf, type Member, World } from "./simulated-members.js";

const NAMES = ["a", "b", "c"];

/** Starts the members of a list. */
function threeMembers(): { world: World; members: [Member, Member, Member] } {
  const world = new World(1);
  const members = NAMES.map((name) => world.add(name)) as [Member, Member, Member];
  for (const member of members) {
    member.lists = [listOf(1, NAMES)];
    member.start();
  }
  return { world, members };
}

/** Cuts a member off from all others, or connects it again. */
function cutOff(world: World, member: Member, isCut: boolean): void {
  for (const other of world.members.values()) {
    const link = [member.id, other.id].sort().join("");
    if (isCut) world.cut.add(link);
    else world.cut.delete(link);
  }
}

/** Decides a unit at members that are up. @returns whether it was decided in some seconds */
async function decide(world: World, members: readonly Member[]): Promise<boolean> {
  const cas = world.submit(members[0] as Member, members, "x");
  await world.scheduler.runUntil(world.scheduler.time + 5_000);
  return world.decidedUnits.has(cas.id);
}

test("a member that lost its disk votes only when it has the decisions that the others have", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  assert.ok(await decide(world, members));

  cutOff(world, c, true);
  assert.ok(await decide(world, [a, b]), "the second decision, which c does not receive");
  const [first, second] = [...a.entries.values()];
  assert.ok(first !== undefined && second !== undefined && !c.entries.has(second.id));

  b.stop();
  b.loseDisk();
  b.start();
  cutOff(world, c, false);
  await world.scheduler.runUntil(world.scheduler.time + 2_000);
  assert.deepEqual(new Set(b.decisions?.missingPromises), new Set([a.id, c.id]), "it has no decision yet");

  let requests = 0;
  world.trace = (from, _to, { kind }) => {
    if (from === b.id && kind === "promise-request") requests++;
  };
  await world.scheduler.runUntil(world.scheduler.time + 2_000);
  assert.equal(requests, 0, "it does not disturb the others while it waits");
  world.trace = null;

  cutOff(world, a, true);
  b.add(first);
  assert.deepEqual(b.decisions?.missingPromises, [a.id], "only a has the second decision");
  assert.equal(await decide(world, [b, c]), false, "b may have voted for the second decision");
  for (const member of [b, c]) member.add(second);
  assert.ok(await decide(world, [b, c]));
  assert.deepEqual(b.decisions.missingPromises, []);

  cutOff(world, a, false);
  for (let count = 0; count < 100; count++) world.exchange();
  assert.ok(await decide(world, members));
});

test("a decision whose entry no member has is given up once all members have the same entries", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  cutOff(world, c, true);
  for (let count = 0; count < 3; count++) assert.ok(await decide(world, [a, b]));
  const [, lost] = [...a.entries.values()];
  assert.ok(lost !== undefined);

  // Its entry is damaged at both members before the third one has received it.
  for (const member of [a, b]) member.entries.delete(lost.id);
  for (const entry of a.entries.values()) c.add(entry);
  assert.equal(c.decisions?.last.slot, 1);
  await world.scheduler.runUntil(world.scheduler.time + 30_000);
  assert.equal(c.decisions.last.slot, 1, "the others may have it");

  cutOff(world, c, false);
  // A client writes all the time, so that the members never have all entries in common.
  const until = async (end: number): Promise<void> => {
    while (world.scheduler.time < end) {
      a.add({
        at: a.clock,
        seq: 0,
        id: `plain ${world.scheduler.time}`,
        key: "plain",
        decision: null,
        list: 0,
      });
      await world.scheduler.runUntil(world.scheduler.time + 500);
    }
  };

  await until(world.scheduler.time + 5_000);
  assert.equal(c.decisions.last.slot, 1, "they may be about to send it");
  await until(world.scheduler.time + 10_000);
  assert.equal(c.decisions.last.slot, 3);
  assert.ok(await decide(world, members));
});

test("members that restart after they pruned their last decision make further ones", async () => {
  const { world, members } = threeMembers();
  assert.ok(await decide(world, members));
  const [a, b, c] = members;
  for (const member of members) member.prunedTo = member.clock - 1;
  assert.ok(await decide(world, members), "they know the pruned decision");

  for (const member of members) member.prunedTo = member.clock - 1;
  for (const member of members) member.stop();
  for (const member of members) member.start();
  assert.equal(a.decisions?.last.slot, 1, "only their votes remain of the second one");
  assert.equal(a.decisions.openDate, a.stored?.accepted?.proposal.decisions[0].at);

  assert.ok(await decide(world, members));
  assert.deepEqual(
    [a, b, c].map(({ decisions }) => [decisions?.last.slot, decisions?.openDate]),
    [3, 3, 3].map((slot) => [slot, null]),
  );
});

test("a member that has not pruned a decision for which it has not voted follows the votes of the others", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  assert.ok(await decide(world, members));
  for (const member of [a, b]) member.prunedTo = member.clock - 1;
  for (const member of members) member.stop();
  c.stored = { promised: null, accepted: null, last: { slot: 0, orderKey: null, list: 0 } };
  c.start();
  const cas = world.submit(c, [c], "x");
  for (const member of [a, b]) member.start();

  await world.scheduler.runUntil(world.scheduler.time + 5_000);
  assert.ok(world.decidedUnits.has(cas.id));
  assert.equal(c.decisions?.last.slot, 2);
});

type Decided = Member["entries"] extends ReadonlyMap<string, infer Entry> ? Entry : never;

/** Returns the last decision that shares its proposal. */
const lastOfProposal = (decided: readonly Decided[]): Decided[] =>
  decided.filter(({ decision }) => (decision?.count ?? 0) > 1).slice(-1);

/**
 * Starts a cluster whose list keeps only a member that has some decisions of a proposal.
 * @param missingOf  returns the decisions that this member does not have
 */
async function withPartOfProposal(
  added: readonly string[],
  missingOf = lastOfProposal,
): Promise<{ world: World; later: Member[] }> {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  cutOff(world, c, true);
  const units = NAMES.map((name) => world.submit(a, [a, b], name));
  await world.scheduler.runUntil(world.scheduler.time + 5_000);
  assert.ok(units.every(({ id }) => world.decidedUnits.has(id)));
  const decided = [...a.entries.values()];
  const missing = missingOf(decided);
  assert.ok(missing.length > 0);
  for (const entry of decided) if (!missing.includes(entry)) c.add(entry);
  for (const member of [a, b]) member.stop();

  const later = [c, ...added.map((name) => world.add(name))];
  for (const member of later) {
    member.lists = [listOf(1, NAMES), listOf(2, ["c", ...added])];
    if (member !== c) member.start();
  }
  return { world, later };
}

test("a member knows up to which date it has all decisions", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  cutOff(world, c, true);
  for (const key of ["x", "y", "z"]) {
    world.submit(a, [a, b], key);
    await world.scheduler.runUntil(world.scheduler.time + 5_000);
  }

  const decided = [...a.entries.values()].map((entry) => ({ ...entry, at: entry.decision?.at ?? 0 }));
  const [first, second, third] = decided;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);

  const completeTo = () => c.decisions?.completeTo(true);
  assert.equal(completeTo(), Number.POSITIVE_INFINITY);
  assert.ok((c.decisions?.completeTo(false) ?? 0) < first.at, "its stored decisions are not known yet");
  c.add(first);
  assert.equal(completeTo(), Number.POSITIVE_INFINITY);
  c.add(third);
  assert.equal(completeTo(), first.at - 1, "the second one may have the same date");
  c.add(second);
  assert.equal(completeTo(), Number.POSITIVE_INFINITY);
});

test("a list of one member that has some decisions of a proposal continues after these", async () => {
  const { world, later } = await withPartOfProposal([]);
  const cas = world.submit(later[0] as Member, later, "y");
  await world.scheduler.runUntil(world.scheduler.time + 8_000);
  assert.ok(!world.decidedUnits.has(cas.id), "the others may be about to arrive");
  await world.scheduler.runUntil(world.scheduler.time + 8_000);
  assert.ok(world.decidedUnits.has(cas.id));
});

test("a member that misses the decisions before one that it has continues after it", async () => {
  for (const added of [[], ["d"]]) {
    const { world, later } = await withPartOfProposal(added, (decided) => decided.slice(0, -1));
    for (let count = 0; count < 100; count++) world.exchange();
    const decides = async () => {
      const units = ["x", "y", "z"].map((key) => world.submit(later[0] as Member, later, key));
      await world.scheduler.runUntil(world.scheduler.time + 8_000);
      return units.every(({ id }) => world.decidedUnits.has(id));
    };
    assert.equal(await decides(), false, "the earlier ones may be about to arrive");
    await decides();
    assert.ok(await decides());
  }
});

test("a member gives up a decision only 10 s after its own vote for it", () => {
  let now = 0;
  const decision = { index: 0, count: 1, seq: 0, unit: null, body: Buffer.alloc(0) };
  const first = { ...decision, slot: 1, at: 1, id: "first", previous: null };
  const proposal: Proposal = { slot: 1, decisions: [first], root: "first" };
  const current = { number: 1, hash: "list", members: new Set(["c", "d"]) };
  const ports: DecisionPorts = {
    own: { id: "c", spki: "c" },
    cluster: CLUSTER,
    sign: () => "",
    verify: () => true,
    hash: (bytes) => bytes.toString("latin1"),
    uptime: () => now,
    random: () => 0,
    nextTurn: (step) => step(),
    roundTrip: () => null,
    lists: () => ({ current, earlier: [], unknown: new Set() }),
    isConnected: () => true,
    majorityHeardAt: () => now,
    silentAfterMs: 5_000,
    isReady: () => true,
    send: () => {},
    save: (_, then) => then(),
    isPart: () => false,
    findDecision: () => null,
    areLevel: () => true,
    prunedTo: () => -1,
    propose: () => null,
    latestDate: () => 1_000_000,
    judge: () => "yes",
    read: () => proposal,
    proposableTo: () => 0,
    unitHead: () => null,
    readUnit: () => null,
    decided: () => {},
    contradicted: () => {},
  };
  const subject = new Decisions(ports, { promised: null, accepted: null, last: NO_PROMISES.last });
  const tickAt = (milliseconds: number) => {
    now = milliseconds;
    subject.tick();
    return subject.last.slot;
  };
  subject.folded([{ decision: { ...decision, slot: 2, at: 2, id: "second", previous: first }, list: 1 }]);
  assert.equal(tickAt(1), 0);
  assert.equal(tickAt(9_000), 0);

  const ballotOf = (member: string, round: number) => ({
    list: 1,
    listHash: "list",
    round,
    member,
    attempt: 0,
  });
  const signed = (spki: string) => ({ spki, signature: "" });
  const vote = { ballot: ballotOf("c", 1), slot: 1, count: 1, root: "first", ...signed("d") };
  subject.receive("d", {
    kind: "propose",
    ballot: ballotOf("d", 1_000),
    bodies: [first.body],
    signed: signed("d"),
    evidence: { vote, proposal: signed("c") },
  });
  assert.equal(subject.openDate, first.at, "it has voted");
  for (const milliseconds of [9_001, 9_002, 10_002, 19_000]) assert.equal(tickAt(milliseconds), 0);
  assert.equal(tickAt(19_002), 2);
});

test("a member that has some decisions of a proposal does not vote for others in their slots", async () => {
  const { world, later } = await withPartOfProposal(["d"]);
  const [, d] = later as [Member, Member];
  // Units that wait for long are given up, so that the client asks again.
  const decides = async () => {
    const cas = world.submit(d, [d], "y");
    await world.scheduler.runUntil(world.scheduler.time + 5_000);
    return world.decidedUnits.has(cas.id);
  };
  assert.equal(await decides(), false, "the new member knows no decision");
  for (let count = 0; count < 100; count++) world.exchange();
  for (let turns = 0; turns < 4; turns++) await decides();
  assert.ok(await decides());
});

test("a keeper that has some decisions of a proposal reports this while a member is missing", async () => {
  const { world, later } = await withPartOfProposal(["d", "e"]);
  const [c, , e] = later as [Member, Member, Member];
  for (let count = 0; count < 100; count++) world.exchange();
  e.stop();
  for (let turns = 0; turns < 6; turns++) {
    world.submit(c, later.slice(0, 2), "y");
    await world.scheduler.runUntil(world.scheduler.time + 5_000);
  }
  const causes = later.slice(0, 2).map(({ decisions }) => decisions?.undecided?.cause);
  assert.ok(causes.includes("incomplete"), causes.join());
});

test("a member that lost its promises names those that have answered, but not promised a ballot yet", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  assert.ok(await decide(world, members));
  c.stop();
  c.loseDisk();
  world.trace = (from, _to, message) => {
    // The first such request shows that all others have answered once.
    if (from === c.id && message.kind === "promise-request" && message.ballot.round > 0)
      cutOff(world, a, true);
  };
  c.start();
  await world.scheduler.runUntil(world.scheduler.time + 3_000);
  assert.ok(c.decisions?.missingPromises.includes(a.id));
  assert.equal(await decide(world, [b, c]), false);
});
