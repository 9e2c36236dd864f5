/** Tests what a member reports while units wait and nothing is decided: the cause, and the members concerned. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { UndecidedCause } from "../../../../../protocol/figures/undecided-causes.js";
import { seed } from "../../../../support/seed.js";
import { idOf, listOf, type Member, World } from "./simulated-members.js";

const NAMES = ["a", "b", "c"];
const LIST = listOf(1, NAMES);

function threeMembers(): { world: World; members: [Member, Member, Member] } {
  const world = new World(seed());
  const members = NAMES.map((name) => world.add(name)) as [Member, Member, Member];
  for (const member of members) {
    member.lists = [LIST];
    member.start();
  }
  return { world, members };
}

/** Lets a client send units on a key for a time. */
async function runFor(world: World, milliseconds: number, to: readonly Member[]): Promise<void> {
  const end = world.scheduler.time + milliseconds;
  while (world.scheduler.time < end) {
    world.submit(to[0] as Member, to, "x");
    await world.scheduler.runUntil(world.scheduler.time + 500);
  }
}

function expectCause(member: Member, cause: UndecidedCause, names: readonly string[]): void {
  const undecided = member.decisions?.undecided ?? null;
  assert.equal(undecided?.cause, cause, member.name);
  assert.deepEqual([...undecided.members].sort(), names.map(idOf).sort(), cause);
  assert.ok(undecided.milliseconds >= 10_000);
}

test("nothing is reported while units are decided, and within some seconds without a decision", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  for (const member of [a, b, c]) assert.equal(member.decisions?.undecided, null);
  await runFor(world, 20_000, members);
  assert.equal(a.decisions?.undecided, null);
  b.stop();
  c.stop();
  await runFor(world, 9_000, [a]);
  assert.equal(a.decisions.undecided, null);
});

test("without a majority, a member names the missing members until decisions are made again", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  b.stop();
  c.stop();
  await runFor(world, 12_000, [a]);
  expectCause(a, "no-majority", ["b", "c"]);
  b.start();
  await runFor(world, 5_000, [a]);
  assert.equal(a.decisions?.undecided, null);
});

test("members name the lost one of an earlier list, and not each other, until a list leaves it out", async () => {
  const world = new World(seed());
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => world.add(name)) as [
    Member,
    Member,
    Member,
    Member,
  ];
  const first = listOf(1, ["a", "b", "c"]);
  for (const member of [a, b, c]) {
    member.lists = [first];
    member.start();
  }
  await runFor(world, 2_000, [a, b, c]);
  b.stop();
  c.stop();

  // d replaces b. c may have decided with b.
  for (const member of [a, d]) member.lists = [first, listOf(2, ["a", "c", "d"])];
  d.start();
  for (const entry of a.entries.values()) d.add(entry);
  await runFor(world, 40_000, [a, d]);
  for (const member of [a, d]) {
    expectCause(member, "earlier-list", ["c"]);
    assert.match(
      member.decisions?.obstacle("unit", "key", 1) ?? "",
      /earlier list/,
      "no client waits in vain",
    );
    assert.deepEqual(member.decisions?.disturbing, []);
  }

  for (const member of [a, d]) member.lists = [first, listOf(2, ["a", "c", "d"]), listOf(3, ["a", "d"])];
  await runFor(world, 40_000, [a, d]);
  for (const member of [a, d]) {
    assert.equal(member.decisions?.undecided, null);
    assert.deepEqual(member.decisions.disturbing, []);
  }
});

/** Lets a client send units to one member as long as they are not refused. */
async function tryFor(world: World, milliseconds: number, member: Member): Promise<void> {
  const end = world.scheduler.time + milliseconds;
  while (world.scheduler.time < end) {
    const unit = world.unitOf(world.casOf(member, "x"));
    if (member.decisions?.obstacle(unit.id, unit.caller, unit.body.length, true) === null)
      member.decisions.submit(unit, true, () => {});
    await world.scheduler.runUntil(world.scheduler.time + 500);
  }
}

test("while a majority is silent, what is refused counts as required", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  await runFor(world, 2_000, members);
  world.faults = { ...world.faults, loss: 1 };
  a.heardAt = world.scheduler.time;
  const reported = () => a.decisions?.undecided?.milliseconds ?? 0;
  await tryFor(world, 9_000, a);
  assert.equal(reported(), 0);
  await tryFor(world, 3_000, a);
  assert.ok(reported() > 10_000);
  for (const member of [b, c]) member.stop();
  await tryFor(world, 70_000, a);
  expectCause(a, "no-majority", ["b", "c"]);
});

test("a majority of which one message arrives now and then is reported", async () => {
  const { world, members } = threeMembers();
  const [a] = members;
  await runFor(world, 2_000, members);
  world.faults = { ...world.faults, loss: 1 };
  for (let message = 0; message < 3; message++) {
    a.heardAt = world.scheduler.time;
    await tryFor(world, 7_000, a);
  }
  assert.ok((a.decisions?.undecided?.milliseconds ?? 0) > 15_000);
});

test("a refusal between two ticks is not reported later", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  await runFor(world, 2_000, members);
  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  const { isConnected } = world;
  world.isConnected = () => false;
  assert.notEqual(a.decisions?.obstacle("unit", "key", 1), null);
  world.isConnected = isConnected;
  await world.scheduler.runUntil(world.scheduler.time + 12_000);
  for (const member of [a, b, c]) assert.equal(member.decisions?.undecided, null);
});

