/**
 * Tests the units that wait for a decision: the share of each key, the order in which units are proposed, and when the
 * wait ends without a decision.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seed } from "../../../../support/seed.js";
import {
  casIn,
  INVALID,
  type Member,
  readDecision,
  runUntil,
  SILENT_AFTER_MS,
  startThree,
  type World,
} from "./simulated-members.js";

const MIB = 1024 * 1024;
/** The maximum number of waiting units, half of which may be of a single key. */
const UNITS_MAX = 4096;
/** The beginning of the refusal of a unit whose key has used its share. */
const SHARE_USED =
  /^the waiting units of its key would use more room than remains free for other keys: send fewer/;
/** The maximum number of units that one proposal decides. */
const PROPOSAL_UNITS_MAX = 64;
/** A client that sends more units than may wait, and another client. Each signs with its own key. */
const [FLOOD, OTHER] = ["flood", "other"] as const;

type Unit = ReturnType<World["casOf"]>;

/** Returns units of a caller, each of which writes a new key. */
function unitsOf(world: World, caller: string, count: number): Unit[] {
  return Array.from({ length: count }, () => {
    const key = `${caller} ${world.units.size}`;
    const unit = { id: `unit on ${key}`, key, caller, expects: "", at: world.up[0]?.clock ?? 0 };
    world.units.set(unit.id, unit);
    return unit;
  });
}

function submit(world: World, { decisions }: Member, units: readonly Unit[]): void {
  for (const unit of units) decisions?.submit(world.unitOf(unit));
}

/** Sends a member as many units of the flooding client as it admits. */
function fillShare(world: World, member: Member): void {
  while (member.decisions?.obstacle("next", FLOOD, 1) === null)
    submit(world, member, unitsOf(world, FLOOD, 1));
}

/** Calls a function with the units of each proposal of a member from now on. */
function onProposals(world: World, { id }: Member, onProposal: (units: readonly string[]) => void): void {
  let lastUnits = "";
  world.trace = (from, _to, message) => {
    if (message.kind !== "propose" || from !== id) return;
    const units = message.bodies.map((body) => readDecision(body).cas?.id ?? "");
    // A proposal is sent to each member, and again after objections.
    if (units.join() === lastUnits) return;
    lastUnits = units.join();
    onProposal(units);
  };
}

/** Counts the proposals of a member from now on. */
function countProposals(world: World, member: Member): () => number {
  let count = 0;
  onProposals(world, member, () => count++);
  return () => count;
}

test("the units of one key are at most half of those that may wait, and other keys share the remainder", async () => {
  const { world, members } = await startThree(seed(), PROPOSAL_UNITS_MAX);
  const [a] = members;
  const decisions = a.decisions ?? assert.fail();
  fillShare(world, a);
  assert.equal(decisions.waiting, UNITS_MAX / 2);
  assert.match(decisions.obstacle("next", FLOOD, 1) ?? "", SHARE_USED);
  submit(world, a, unitsOf(world, FLOOD, 1));
  assert.equal(decisions.waiting, UNITS_MAX / 2);

  submit(world, a, unitsOf(world, OTHER, UNITS_MAX / 4));
  assert.equal(decisions.waiting, UNITS_MAX * (3 / 4));
  assert.match(decisions.obstacle("next", OTHER, 1) ?? "", SHARE_USED);
  assert.equal(decisions.obstacle("next", "third", 1), null);

  await runUntil(
    world,
    "decided units no longer wait",
    () => decisions.obstacle("next", FLOOD, 1) === null && decisions.obstacle("next", OTHER, 1) === null,
  );
});

test("the units of one key have at most half of the bytes that may wait, and a longer unit can wait alone", async () => {
  const { members } = await startThree(seed(), PROPOSAL_UNITS_MAX);
  const decisions = members[0].decisions ?? assert.fail();
  const unitOf = (caller: string, bytes: number) => {
    const body = Buffer.alloc(bytes, " ");
    return {
      id: `${caller} ${bytes}`,
      caller,
      body,
      signature: Buffer.alloc(0),
      earliest: 0,
      until: Number.POSITIVE_INFINITY,
    };
  };

  // It has no list, so it proposes nothing.
  members[0].lists = [];
  decisions.tick();
  decisions.submit(unitOf(FLOOD, 50 * MIB));

  assert.match(decisions.obstacle("next", FLOOD, 1) ?? "", SHARE_USED);
  assert.match(decisions.obstacle("next", OTHER, 17 * MIB) ?? "", SHARE_USED);
});

