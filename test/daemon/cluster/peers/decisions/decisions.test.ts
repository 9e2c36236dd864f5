/** Tests decisions among simulated members: they never contradict each other, and are made while a majority runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Proposal } from "../../../../../daemon/cluster/peers/decisions/decision-types.js";
import { SignatureChecks } from "../../../../../daemon/cluster/peers/decisions/decisions.js";
import {
  type Ballot,
  compareBallots,
  proposalBytes,
  voteBytes,
} from "../../../../../protocol/members/decision-messages.js";
import { amount, skipUnlessFull } from "../../../../support/amount.js";
import { seed } from "../../../../support/seed.js";
import { until } from "../../../../support/until.js";
import { CLUSTER, idOf, listOf, type Member, signedBy, World } from "./simulated-members.js";

const NAMES = ["a", "b", "c", "d", "e"];
const KEYS = ["x", "y"];

/** Starts a world with members on one list. */
function worldOf(run: number, size: number): { world: World; members: Member[] } {
  const world = new World(run);
  const names = NAMES.slice(0, size);
  const members = names.map((name) => world.add(name));
  for (const member of members) {
    member.lists = [listOf(1, names)];
    member.clockOffset = world.random.below(200) - 100;
    member.start();
  }
  return { world, members };
}

/** Runs clients for a time. @param act  called every few milliseconds */
async function runFor(world: World, milliseconds: number, act: () => void): Promise<void> {
  const end = world.scheduler.time + milliseconds;
  while (world.scheduler.time < end) {
    act();
    await world.scheduler.runUntil(world.scheduler.time + world.random.below(20));
  }
}

/** Repairs everything, and expects that a new unit is decided at all members. */
async function expectProgress(world: World, members: readonly Member[]): Promise<void> {
  world.faults = { loss: 0, repeat: 0, delayMs: 3 };
  world.cut.clear();
  for (const member of members) if (!member.isUp) member.start();
  await runFor(world, 12_000, () => world.exchange());
  const [first] = members as [Member];
  const cas = world.submit(first, members, "last");
  await runFor(world, 3_000, () => world.exchange());
  for (const member of members)
    assert.ok(member.decisionOn(cas.id) !== null, `${member.name} has the decision`);
  for (const id of world.decidedUnits.keys())
    for (const member of members) assert.ok(member.decisionOn(id) !== null, "every decision is everywhere");
}

/** A client reads at a random member, and sends to some members. */
function clientActs(world: World): void {
  const member = world.pick(world.up);
  if (member === undefined) return;
  const key = world.pick(KEYS) as string;
  if (world.chance(0.2)) world.write(member, key);
  const to = world.up.filter(() => world.chance(0.7));
  if (world.chance(0.3)) world.submit(member, to, key);
  if (world.chance(0.3)) world.exchange();
}

test("two members that have lost their promises name each other, and vote again once one of them is replaced", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  await runFor(world, 1_000, () => clientActs(world));

  for (const member of [a, b]) {
    member.stop();
    member.loseDisk();
    member.start();
  }
  await runFor(world, 2_000, () => world.exchange());
  assert.deepEqual(a.decisions?.missingPromises, [b.id]);
  assert.deepEqual(b.decisions?.missingPromises, [a.id]);

  const cas = world.submit(c, members, "x");
  await runFor(world, 2_000, () => world.exchange());
  assert.ok(!world.decidedUnits.has(cas.id));

  a.stop();
  const d = world.add("d");
  const replaced = listOf(2, ["b", "c", "d"]);
  d.lists = [listOf(1, ["a", "b", "c"]), replaced];
  d.start();
  for (const member of [b, c]) member.lists = [...member.lists, replaced];
  await expectProgress(world, [b, c, d]);
  assert.deepEqual(b.decisions?.missingPromises, []);
});

test("nothing is decided by a member that has lost its disk and one other, until the third has answered", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  b.stop();
  c.stop();
  c.loseDisk();
  c.start();
  const cas = world.submit(a, [a, c], "x");
  await world.scheduler.runUntil(world.scheduler.time + 5_000);
  assert.equal(world.decidedUnits.size, 0);
  b.start();
  await world.scheduler.runUntil(world.scheduler.time + 5_000);
  assert.ok(world.decidedUnits.has(cas.id));
});

