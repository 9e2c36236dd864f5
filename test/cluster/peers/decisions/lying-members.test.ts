/** Tests decisions while one member of three lies: the others continue to decide. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DecisionMessage } from "../../../../protocol/members/decision-messages.js";
import {
  type Ballot,
  ROUND_MAX,
  readBallot,
  writeBallot,
} from "../../../../protocol/members/decision-votes.js";
import { idOf, listOf, type Member, World } from "./simulated-members.js";

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

test("a ballot with the last round or attempt is malformed, and earlier ones can be followed by another", () => {
  for (const name of ["round", "attempt"] as const) {
    assert.deepEqual(
      readBallot(writeBallot(ballotOf({ [name]: ROUND_MAX }))),
      ballotOf({ [name]: ROUND_MAX }),
    );
    assert.equal(readBallot(writeBallot(ballotOf({ [name]: ROUND_MAX + 1 }))), null);
  }
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

test("members decide although a liar's proposal leaves no later attempt", async () => {
  const { world, members } = honestMembers();
  const [a] = members;
  const body = Buffer.from(
    JSON.stringify({ slot: 1, previous: null, at: 1, cas: world.casOf(a, "y"), isApplied: false }),
  );
  lie(members, { kind: "propose", ballot: ballotOf({ attempt: ROUND_MAX }), body, evidence: null });
  await world.scheduler.runUntil(500);
  await expectDecision(world, members);
  for (const { stored } of members) assert.ok((stored?.promised?.attempt ?? 0) <= ROUND_MAX);
});