test("three units of a key are decided within two proposals each, although another key fills its share", async () => {
  const { world, members } = await startThree(seed(), PROPOSAL_UNITS_MAX);
  const [a, b] = members;
  for (let unit = 0; unit < 3; unit++) {
    for (const member of members) fillShare(world, member);
    assert.ok((a.decisions?.waiting ?? 0) >= UNITS_MAX / 2);
    const proposals = countProposals(world, a);
    const { id } = world.submit(b, members, "lock", OTHER);
    await runUntil(world, `unit ${unit} is decided`, () => world.decidedUnits.has(id));
    assert.ok(proposals() <= 2, `unit ${unit}: ${proposals()} proposals`);
  }
});

test("a unit that only another member has received is decided within three proposals, although a key fills its share at all members", async () => {
  const { world, members } = await startThree(seed(), PROPOSAL_UNITS_MAX);
  const [a, b] = members;
  for (const member of members) fillShare(world, member);
  const unit = world.casOf(b, "lock", OTHER);
  const sentIds: string[] = [];
  let proposals: (() => number) | null = null;

  world.trace = (from, to, message) => {
    if (message.kind !== "unit" || from !== b.id || to !== a.id) return;
    sentIds.push(casIn(message.body).id);
    if (sentIds.at(-1) === unit.id) proposals = countProposals(world, a);
  };

  b.decisions?.submit(world.unitOf(unit));
  await runUntil(world, "the unit is decided", () => {
    if (proposals === null) for (const member of members) fillShare(world, member);
    return world.decidedUnits.has(unit.id);
  });

  assert.ok(proposals !== null, "it was sent to the keeper");
  assert.ok(sentIds.length <= 2, "it was sent in the turn of its key");
  const count = (proposals as () => number)();
  assert.ok(count <= 3, `${count} proposals`);
});

test("units of one key are decided in their order, and keys with long units take turns", async () => {
  const { world, members } = await startThree(seed(), PROPOSAL_UNITS_MAX);
  const [a] = members;
  const decided: string[] = [];
  const setDecided = world.decidedUnits.set.bind(world.decidedUnits);
  world.decidedUnits.set = (id, decision) => {
    decided.push(decision.cas?.key ?? "");
    return setDecided(id, decision);
  };
  // One unit fills a proposal.
  world.together = 1;
  const keys = ["x 1", "x 2", "x 3", "y 1", "z 1", "y 2"];
  for (const key of keys) world.submit(a, [a], key, key[0] ?? "");
  await runUntil(world, "all are decided", () => decided.length === keys.length);
  assert.deepEqual(decided, ["x 1", "y 1", "z 1", "x 2", "y 2", "x 3"]);
});

test("a unit to which members object has turns of its own, although later units of its key and of others wait", async () => {
  const { world, members } = await startThree(seed(), PROPOSAL_UNITS_MAX);
  const [a, b, c] = members;
  world.together = 3;
  const objected = world.casOf(a, "lock", OTHER);
  for (const { objectsTo } of [b, c]) objectsTo.add(objected.id);

  /** For each proposal of the unit, the number of proposals since the previous one. */
  const distances: number[] = [];
  let proposals = 0;
  onProposals(world, a, (units) => {
    proposals++;
    if (!units.includes(objected.id)) return;
    assert.equal(units.length, 1, "it is proposed alone");
    distances.push(proposals);
    proposals = 0;
  });

  a.decisions?.submit(world.unitOf(objected));
  await runUntil(world, "it is proposed", () => distances.length > 0);

  const waitingOf = new Map<string, readonly Unit[]>();
  const others = () => {
    for (const caller of [FLOOD, OTHER]) {
      const waiting = (waitingOf.get(caller) ?? []).filter(({ id }) => !world.decidedUnits.has(id));
      const more = waiting.length < 6 ? unitsOf(world, caller, 1 + world.random.below(4)) : [];
      waitingOf.set(caller, [...waiting, ...more]);
      submit(world, a, more);
    }
    assert.ok(proposals <= 5 * world.together, "it has a turn after those that waited before it");
  };

  await runUntil(world, "it is proposed several times", () => {
    others();
    return distances.length === 10;
  });
  assert.ok(world.decidedUnits.size > 2 * world.together, "other units are decided");
  assert.ok(!world.decidedUnits.has(objected.id));

  for (const { objectsTo } of [b, c]) objectsTo.clear();
  await runUntil(world, "it is decided", () => {
    others();
    return world.decidedUnits.has(objected.id);
  });
});