test("the keeper votes only if the other members do not make the decision, and immediately if one is down", async () => {
  const { world, members } = worldOf(seed(), 3);
  const voters = new Set<string>();
  world.trace = (from, _, message) => {
    if (message.kind === "vote") voters.add(from);
  };

  const decide = async (within: number): Promise<Member[]> => {
    voters.clear();
    const cas = world.submit(world.up[0] as Member, world.up, "x");
    await world.scheduler.runUntil(world.scheduler.time + within);
    assert.ok(world.decidedUnits.has(cas.id), `it is decided within ${within} ms`);
    await world.scheduler.runUntil(world.scheduler.time + 500);
    return members.filter(({ id }) => voters.has(id));
  };

  await decide(2_000);
  const keeper = members[0]?.stored?.promised?.member;
  const others = members.filter(({ id }) => id !== keeper);
  const [slow] = others as [Member];
  const both = members.filter((member) => member !== slow);
  assert.deepEqual(await decide(20), others);

  slow.stop();
  assert.deepEqual(await decide(20), both, "the other one is down");

  slow.start();
  slow.receive = () => {};
  Object.assign(slow.decisions ?? assert.fail(), { tick: () => {} });
  assert.deepEqual(await decide(60), both, "it hangs");
  assert.deepEqual(await decide(20), both, "and is known to hang");
});

test("the keeper does not vote for decisions that the other members have made, while it adds their entries", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [keeper, slow] = members as [Member, Member, Member];
  world.submit(keeper, [keeper], "x");
  await world.scheduler.runUntil(2_000);

  // The members act on messages only.
  for (const { decisions } of members) Object.assign(decisions ?? assert.fail(), { tick: () => {} });
  let votes = 0;
  const { send } = world;
  world.send = (from, to, message) => {
    if (message.kind === "vote" && from === keeper.id) votes++;
    // The keeper counts the votes first.
    if (message.kind !== "vote") send.call(world, from, to, message);
    else if (to === keeper.id)
      world.scheduler.after(from === slow.id ? 20 : 1, null, () => keeper.receive(from, message));
  };

  const units = ["u", "v", "w"].map((key) => world.submit(keeper, [keeper], key));
  await world.scheduler.runUntil(world.scheduler.time + 500);
  for (const { id } of units) assert.ok(world.decidedUnits.has(id));
  assert.equal(votes, 0);
});

test("contended keys make progress with one of three members down", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  for (const down of [a, b, c]) {
    down.stop();
    const running = world.up;
    await runFor(world, 2_000, () => {});
    const before = world.decidedUnits.size;
    await runFor(world, 2_000, () => world.submit(world.pick(running) as Member, running, "x"));
    assert.ok(world.decidedUnits.size - before > 50, `${world.decidedUnits.size - before} decisions`);
    down.start();
    await runFor(world, 1_000, () => world.exchange());
  }
});

test("a unit that some members cannot judge does not stop the others", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  const never = world.casOf(a, "z");
  for (const member of [b, c]) member.objectsTo.add(never.id);
  // The others do not have the units, so that they do not become the keeper.
  a.decisions?.submit(world.unitOf(never));
  await runFor(world, 1_000, () => {});
  const others = ["u", "v", "w", "x", "y"].map((key) => world.submit(a, [a], key));
  await runFor(world, 5_000, () => {});
  for (const { id } of others) assert.ok(world.decidedUnits.has(id));
  assert.ok(!world.decidedUnits.has(never.id));
  for (const member of [b, c]) member.objectsTo.clear();
  await runFor(world, 3_000, () => {});
  assert.ok(world.decidedUnits.has(never.id));
});