test("nothing is reported after units were given up, once a majority is heard again", async () => {
  const { world, members } = threeMembers();
  const [a] = members;
  await runFor(world, 2_000, members);
  world.faults = { ...world.faults, loss: 1 };
  a.heardAt = world.scheduler.time;
  await tryFor(world, 12_000, a);
  const isReported = () => a.decisions?.undecided !== null;
  assert.ok(isReported());
  a.heardAt = null;
  world.faults = { ...world.faults, loss: 0 };
  await world.scheduler.runUntil(world.scheduler.time + 50);
  assert.ok(!isReported());
  await world.scheduler.runUntil(world.scheduler.time + 11_000);
  world.faults = { ...world.faults, loss: 1 };
  a.decisions?.submit(world.unitOf(world.casOf(a, "x")), true, () => {});
  await world.scheduler.runUntil(world.scheduler.time + 100);
  assert.ok(!isReported());
});

test("it is no longer reported some time after the last unit was given up", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  b.stop();
  c.stop();
  await runFor(world, 1_000, [a]);
  await world.scheduler.runUntil(60_000);
  assert.equal(a.decisions?.waiting, 0);
  expectCause(a, "no-majority", ["b", "c"]);
  await world.scheduler.runUntil(100_000);
  assert.equal(a.decisions.undecided, null);
});

test("the keeper names the members that object, and these name the keeper", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  const never = world.casOf(a, "z");
  for (const member of [b, c]) member.objectsTo.add(never.id);
  a.decisions?.submit(world.unitOf(never));
  await world.scheduler.runUntil(12_000);
  expectCause(a, "objections", ["b", "c"]);
});

test("the keeper names the members that do not promise, or do not vote", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  await runFor(world, 500, [a]);
  for (const member of [b, c]) member.receive = () => {};
  await runFor(world, 12_000, [a]);
  expectCause(a, "votes", ["b", "c"]);
  a.stop();
  a.start();
  await runFor(world, 12_000, [a]);
  expectCause(a, "promises", ["b", "c"]);
});

test("a keeper that waits for its own disk names no other member", async () => {
  const world = new World(seed());
  const a = world.add("a");
  a.lists = [listOf(1, ["a"])];
  a.start();
  world.savingMs = () => 60_000;
  await runFor(world, 12_000, [a]);
  expectCause(a, "own-disk", []);
});

test("a keeper names the member whose decisions it is missing", async () => {
  const world = new World(seed());
  const [a, b, c] = NAMES.map((name) => world.add(name)) as [Member, Member, Member];
  const alone = listOf(1, ["a"]);
  a.lists = [alone];
  a.start();
  await runFor(world, 1_000, [a]);

  for (const member of [a, b, c]) member.lists = [alone, listOf(2, NAMES)];
  // The other members do not receive its decisions.
  b.start();
  c.start();

  const causes = new Set<UndecidedCause | undefined>();
  while (!causes.has("decisions") && world.scheduler.time < 60_000) {
    await runFor(world, 500, [b]);
    causes.add(b.decisions?.undecided?.cause);
  }
  expectCause(b, "decisions", ["a"]);
  assert.ok(!causes.has("own-disk"));
});

test("a member names a keeper that does nothing", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  await runFor(world, 500, [c]);

  // The keeper receives nothing, and takes the right to propose again and again.
  c.receive = () => {};
  a.stop();
  const repeat = (): void => {
    const promised = b.stored?.promised;
    if (promised != null)
      b.decisions?.receive(c.id, {
        kind: "promise-request",
        ballot: { ...promised, member: c.id, round: promised.round + 1 },
      });
    world.scheduler.after(10, null, repeat);
  };

  repeat();
  await runFor(world, 60_000, [b]);
  assert.ok(b.decisions?.undecided !== null);
  assert.deepEqual(b.decisions?.disturbing, [c.id]);
});

test("a member that has promised a round above the date reports it, because the others cannot follow", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  c.stop();
  a.stop();

  const promised = { list: 1, listHash: LIST.hash, round: 2 ** 47, member: c.id, attempt: 0 };
  a.stored = { promised, accepted: null, last: { slot: 0, orderKey: null, list: 0 } };
  a.start();

  await runFor(world, 12_000, [a, b]);
  assert.equal(world.decidedUnits.size, 0);
  const { cause, members: named } = a.decisions?.undecided ?? {};
  assert.equal(cause, "round-ahead");
  assert.equal(named?.length, 1);
  expectCause(b, "promises", ["a"]);

  // A new list begins the rounds again.
  for (const member of [a, b, c]) member.lists = [LIST, listOf(2, NAMES)];
  await runFor(world, 3_000, [a, b]);
  assert.ok(world.decidedUnits.size > 0);
  assert.equal(a.decisions?.undecided, null);
});

test("a member that may have lost its promises names those that must answer", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  b.stop();
  c.stop();
  c.loseDisk();
  c.start();
  await runFor(world, 12_000, [a, c]);
  expectCause(c, "promises-lost", ["b"]);
  expectCause(a, "promises", ["c"]);
});

test("a unit that the keeper passes over is reported, although it decides others", async () => {
  const { world, members } = threeMembers();
  const [a] = members;
  await runFor(world, 500, [a]);
  const never = world.casOf(a, "z");
  for (const member of members) member.objectsTo.add(never.id);
  for (const member of members) member.decisions?.submit(world.unitOf(never));
  await runFor(world, 22_000, members);
  const undecided = members[1].decisions?.undecided;
  assert.equal(undecided?.cause, "passed-over");
  assert.ok(undecided.milliseconds >= 20_000);
});
