/** Tests the units that wait for a decision: the share of each key, and the order in which units are proposed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seed } from "../../../../support/seed.js";
import { until } from "../../../../support/until.js";
import { casIn, INVALID, listOf, type Member, readDecision, World } from "./simulated-members.js";

const MIB = 1024 * 1024;
/** The room for waiting units, of which a single key may use half. */
const UNITS_MAX = 4096;
const SHARE_USED =
  /^the waiting units of its key would use more room than remains free for other keys: send fewer/;
/** The number of units that one proposal decides. */
const TOGETHER = 64;
/** The client that floods, and another one. Each signs with a key of its own. */
const [FLOOD, OTHER] = ["flood", "other"] as const;

type Unit = ReturnType<World["casOf"]>;

/** Starts three members on one list, of which the first one is the keeper. */
async function start(): Promise<{ world: World; members: readonly [Member, Member, Member] }> {
  const world = new World(seed());
  world.together = TOGETHER;
  const names = ["a", "b", "c"];
  const members = names.map((name) => world.add(name)) as [Member, Member, Member];
  for (const member of members) {
    member.lists = [listOf(1, names)];
    member.start();
  }
  const first = world.submit(members[0], [members[0]], "first");
  await runUntil(world, "the first unit is decided everywhere", () =>
    members.every((member) => member.decisionOn(first.id) !== null && member.decisions?.waiting === 0),
  );
  return { world, members };
}

/** Runs in steps of a millisecond until a condition holds. */
const runUntil = (world: World, what: string, holds: () => boolean): Promise<unknown> =>
  until(what, holds, { pause: () => world.scheduler.runUntil(world.scheduler.time + 1) });

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

/** Sends a member as many units of the flooding key as it admits. */
function fill(world: World, member: Member): void {
  while (member.decisions?.obstacle("next", FLOOD, 1) === null)
    submit(world, member, unitsOf(world, FLOOD, 1));
}

/** Calls a function with the units of each proposal of a member from now on. */
function onProposals(world: World, { id }: Member, proposed: (units: readonly string[]) => void): void {
  let last = "";
  world.trace = (from, _to, message) => {
    if (message.kind !== "propose" || from !== id) return;
    const units = message.bodies.map((body) => readDecision(body).cas?.id ?? "");
    // It is sent to each member, and again after objections.
    if (units.join() === last) return;
    last = units.join();
    proposed(units);
  };
}

/** Counts the proposals of a member from now on. */
function countProposals(world: World, member: Member): () => number {
  let count = 0;
  onProposals(world, member, () => count++);
  return () => count;
}

test("a key uses half of the room at most, and other keys have shares of the rest", async () => {
  const { world, members } = await start();
  const [a] = members;
  const decisions = a.decisions ?? assert.fail();
  fill(world, a);
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
    "decided units use no room",
    () => decisions.obstacle("next", FLOOD, 1) === null && decisions.obstacle("next", OTHER, 1) === null,
  );
});