for (const isDoubtedFirst of [true, false])
  test(`a unit that has to wait stops no other one, also if members have objected to ${isDoubtedFirst ? "it" : "one after it"}`, async () => {
    const { world, members } = worldOf(seed(), 3);
    const [a, b, c] = members as [Member, Member, Member];

    const doubted = world.casOf(a, "doubted");
    for (const member of [b, c]) member.objectsTo.add(doubted.id);
    const first = isDoubtedFirst ? doubted : world.casOf(a, "first");
    if (!isDoubtedFirst) {
      world.overtaken.add(first.id);
      a.decisions?.submit(world.unitOf(first));
    }

    a.decisions?.submit(world.unitOf(doubted));
    await runFor(world, 1_000, () => {});
    world.overtaken.add(first.id);
    for (const member of [b, c]) member.objectsTo.clear();
    const next = world.submit(a, [a], "next");
    // Less than another member waits until it becomes the keeper.
    await runFor(world, 700, () => {});
    assert.ok(world.decidedUnits.has(next.id));
    if (!isDoubtedFirst) assert.ok(world.decidedUnits.has(doubted.id));
    assert.ok(!world.decidedUnits.has(first.id));
  });

test("a unit whose date has become too old since members objected to it stops no other one of its key", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  const doubted = world.casOf(a, "doubted", "app");
  for (const member of [b, c]) member.objectsTo.add(doubted.id);
  a.decisions?.submit(world.unitOf(doubted));
  // No unit is decided meanwhile, so that the last proposal remains possible.
  await runFor(world, 31_000, () => {});

  const next = world.submit(a, [a], "next", "app");
  await runFor(world, 1_000, () => {});
  assert.ok(world.decidedUnits.has(next.id));
  assert.ok(!world.decidedUnits.has(doubted.id));
});

test("a unit to which members have objected, and that cannot be proposed now, stops no other one of its key", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  const doubted = world.casOf(a, "doubted", "app");
  for (const member of [b, c]) member.objectsTo.add(doubted.id);
  a.decisions?.submit(world.unitOf(doubted));
  await runFor(world, 1_000, () => {});
  world.overtaken.add(doubted.id);
  // The members object to the last proposal with it after 150 ms.
  await runFor(world, 300, () => {});

  const next = world.submit(a, [a], "next", "app");
  await runFor(world, 1_000, () => {});
  assert.ok(world.decidedUnits.has(next.id));
  assert.ok(!world.decidedUnits.has(doubted.id));
});

test("a unit does not wait because members have objected to another one several times", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  const doubted = world.casOf(a, "doubted");
  for (const member of [b, c]) member.objectsTo.add(doubted.id);
  a.decisions?.submit(world.unitOf(doubted));
  await runFor(world, 5_000, () => {});

  const objectors = new Set<string>();
  world.trace = (from, _, message) => {
    if (message.kind === "promise" && message.objected.length > 0) objectors.add(from);
  };
  await until("both object again", () => objectors.size === 2, {
    pause: () => world.scheduler.runUntil(world.scheduler.time + 1),
  });
  await world.scheduler.runUntil(world.scheduler.time + 20);
  const next = world.submit(a, [a], "next");
  await world.scheduler.runUntil(world.scheduler.time + 100);
  assert.ok(world.decidedUnits.has(next.id));
});

test("members vote for each proposal although two of them are not connected, and do not count each other's votes", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  world.submit(a, [a], "first");
  await runFor(world, 1_000, () => {});
  world.cut.add(b.id < c.id ? `${b.id}${c.id}` : `${c.id}${b.id}`);
  let at = world.scheduler.time;
  let decided = world.decidedUnits.size;
  let idle = 0;
  for (let step = 0; step < 3_000; step++) {
    for (let unit = 0; unit < 3; unit++) world.submit(a, [a], `key ${world.units.size}`);
    await world.scheduler.runUntil(world.scheduler.time + 1);
    if (world.decidedUnits.size === decided) continue;
    const pause = world.scheduler.time - at;
    if (pause > 100) idle += pause;
    at = world.scheduler.time;
    decided = world.decidedUnits.size;
  }
  // If another member is the keeper, it may wait once until it repeats its proposal.
  assert.ok(idle < 600, `${idle} ms without a decision`);
});

test("a unit is sent to a keeper once it has sent its first status, and does not replace it", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b] = members as [Member, Member, Member];
  world.submit(a, [a], "first");
  await runFor(world, 1_000, () => {});
  world.unready.add(a.id);
  const unit = world.casOf(b, "x");
  b.decisions?.submit(world.unitOf(unit), true);
  await world.scheduler.runUntil(world.scheduler.time + 100);
  world.unready.clear();
  await world.scheduler.runUntil(world.scheduler.time + 100);
  assert.ok(world.decidedUnits.has(unit.id));
  assert.equal(b.stored?.promised?.member, a.id);
});