test("a member that sends units verifies nothing that may not wait, and few invalid units", async () => {
  const { world, members } = await startThree(seed(), PROPOSAL_UNITS_MAX);
  const [a, b, c] = members;
  const decisions = a.decisions ?? assert.fail();

  const messagesWith = (count: number, caller: string, signature?: Buffer) =>
    unitsOf(world, caller, count).map((unit) => {
      const { body, signature: valid } = world.unitOf(unit);
      return { kind: "unit", body, signature: signature ?? valid } as const;
    });
  /** Sends messages to the member. @returns the number of signatures that it verified */
  const verifiedFor = (from: Member, messages: ReturnType<typeof messagesWith>): number => {
    const before = world.verified;
    for (const message of messages) a.receive(from.id, message);
    return world.verified - before;
  };

  const flooded = messagesWith(UNITS_MAX, FLOOD);
  assert.equal(verifiedFor(c, flooded), UNITS_MAX / 2);
  assert.equal(decisions.waiting, UNITS_MAX / 2);
  assert.equal(verifiedFor(b, flooded), 0, "they wait already, or may not wait");
  assert.ok(verifiedFor(c, messagesWith(UNITS_MAX, OTHER, INVALID)) < 100);
  assert.equal(verifiedFor(c, messagesWith(1, OTHER)), 0, "the member has sent too many invalid units");
  assert.equal(verifiedFor(b, messagesWith(1, OTHER)), 1, "another one has not");

  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  assert.equal(verifiedFor(c, messagesWith(1, OTHER)), 1, "a second later, it can send units again");
});

test("units that are too early for a proposal use the share of their key, and wait once their date is reached", async () => {
  const { world, members } = await startThree(seed(), PROPOSAL_UNITS_MAX);
  const [member] = members;
  const decisions = member.decisions ?? assert.fail();
  const earliest = member.clock + 1_000;
  const submitEarly = (unit: Unit) => decisions.submit({ ...world.unitOf(unit), earliest }, true);

  for (const unit of unitsOf(world, FLOOD, UNITS_MAX / 2)) submitEarly(unit);
  assert.match(decisions.obstacle("next", FLOOD, 1) ?? "", SHARE_USED);
  for (const unit of [...unitsOf(world, FLOOD, 1), ...unitsOf(world, OTHER, 1)]) submitEarly(unit);
  assert.equal(decisions.waiting, 0);

  member.clockOffset += 1_000;
  decisions.tick();
  assert.equal(decisions.waiting, UNITS_MAX / 2 + 1, "one was above the share of its key");
});

/** What a client of one member receives when its unit no longer waits: whether it was sent, and why. */
type Given = [wasSent: boolean, reason: string][];

/** Submits a unit of a client of one member only. @param until  when it becomes too old for a proposal */
function submitHere(world: World, member: Member, key: string, until = Number.POSITIVE_INFINITY) {
  const given: Given = [];
  const unit = { ...world.unitOf(world.casOf(member, key)), until };
  member.decisions?.submit(unit, true, (wasSent, reason) => given.push([wasSent, reason]));
  return { id: unit.id, given };
}

const runFor = ({ scheduler }: World, milliseconds: number) =>
  scheduler.runUntil(scheduler.time + milliseconds);

/** Lets members hear nothing, from the next moment on. */
function silence(world: World, ...members: readonly Member[]): void {
  for (const member of members) member.heardAt = world.scheduler.time;
}

/** All messages are lost, although the members are connected; and none. */
const LOST = { loss: 1, repeat: 0, delayMs: 3 };
const NONE_LOST = { ...LOST, loss: 0 };
const SILENT = "it has received nothing from a majority of the members for some seconds";
const TOO_OLD = "no member proposed it before its date was too old (--window)";

test("while a majority is silent, a member gives up the units of its clients, and refuses further ones", async () => {
  const { world, members } = await startThree(seed(), 1);
  const [keeper, other] = members;
  world.faults = LOST;
  silence(world, keeper, other);
  const proposed = submitHere(world, keeper, "proposed");
  const behind = submitHere(world, keeper, "behind");
  const sent = submitHere(world, other, "sent");
  await runFor(world, 50);
  world.unready.add(other.id);
  const unsent = submitHere(world, other, "unsent");
  await runFor(world, SILENT_AFTER_MS - 100);
  for (const { given } of [proposed, behind, sent, unsent]) assert.deepEqual(given, []);

  await runFor(world, 100);
  assert.deepEqual(proposed.given, [[true, SILENT]]);
  assert.deepEqual(behind.given, [[false, SILENT]], "it was proposed nowhere");
  assert.deepEqual(sent.given, [[true, SILENT]], "the keeper may have received it");
  assert.deepEqual(unsent.given, [[false, SILENT]]);
  assert.equal(other.decisions?.obstacle("next", OTHER, 1), SILENT);

  world.faults = NONE_LOST;
  world.unready.clear();
  for (const member of [keeper, other]) member.heardAt = null;
  await runFor(world, 50);
  assert.equal(other.decisions.obstacle("next", OTHER, 1), null);
  const after = submitHere(world, other, "after");
  await runUntil(world, "units are decided again", () => world.decidedUnits.has(after.id));
  for (const { id } of [behind, unsent]) assert.ok(!world.decidedUnits.has(id), "it is not applied");
  assert.deepEqual(after.given, []);
});