test("a key uses half of the bytes at most, and a longer unit can wait alone", async () => {
  const { members } = await start();
  const decisions = members[0].decisions ?? assert.fail();
  const unitOf = (caller: string, bytes: number) => {
    const body = Buffer.alloc(bytes, " ");
    return {
      id: `${caller} ${bytes}`,
      caller,
      body,
      signature: Buffer.alloc(0),
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
  const { world, members } = await start();
  const [a, b] = members;
  for (let unit = 0; unit < 3; unit++) {
    for (const member of members) fill(world, member);
    assert.ok((a.decisions?.waiting ?? 0) >= UNITS_MAX / 2);
    const proposals = countProposals(world, a);
    const { id } = world.submit(b, members, "lock", OTHER);
    await runUntil(world, `unit ${unit} is decided`, () => world.decidedUnits.has(id));
    assert.ok(proposals() <= 2, `unit ${unit}: ${proposals()} proposals`);
  }
});

test("a unit that only another member has received is decided within three proposals, although a key fills its share at all members", async () => {
  const { world, members } = await start();
  const [a, b] = members;
  for (const member of members) fill(world, member);
  const cas = world.casOf(b, "lock", OTHER);
  const sent: string[] = [];
  let proposals: (() => number) | null = null;

  world.trace = (from, to, message) => {
    if (message.kind !== "unit" || from !== b.id || to !== a.id) return;
    sent.push(casIn(message.body).id);
    if (sent.at(-1) === cas.id) proposals = countProposals(world, a);
  };
  b.decisions?.submit(world.unitOf(cas));
  await runUntil(world, "the unit is decided", () => {
    if (proposals === null) for (const member of members) fill(world, member);
    return world.decidedUnits.has(cas.id);
  });

  assert.ok(proposals !== null, "it was sent to the keeper");
  assert.ok(sent.length <= 2, "in the turn of its key");
  const count = (proposals as () => number)();
  assert.ok(count <= 3, `${count} proposals`);
});

test("units of one key are decided in their order, and keys with long units take turns", async () => {
  const { world, members } = await start();
  const [a] = members;
  const decided: string[] = [];
  const noted = world.decidedUnits.set.bind(world.decidedUnits);
  world.decidedUnits.set = (id, decision) => {
    decided.push(decision.cas?.key ?? "");
    return noted(id, decision);
  };
  // One unit fills a proposal.
  world.together = 1;
  const units = ["x 1", "x 2", "x 3", "y 1", "z 1", "y 2"];
  for (const key of units) world.submit(a, [a], key, key[0] ?? "");
  await runUntil(world, "all are decided", () => decided.length === units.length);
  assert.deepEqual(decided, ["x 1", "y 1", "z 1", "x 2", "y 2", "x 3"]);
});

test("a unit to which members object has turns of its own, although later units of its key and of others wait", async () => {
  const { world, members } = await start();
  const [a, b, c] = members;
  world.together = 3;
  const objected = world.casOf(a, "lock", OTHER);
  for (const { objectsTo } of [b, c]) objectsTo.add(objected.id);
  /** The numbers of proposals between those of the unit. */
  const between: number[] = [];
  let proposals = 0;
  onProposals(world, a, (units) => {
    proposals++;
    if (!units.includes(objected.id)) return;
    assert.equal(units.length, 1, "it is proposed alone");
    between.push(proposals);
    proposals = 0;
  });

  a.decisions?.submit(world.unitOf(objected));
  await runUntil(world, "it is proposed", () => between.length > 0);
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
    return between.length === 10;
  });
  assert.ok(world.decidedUnits.size > 2 * world.together, "other units are decided");
  assert.ok(!world.decidedUnits.has(objected.id));

  for (const { objectsTo } of [b, c]) objectsTo.clear();
  await runUntil(world, "it is decided", () => {
    others();
    return world.decidedUnits.has(objected.id);
  });
});

test("a member that sends units verifies nothing that may not wait, and few units that are not valid", async () => {
  const { world, members } = await start();
  const [a, b, c] = members;
  const decisions = a.decisions ?? assert.fail();
  const sent = (count: number, caller: string, signature?: Buffer) =>
    unitsOf(world, caller, count).map((unit) => {
      const { body, signature: valid } = world.unitOf(unit);
      return { kind: "unit", body, signature: signature ?? valid } as const;
    });
  const receive = (from: Member, messages: ReturnType<typeof sent>): number => {
    const before = world.verified;
    for (const message of messages) a.receive(from.id, message);
    return world.verified - before;
  };
  const flooded = sent(UNITS_MAX, FLOOD);
  assert.equal(receive(c, flooded), UNITS_MAX / 2);
  assert.equal(decisions.waiting, UNITS_MAX / 2);
  assert.equal(receive(b, flooded), 0, "they wait already, or may not wait");
  assert.ok(receive(c, sent(UNITS_MAX, OTHER, INVALID)) < 100);
  assert.equal(receive(c, sent(1, OTHER)), 0, "the member has sent too many that are not valid");
  assert.equal(receive(b, sent(1, OTHER)), 1, "another one has not");
  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  assert.equal(receive(c, sent(1, OTHER)), 1, "a second later, it can send units again");
});