test("decisions continue without a pause while more units wait than members can decide in time", {
  skip: skipUnlessFull,
}, async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a] = members as [Member];
  world.syncEveryMs = 60;
  world.together = 1;
  for (let unit = 0; unit < 1_200; unit++) {
    const cas = { ...world.casOf(a, `key ${unit}`), at: a.clock + 60_000 };
    for (const { decisions } of members)
      decisions?.submit({ ...world.unitOf(cas), until: Number.POSITIVE_INFINITY });
  }

  let decided = 0;
  let longest = 0;
  for (let since = 0; world.scheduler.time < 60_000; ) {
    await world.scheduler.runUntil(world.scheduler.time + 100);
    const { time } = world.scheduler;
    longest = Math.max(longest, time - since);
    if (world.decidedUnits.size > decided) since = time;
    decided = world.decidedUnits.size;
  }
  assert.ok(decided > 500 && decided < 1_200, `${decided} units are decided, and further ones wait`);
  assert.ok(longest < 3_000, `${longest} ms without a decision`);
  for (const member of members) assert.deepEqual(member.decisions?.disturbing, [], member.name);
});

test("a member that was disconnected gives up its ballot when a later one has outvoted it", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  for (const { id } of [b, c]) world.cut.add([a.id, id].sort().join(""));
  const waiting = world.submit(a, [a], "x");
  // The other members change the keeper, which then has no further units.
  for (const stopped of [b, c, b]) {
    await runFor(world, 1_500, () => {});
    stopped.stop();
    stopped.start();
    world.submit(b, [b, c], "y");
  }
  await runFor(world, 1_500, () => {});
  world.cut.clear();
  await runFor(world, 15_000, () => world.exchange());
  assert.ok(world.decidedUnits.has(waiting.id));
});

test("a keeper that was disconnected gives up its ballot when a later one has outvoted it", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  world.submit(a, [a], "x");
  await runFor(world, 1_000, () => {});
  for (const { id } of [b, c]) world.cut.add([a.id, id].sort().join(""));
  // It proposes immediately. The other members choose another keeper, which then has no further units.
  const waiting = world.submit(a, [a], "x");
  const decided = world.submit(b, [b, c], "y");
  await runFor(world, 5_000, () => {});
  assert.ok(world.decidedUnits.has(decided.id));
  assert.ok(!world.decidedUnits.has(waiting.id));
  world.cut.clear();
  await runFor(world, 15_000, () => world.exchange());
  assert.ok(world.decidedUnits.has(waiting.id));
});

test("a keeper that decides others' units also receives one whose message was lost", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b] = members as [Member, Member];
  // The keeper never pauses, so that no other member replaces it.
  await runFor(world, 500, () => world.submit(a, [a], "x"));
  let lost = 0;
  world.trace = (from, _to, { kind }) => {
    if (from !== b.id || kind !== "unit" || lost++ > 0) return;
    world.cut.add([a.id, b.id].sort().join(""));
    world.scheduler.after(5, null, () => world.cut.clear());
  };
  const cas = world.submit(b, [b], "y");
  await runFor(world, 4_000, () => world.submit(a, [a], "x"));
  assert.ok(world.decidedUnits.has(cas.id));
});

test("units that arrive together are proposed together", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [keeper] = members as [Member];
  world.together = 64;
  world.submit(keeper, [keeper], "x");
  await runFor(world, 2_000, () => {});
  const counts: number[] = [];
  world.trace = (_from, to, message) => {
    if (message.kind === "propose" && to === members[1]?.id) counts.push(message.bodies.length);
  };
  for (let count = 0; count < 5; count++) world.submit(keeper, [keeper], "x");
  await runFor(world, 1_000, () => {});
  assert.deepEqual(counts, [5]);
});

test("members send the keeper no units that it has from clients, although its proposals take longer", async () => {
  const { world, members } = worldOf(seed(), 3);
  world.syncEveryMs = 60;
  world.together = 64;

  const act = () => {
    world.submit(members[0] as Member, members, "x");
    world.exchange();
  };
  await runFor(world, 3_000, act);

  let sent = 0;
  world.trace = (_from, _to, { kind }) => {
    if (kind === "unit") sent++;
  };
  const before = world.decidedUnits.size;
  await runFor(world, 5_000, act);
  assert.ok(world.decidedUnits.size > before + 100, "units were decided");
  assert.equal(sent, 0);
});