test("an envelope of a client whose effect is unknown is not refused as not applied when it is sent again", async () => {
  const { world, members } = await startThree(seed(), 1);
  const [keeper, other] = members;
  world.faults = LOST;
  silence(world, other);
  const unit = world.unitOf(world.casOf(other, "lock"));
  const given: Given = [];
  const submitAgain = (count: number): void => {
    assert.equal(other.decisions?.obstacle(unit.id, unit.caller, unit.body.length), null);
    for (let copy = 0; copy < count; copy++)
      other.decisions.submit(unit, false, (wasSent, reason) => given.push([wasSent, reason]));
  };

  // A member has sent it before the first client of this one.
  other.receive(keeper.id, { kind: "unit", body: unit.body, signature: unit.signature });
  submitAgain(2);
  await runFor(world, SILENT_AFTER_MS + 50);
  assert.deepEqual(given, Array(2).fill([true, SILENT]), "each client is answered");
  submitAgain(1);
  await runFor(world, 50);
  assert.deepEqual(given, Array(3).fill([true, SILENT]));

  world.faults = NONE_LOST;
  other.heardAt = null;
  await runUntil(world, "it is decided", () => world.decidedUnits.has(unit.id));
});

test("a member does not count time as silence in which its process did not run", async () => {
  const { world, members } = await startThree(seed(), 1);
  const [keeper] = members;
  world.faults = LOST;
  silence(world, keeper);
  const { given } = submitHere(world, keeper, "lock");
  await runFor(world, 1_000);
  for (let pause = 0; pause < 3; pause++) {
    keeper.processor.busyUntil = world.scheduler.time + 2_000;
    await runFor(world, 3_000);
    assert.deepEqual(given, []);
  }
  await runFor(world, 1_500);
  assert.deepEqual(given, [[true, SILENT]]);
});

test("a unit that has become too old for a proposal is given up, unless an earlier proposal of it may be decided", async () => {
  const { world, members } = await startThree(seed(), 1);
  const [keeper, other] = members;
  world.faults = LOST;
  const until = world.scheduler.time + 1_000;
  const proposed = submitHere(world, keeper, "proposed", until);
  const behind = submitHere(world, keeper, "behind", until);
  const sent = submitHere(world, other, "sent", until);
  await world.scheduler.runUntil(until + 50);
  assert.deepEqual(behind.given, [[false, TOO_OLD]]);
  assert.deepEqual(sent.given, [[true, TOO_OLD]]);
  assert.deepEqual(proposed.given, [], "it may still be decided");
  assert.deepEqual([keeper.decisions?.waiting, [...(keeper.decisions?.waitingByKey ?? [])]], [0, []]);
  assert.equal(keeper.decisions?.obstacle(proposed.id, "proposed", 1), null);

  world.faults = NONE_LOST;
  await runUntil(world, "it is decided", () => world.decidedUnits.has(proposed.id));
  await runFor(world, 30_000);
  assert.deepEqual(proposed.given, []);
});

test("a unit that is too old is given up after 20 s, although a proposal of it is known", async () => {
  const { world, members } = await startThree(seed(), 1);
  const [keeper] = members;
  world.faults = LOST;
  const until = world.scheduler.time + 1_000;
  const { given } = submitHere(world, keeper, "lock", until);
  await world.scheduler.runUntil(until + 19_900);
  assert.deepEqual(given, []);
  await world.scheduler.runUntil(until + 20_100);
  assert.equal(given.length, 1);
  assert.equal(keeper.decisions?.waiting, 0);
});

test("units that have ended are given up once no proposal of them is known, and others are not", async () => {
  const { world, members } = await startThree(seed(), 1);
  const [keeper] = members;
  const decisions = keeper.decisions ?? assert.fail();
  world.faults = LOST;
  const [proposed, behind, kept] = ["proposed", "behind", "kept"].map((key) =>
    submitHere(world, keeper, key),
  );
  await runFor(world, 50);
  const work = decisions.end(({ id }) => id !== kept?.id, "it has ended");
  work.next();
  const late = submitHere(world, keeper, "late");
  while (!work.next().done);
  await runFor(world, 50);
  assert.deepEqual(behind?.given, [[false, "it has ended"]]);
  assert.deepEqual([proposed?.given, kept?.given, late.given], [[], [], []]);

  world.faults = NONE_LOST;
  await runUntil(world, "the others are decided", () =>
    [proposed, kept, late].every((unit) => unit !== undefined && world.decidedUnits.has(unit.id)),
  );
});
