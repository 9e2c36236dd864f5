/**
 * Members that miss decisions: a minority is cut off while the others decide, and when its connections return, it
 * receives the newest decisions first. Before it has the missing ones, some of the members that have them are cut off.
 * A majority is connected at every moment.
 */
import assert from "node:assert/strict";
import { listOf, type Member, World } from "./simulated-members.js";

const KEYS = ["x", "y", "z"];
/** Milliseconds after which a member without missing decisions would have received them, as measured with daemons. */
const HEALED_MS: readonly [number, number] = [100, 1_600];

/** The share of runs in which a member that is always connected loses its disk. */
const LOST_DISKS = 0.3;

/** Runs the scenario. @returns the number of decisions */
export async function runGap(seed: number, size: number): Promise<number> {
  const world = new World(seed);
  const names = [..."abcdefg"].slice(0, size);
  const members = names.map((name) => world.add(name));
  for (const member of members) {
    member.lists = [listOf(1, names)];
    member.clockOffset = world.random.below(200) - 100;
    member.start();
  }

  world.faults = { loss: 0.02, repeat: 0.05, delayMs: 10 };
  await act(world, members, 500, 0.1);

  const minority = (size - 1) / 2;
  const order = world.random.shuffled(members);
  cutOff(world, members, order.slice(0, minority));
  await act(world, members, 500 + world.random.below(1_500), 0);

  world.cut.clear();
  if (world.chance(LOST_DISKS)) loseDisk(order[minority] as Member);
  await act(world, members, HEALED_MS[0] + world.random.below(HEALED_MS[1] - HEALED_MS[0]), 0.01);

  cutOff(world, members, order.slice(-minority));
  await act(world, members, 2_000 + world.random.below(2_000), 0.01);
  world.cut.clear();
  await expectAll(world, members);
  return world.decidedUnits.size;
}

/** Replaces the disk of a member, which votes again when all others have answered. */
function loseDisk(member: Member): void {
  member.stop();
  member.loseDisk();
  member.start();
}

/** Lets clients act. @param share  the share of missing entries that an exchange between two members transfers */
async function act(
  world: World,
  members: readonly Member[],
  milliseconds: number,
  share: number,
): Promise<void> {
  const end = world.scheduler.time + milliseconds;
  while (world.scheduler.time < end) {
    const member = world.pick(members) as Member;
    const key = world.pick(KEYS) as string;
    if (world.chance(0.1)) world.write(member, key);
    if (world.chance(0.3)) world.submit(member, world.chance(0.7) ? members : [member], key);
    if (share > 0 && world.chance(0.5)) world.exchange(share);
    if (world.chance(0.005)) {
      member.stop();
      member.start();
    }
    await world.scheduler.runUntil(world.scheduler.time + world.random.below(40));
  }
}

/** The milliseconds in which the members decide a unit after all repairs. */
const LAST_MS = 5_000;

/**
 * Repairs everything, and expects that all members receive all decisions, and decide a new unit; also if they restart
 * after the entries of all decisions were removed.
 */
async function expectAll(world: World, members: readonly Member[]): Promise<void> {
  world.faults = { loss: 0, repeat: 0, delayMs: 3 };
  await exchangeAll(world, 4_000);
  await expectDecision(world, members);

  // Only entries are removed that are on the disks of all members.
  await exchangeAll(world, 500);
  for (const member of world.random.shuffled(members)) {
    member.prunedTo = Math.max(...[...member.entries.values()].map(({ at }) => at));
    member.stop();
  }
  for (const member of world.random.shuffled(members)) member.start();
  await expectDecision(world, members);
}

/** Lets members exchange all entries for some time. */
async function exchangeAll(world: World, milliseconds: number): Promise<void> {
  const end = world.scheduler.time + milliseconds;
  while (world.scheduler.time < end) {
    world.exchange();
    await world.scheduler.runUntil(world.scheduler.time + 20);
  }
}

/** Expects that the members decide a new unit, and that each has all decisions. */
async function expectDecision(world: World, members: readonly Member[]): Promise<void> {
  const cas = world.submit(members[0] as Member, members, "last");
  // A change of the keeper may come first.
  const isOpen = () => members.some((member) => member.decisionOn(cas.id) === null);
  for (let waited = 0; waited < LAST_MS && isOpen(); waited += 500) await exchangeAll(world, 500);

  for (const id of [...world.decidedUnits.keys(), cas.id])
    for (const member of members) assert.ok(member.decisionOn(id) !== null, "each decision is everywhere");
  const slots = members.map(({ decisions }) => decisions?.last.slot);
  assert.ok(new Set(slots).size === 1, `the members have the same last decision: ${slots}`);
}

/** Cuts the connections between some members and all others. */
function cutOff(world: World, members: readonly Member[], some: readonly Member[]): void {
  for (const one of some)
    for (const other of members) if (!some.includes(other)) world.cut.add([one.id, other.id].sort().join(""));
}