test("no unit is decided with two of three members down, and a waiting one is when one returns", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  b.stop();
  c.stop();
  const cas = world.submit(a, [a], "x");
  await runFor(world, 5_000, () => {});
  assert.equal(world.decidedUnits.size, 0);
  c.start();
  await runFor(world, 2_000, () => {});
  assert.ok(world.decidedUnits.get(cas.id)?.isApplied);
});

test("a member without a majority admits no unit, except those that may still be decided", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  const other = world.casOf(a, "y");
  c.stop();
  assert.equal(a.decisions?.obstacle(other.id, "y", 1), null, "two of three are a majority");
  const waiting = world.submit(a, [a], "x");
  b.stop();
  assert.equal(a.decisions.obstacle(other.id, "y", 1), "it is not connected to a majority of the members");
  assert.equal(a.decisions.obstacle(waiting.id, "x", 1), null, "it is decided when another member returns");
});

test("a member of a pair that is not connected to the other one says that a pair decides only while both run", async () => {
  const { world, members } = worldOf(seed(), 2);
  const [a, b] = members as [Member, Member];
  const cas = world.casOf(a, "x");
  assert.equal(a.decisions?.obstacle(cas.id, "x", 1), null);
  b.stop();
  assert.equal(
    a.decisions?.obstacle(cas.id, "x", 1),
    "it is not connected to the other member; a pair decides only while both run: add a third daemon, or use the policy first",
  );
});

test("a member that may have lost its promises admits no unit that only it would send on", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, , c] = members as [Member, Member, Member];
  const { id } = world.casOf(a, "x");
  c.stop();
  c.loseDisk();
  a.stop();
  c.start();
  await runFor(world, 1_000, () => {});
  assert.equal(c.decisions?.isAmnesic, true);
  assert.equal(c.decisions.obstacle(id, "x", 1), null, "its client sends it to the other members, too");
  assert.match(c.decisions.obstacle(id, "x", 1, true) ?? "", /^it may have lost its promises/);
  a.start();
  await runFor(world, 12_000, () => world.exchange());
  assert.equal(c.decisions.isAmnesic, false);
  assert.equal(c.decisions.obstacle(id, "x", 1, true), null);
});

test("a unit that no other member receives from its client is sent to the keeper immediately", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b] = members as [Member, Member];
  world.submit(a, [a], "x");
  await runFor(world, 2_000, () => {});
  const [other] = members.filter(({ id }) => id !== keeperOf(a)) as [Member];

  const sentAfter = async (isOnlyHere: boolean): Promise<number> => {
    const cas = world.casOf(b, "y");
    let sentAt = Number.POSITIVE_INFINITY;
    const startedAt = world.scheduler.time;
    world.trace = (from, _, message) => {
      if (from === other.id && message.kind === "unit") sentAt = Math.min(sentAt, world.scheduler.time);
    };
    other.decisions?.submit(world.unitOf(cas), isOnlyHere);
    await runFor(world, 500, () => {});
    return sentAt - startedAt;
  };

  assert.equal(await sentAfter(true), 0);
  const delayed = await sentAfter(false);
  assert.ok(delayed >= 20 && delayed <= 50, `${delayed} ms`);
});

/** Returns the id of the member in whose ballots a member votes. */
const keeperOf = ({ stored }: Member) => stored?.promised?.member;

test("two lists that are signed in parallel, and keep one half each, both decide", async () => {
  const { world, members } = worldOf(seed(), 2);
  const [a, b] = members as [Member, Member];
  b.stop();
  a.lists = [...a.lists, listOf(2, ["a"])];
  const cas = world.submit(a, [a], "x");
  await runFor(world, 1_000, () => {});
  assert.ok(world.decidedUnits.has(cas.id));
  a.stop();
  b.lists = [...b.lists, listOf(2, ["b"])];
  b.start();
  await assert.rejects(
    runFor(world, 1_000, () => {}),
    /two decisions in slot 1/,
  );
});

