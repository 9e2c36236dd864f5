/** Tests the units that wait for a decision: each key has a share of the room. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seed } from "../../../../support/seed.js";
import { until } from "../../../../support/until.js";
import { INVALID, listOf, type Member, World } from "./simulated-members.js";

const MIB = 1024 * 1024;
/** The room for waiting units, of which a single key may use half. */
const UNITS_MAX = 4096;
const SHARE_USED =
  /^the waiting units of its key would use more room than remains free for other keys: send fewer/;
/** The client that floods, and another one. Each signs with a key of its own. */
const [FLOOD, OTHER] = ["flood", "other"] as const;

type Unit = ReturnType<World["casOf"]>;

/** Starts three members on one list, of which the first one is the keeper. */
async function start(): Promise<{ world: World; members: readonly [Member, Member, Member] }> {
  const world = new World(seed());
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