test("a member refuses no unit that is known there, although its key has used its share", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  c.stop();

  const proposed = world.casOf(b, "y");
  a.objectsTo.add(proposed.id);
  b.decisions?.submit(world.unitOf(proposed));
  const refused = world.casOf(b, "y");
  assert.equal(a.decisions?.obstacle(refused.id, "y", 1), null);
  await runFor(world, 500, () => {});

  b.stop();
  const waiting = world.submit(a, [a], "x", "y");
  for (let count = 1; count < 2048; count++) world.submit(a, [a], "x", "y");
  assert.equal(a.decisions.waiting, 2048);
  assert.equal(a.decisions.obstacle(waiting.id, "y", 1), null);
  assert.equal(a.decisions.obstacle(proposed.id, "y", 1), null, "it may still be decided");
  assert.match(a.decisions.obstacle(refused.id, "y", 1) ?? "", /^the waiting units of its key/);
});

test("a member is replaced, added and removed", async () => {
  for (let run = 0; run < amount(2, 8); run++) {
    const { world, members } = worldOf(seed() * 1000 + run, 3);
    world.faults = { loss: 0.02, repeat: 0.1, delayMs: 20 };
    const [a, b, c] = members as [Member, Member, Member];
    await runFor(world, 1_000, () => clientActs(world));
    c.stop();
    const d = world.add("d");
    const replaced = listOf(2, ["a", "b", "d"]);
    d.lists = [listOf(1, ["a", "b", "c"]), replaced];
    d.start();
    await runFor(world, 300, () => clientActs(world));
    for (const member of [a, b]) {
      member.lists = [...member.lists, replaced];
      await runFor(world, 300, () => clientActs(world));
    }
    await runFor(world, 1_000, () => clientActs(world));
    const smaller = listOf(3, ["b", "d"]);
    a.stop();
    for (const member of [d, b]) {
      member.lists = [...member.lists, smaller];
      await runFor(world, 300, () => clientActs(world));
    }
    await runFor(world, 1_000, () => clientActs(world));
    d.stop();
    b.lists = [...b.lists, listOf(4, ["b"])];
    await expectProgress(world, [b]);
  }
});

test("under a list that follows an unknown one, all members that may be in both have to promise", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  c.stop();
  const first = world.submit(a, [a, b], "x");
  await runFor(world, 1_000, () => {});
  assert.ok(world.decidedUnits.has(first.id));

  // The second list reaches only the member that the third one removes.
  a.stop();
  b.stop();
  const d = world.add("d");
  d.lists = [listOf(1, ["a", "b", "c"])];
  const remaining = [b, c, d];
  for (const member of remaining) {
    member.lists = [...member.lists, listOf(2, ["a", "b", "c", "d"]), listOf(3, ["b", "c", "d"])];
    member.unknownLists.add(2);
  }
  c.start();
  d.start();
  const rival = world.submit(c, [c, d], "x");
  await runFor(world, 5_000, () => world.exchange());
  assert.equal(world.decidedUnits.size, 1, "the third member may have decided with the removed one");
  b.start();
  await expectProgress(world, remaining);
  assert.equal(world.decidedUnits.get(rival.id)?.isApplied, false);
});

const decision = {
  slot: 1,
  index: 0,
  count: 1,
  previous: null,
  at: 1,
  seq: 0,
  id: "decision",
  unit: null,
  body: Buffer.alloc(0),
};
const proposal: Proposal = { slot: 1, decisions: [decision], root: "decision" };

/** Whether a keeper's proposal and a member's vote are evidence under a list. */
function isEvidence(names: readonly string[], keeper: string, voter: string): boolean {
  const list = listOf(1, names);
  const checks = new SignatureChecks(
    {
      cluster: CLUSTER,
      hash: (spki) => idOf(spki.toString("latin1").replace("key of ", "")),
      verify: (spki, bytes, signature) => signature === signedBy(spki, bytes),
    },
    () => ({ current: list, earlier: [], unknown: new Set() }),
  );

  const ballot: Ballot = { list: 1, listHash: list.hash, round: 1, member: idOf(keeper), attempt: 0 };
  const vote = { ballot, slot: proposal.slot, count: 1, root: proposal.root };
  const signed = (name: string, bytes: Buffer) => ({
    spki: `key of ${name}`,
    signature: signedBy(`key of ${name}`, bytes),
  });

  return checks.isEvidence(
    {
      vote: { ...vote, ...signed(voter, voteBytes(CLUSTER, vote)) },
      proposal: signed(keeper, proposalBytes(CLUSTER, vote)),
    },
    proposal,
  );
}

test("evidence has the signatures of two members of a list, or of its only member", () => {
  assert.equal(isEvidence(["a", "b", "c"], "a", "b"), true);
  assert.equal(isEvidence(["a", "b", "c"], "a", "a"), false);
  assert.equal(isEvidence(["a", "b", "c"], "a", "stranger"), false);
  assert.equal(isEvidence(["a"], "a", "a"), true);
});

test("a keeper with a slow disk proposes nothing before it has stored its promise, and then what it has voted for", async () => {
  const { world, members } = worldOf(seed(), 3);
  const [a, b, c] = members as [Member, Member, Member];
  world.savingMs = (member) => (member === a ? 1_000 : 1);
  world.trace = (from, _, message) => {
    if (message.kind !== "propose" || from !== a.id) return;
    assert.ok(compareBallots(a.stored?.promised ?? null, message.ballot) >= 0, "its promise is stored");
  };
  // Only one member votes, and only in memory yet. The keeper forgets the unit.
  world.cut.add([b.id, c.id].sort().join(""));
  const cas = world.submit(b, [b], "x");
  await until("the unit is open", () => a.decisions?.openDate != null, {
    pause: () => world.scheduler.runUntil(world.scheduler.time + 1),
  });
  b.stop();
  world.cut.clear();
  await runFor(world, 100, () => {});
  b.start();

  await runFor(world, 10_000, () => {});
  assert.ok(world.decidedUnits.has(cas.id));
  assert.equal(a.decisions?.openDate, null);
});

test("a keeper whose disk syncs rarely is not outvoted while it stores a promise", async () => {
  for (let run = 0; run < amount(2, 8); run++) {
    const { world, members } = worldOf(seed() * 1000 + run, 2);
    world.syncEveryMs = 2_000;
    const [first] = members as [Member];
    // By the first decisions, the members learn how long their disks take.
    for (const milliseconds of [15_000, 15_000, 4_000, 4_000]) {
      const cas = world.submit(first, members, "slow");
      await runFor(world, milliseconds, () => {});
      for (const member of members)
        assert.ok(member.decisionOn(cas.id) !== null, `${member.name}, run ${run}`);
    }
  }
});

for (const size of [3, 1, 2, 4, 5])
  test(`${size} members decide units while messages are lost and members stop`, async () => {
    for (let run = 0; run < amount(1, 8); run++) {
      const { world, members } = worldOf(seed() * 1000 + run, size);
      world.faults = { loss: 0.05, repeat: 0.1, delayMs: 30 };
      await runFor(world, 5_000, () => {
        clientActs(world);
        const member = world.pick(members) as Member;
        const isDown = members.filter(({ isUp }) => !isUp).length;
        if (!member.isUp && world.chance(0.05)) member.start();
        else if (member.isUp && isDown * 2 < size && world.chance(0.02)) member.stop();
        else if (world.chance(0.02))
          world.cut.add([member.id, (world.pick(members) as Member).id].sort().join(""));
        else if (world.chance(0.05)) world.cut.clear();
      });
      await expectProgress(world, members);
      assert.deepEqual(world.contradicted, new Set());
    }
  });

test("a member that has lost its disk votes again only after all others have answered", async () => {
  for (let run = 0; run < amount(2, 8); run++) {
    const { world, members } = worldOf(seed() * 1000 + run, 3);
    world.faults = { loss: 0.05, repeat: 0.1, delayMs: 30 };
    await runFor(world, 5_000, () => {
      clientActs(world);
      const member = world.pick(members) as Member;
      const isWhole = members.every(
        ({ stored, decisions }) => stored !== null && decisions?.isAmnesic !== true,
      );
      if (!member.isUp && world.chance(0.1)) member.start();
      else if (member.isUp && isWhole && world.chance(0.02)) {
        member.stop();
        if (world.chance(0.5)) member.loseDisk();
      }
    });
    await expectProgress(world, members);
  }
});
