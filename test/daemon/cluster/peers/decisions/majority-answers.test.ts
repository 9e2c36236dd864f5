/**
 * Tests when a member refuses what would wait for a decision: soon after no majority answers any longer, and not
 * because the members are slow.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MajorityAnswers } from "../../../../../daemon/cluster/peers/decisions/majority-answers.js";
import { Timeouts } from "../../../../../daemon/cluster/peers/decisions/timeouts.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import { amount, some } from "../../../../support/amount.js";
import { repositoryRoot } from "../../../../support/repository.js";

import { idOf, listOf, type Member, type World } from "./simulated-members.js";
import { decideFor, SLOWNESSES, sceneOf, suspend } from "./slow-members.js";

const SILENT = "no majority of the members answers";
/** The longest time until a member refuses units, in milliseconds: 100, 600, and four ticks of 25. */
const REFUSED_MS = 800;
/** Milliseconds until the members decide again after a fault. */
const HEALED_MS = 1_500;
const RUNS = amount(1, 6);

type Three = readonly [Member, Member, Member];

/** Returns three members that have decided, the keeper first. */
async function threeMembers(
  run = 0,
  latencyMs = 0,
): Promise<{ readonly world: World; readonly members: Three }> {
  const { world, members } = await sceneOf(run, 3, { warmUpMs: 500 + 10 * latencyMs, latencyMs });
  world.doClientsWait = true;
  const keeper = world.keepers.at(-1);
  const [first, ...others] = members.toSorted((a, b) => Number(b.id === keeper) - Number(a.id === keeper));
  return { world, members: [first, ...others] as unknown as Three };
}

/**
 * Submits a unit of a member's own port.
 * @param ahead  milliseconds until it can be proposed
 * @param isPatient  whether its client waits although another member may have received the unit
 * @returns when and how it is given up
 */
function submitOwn(
  world: World,
  member: Member,
  key: string,
  { ahead = 0, isPatient = false } = {},
): { after: number; isSent: boolean | null } {
  const given: { after: number; isSent: boolean | null } = { after: Number.POSITIVE_INFINITY, isSent: null };
  const since = world.scheduler.time;
  const unit = { ...world.unitOf(world.casOf(member, key)), earliest: member.clock + ahead };
  member.decisions?.submit(unit, true, (isSent) => {
    if (isSent && isPatient) return false;
    given.after = world.scheduler.time - since;
    given.isSent = isSent;
    return true;
  });
  return given;
}

const obstacleAt = (member: Member): string | null | undefined =>
  member.decisions?.obstacle("x", "x", 1, true);

/** Ways in which the other two members do not answer, although they may be connected. */
const CUTS: Readonly<Record<string, (world: World, others: readonly Member[]) => () => void>> = {
  "are suspended": (world, others) => {
    suspend(world, others, Number.POSITIVE_INFINITY);
    return () => {
      for (const { processor } of others) world.scheduler.resume(processor);
    };
  },
  "receive nothing": (world, others) => {
    const send = world.send.bind(world);
    world.send = (from, to, message) => {
      if (others.every(({ id }) => id !== to)) send(from, to, message);
    };
    return () => {
      world.send = send;
    };
  },
  "receive everything, but send nothing": (world, others) => {
    const send = world.send.bind(world);
    world.send = (from, to, message) => {
      if (others.every(({ id }) => id !== from)) send(from, to, message);
    };
    return () => {
      world.send = send;
    };
  },
};

for (const [name, cut] of Object.entries(CUTS))
  for (const index of [0, 1])
    test(`a client is answered soon if the other two ${name}: at ${index === 0 ? "the keeper" : "another member"}`, async () => {
      for (let run = 0; run < RUNS; run++) {
        const { world, members } = await threeMembers(run);
        const { scheduler } = world;
        const member = members[index] as Member;
        const heal = cut(
          world,
          members.filter((other) => other !== member),
        );
        const first = submitOwn(world, member, "x");
        await scheduler.runUntil(scheduler.time + 1_000);
        assert.equal(first.isSent, true, `run ${run}`);
        assert.ok(first.after <= REFUSED_MS, `${first.after} ms, run ${run}`);
        assert.equal(obstacleAt(member), SILENT);
        await scheduler.runUntil(scheduler.time + 3_000);
        assert.equal(obstacleAt(member), SILENT, "until one answers");
        heal();
        await scheduler.runUntil(scheduler.time + HEALED_MS);
        assert.equal(obstacleAt(member), null);
        const again = world.submit(member, [member], "y");
        await scheduler.runUntil(scheduler.time + HEALED_MS);
        assert.ok(world.decidedUnits.has(again.id), `run ${run}`);
        assert.equal(world.givenUp.length, 0);
      }
    });

test("the first clients are answered after the times that the page states", async () => {
  const page = readFileSync(join(repositoryRoot, "docs/consistency.md"), "utf8");
  const stated =
    /receive the error after ([\d.]+) to ([\d.]+) s \([^)]*, up to ([\d.]+) s[;)]/.exec(page) ?? [];
  const [least = 0, most = 0, slow = 0] = stated.slice(1).map((seconds) => 1_000 * Number(seconds));

  const answeredAfter = async (latencyMs: number, phase: number): Promise<number> => {
    const { world, members } = await threeMembers(0, latencyMs);
    const [member, ...others] = members;
    await world.scheduler.runUntil(world.scheduler.time + 2_000 + phase);
    CUTS["are suspended"]?.(world, others);
    const first = submitOwn(world, member, "x");
    await world.scheduler.runUntil(world.scheduler.time + 5_000);
    return first.after;
  };

  const [usual, slowest]: [number[], number[]] = [[], []];
  for (let phase = 0; phase < 25; phase += amount(4, 1)) {
    usual.push(await answeredAfter(0, phase));
    slowest.push(await answeredAfter(500, phase));
  }

  assert.ok(Math.min(...usual) >= least && Math.max(...usual) <= most, `${usual}`);
  assert.ok(Math.min(...slowest) > most && Math.max(...slowest) <= slow, `${slowest}`);
});

test("a client is answered as soon if a second fault follows directly after one with long round trips", async () => {
  const suspendOthers = CUTS["are suspended"] ?? assert.fail();
  for (let ms = 3_000; ms < 5_000; ms += amount(500, 100)) {
    const { world, members } = await threeMembers();
    const { scheduler } = world;
    const [member, ...others] = members;
    world.roundTripMs = () => 1_000;
    const resume = suspendOthers(world, others);
    submitOwn(world, member, "x");
    await scheduler.runUntil(scheduler.time + ms);
    assert.equal(obstacleAt(member), SILENT);
    resume();
    for (let step = 0; step < 500 && obstacleAt(member) === SILENT; step++)
      await scheduler.runUntil(scheduler.time + 10);
    assert.equal(obstacleAt(member), null);

    suspendOthers(world, others);
    const second = submitOwn(world, member, "y");
    await scheduler.runUntil(scheduler.time + 5_000);
    // 100, at most 1,500, and four ticks of 25.
    assert.ok(second.after <= 1_700, `${second.after} ms after a fault of ${ms} ms`);
  }
});

test("a client whose unit is too early for a proposal is answered as soon, and the unit has no effect", async () => {
  for (const index of [0, 1]) {
    const { world, members } = await threeMembers();
    const member = members[index] as Member;
    const others = members.filter((other) => other !== member);
    const heal = CUTS["are suspended"]?.(world, others) ?? assert.fail();
    const early = submitOwn(world, member, "x", { ahead: 3_000 });
    await world.scheduler.runUntil(world.scheduler.time + 1_000);
    assert.equal(early.isSent, false);
    assert.ok(early.after <= REFUSED_MS, `${early.after} ms`);
    heal();
    await world.scheduler.runUntil(world.scheduler.time + 4_000);
    assert.ok([...world.decidedUnits.values()].every(({ cas }) => cas?.key !== "x"));
  }
});

test("a unit that is too early for a proposal replaces no keeper", async () => {
  const { world, members } = await threeMembers();
  const turns = world.keepers.length;
  const early = submitOwn(world, members[1], "x", { ahead: 3_000 });
  const decided = () => [...world.decidedUnits.values()].filter(({ cas }) => cas?.key === "x").length;
  await world.scheduler.runUntil(world.scheduler.time + 2_900);
  assert.deepEqual([decided(), members.map(({ decisions }) => decisions?.waiting)], [0, [0, 0, 0]]);
  await world.scheduler.runUntil(world.scheduler.time + 500);
  assert.deepEqual([decided(), world.keepers.length, early.isSent], [1, turns, null]);
});

test("a unit that the keeper has not proposed is dropped, and has no effect", async () => {
  const { world, members } = await threeMembers();
  const [keeper, ...others] = members;
  const heal = CUTS["are suspended"]?.(world, others) ?? assert.fail();
  const proposed = submitOwn(world, keeper, "x");
  await world.scheduler.runUntil(world.scheduler.time + 100);
  const dropped = submitOwn(world, keeper, "y");
  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  assert.deepEqual([proposed.isSent, dropped.isSent], [true, false]);
  assert.ok(dropped.after <= REFUSED_MS);
  assert.equal(keeper.decisions?.waiting, 0);
  heal();
  await decideFor(world, HEALED_MS);
  const decided = [...world.decidedUnits.values()].flatMap(({ cas }) => cas?.key ?? []);
  assert.deepEqual([decided.includes("x"), decided.includes("y")], [true, false]);
});

test("a unit whose client waits anyway is decided after the silence if it was sent, and else given up", async () => {
  const { world, members } = await threeMembers();
  const [keeper, ...others] = members;
  const heal = CUTS["are suspended"]?.(world, others) ?? assert.fail();
  const proposed = submitOwn(world, keeper, "x", { isPatient: true });
  await world.scheduler.runUntil(world.scheduler.time + 100);
  const dropped = submitOwn(world, keeper, "y", { isPatient: true });
  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  assert.deepEqual([proposed.isSent, dropped.isSent, keeper.decisions?.waiting], [null, false, 1]);
  assert.equal(obstacleAt(keeper), SILENT);
  heal();
  await world.scheduler.runUntil(world.scheduler.time + HEALED_MS);
  const decided = [...world.decidedUnits.values()].flatMap(({ cas }) => cas?.key ?? []);
  assert.deepEqual([decided.includes("x"), decided.includes("y"), obstacleAt(keeper)], [true, false, null]);
});

test("a member that may not vote, because its disk has failed, is no part of a majority that answers", async () => {
  const { world, members } = await threeMembers();
  const [keeper, failed, stopped] = members;
  stopped.stop();
  failed.lists = [];
  const given = submitOwn(world, keeper, "x");
  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  assert.ok(given.after <= REFUSED_MS, `given up after ${given.after} ms`);
});

test("a unit that clients have sent to several members is never known to have no effect", async () => {
  const { world, members } = await threeMembers();
  const [keeper, ...others] = members;
  CUTS["are suspended"]?.(world, others);
  submitOwn(world, keeper, "x");
  await world.scheduler.runUntil(world.scheduler.time + 100);
  const sent = world.submit(keeper, [keeper], "y");
  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  assert.deepEqual(world.givenUp, [{ member: keeper, unit: sent.id, isSent: true }]);
});

test("a client that sends a unit again, before or after it was given up, is answered again", async () => {
  const { world, members } = await threeMembers();
  const [keeper, ...others] = members;
  CUTS["are suspended"]?.(world, others);
  const cas = world.submit(keeper, [keeper], "x");
  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  let answers = 0;
  const giveUp = () => ++answers > 0;
  for (let time = 0; time < 2; time++) keeper.decisions?.submit(world.unitOf(cas), false, giveUp);
  await world.scheduler.runUntil(world.scheduler.time + 50);
  assert.deepEqual([world.givenUp.length, answers], [1, 1]);
  world.submit(keeper, [keeper], "y");
  const again = [...world.units.values()].at(-1) ?? assert.fail();
  keeper.decisions?.submit(world.unitOf(again), false, giveUp);
  await world.scheduler.runUntil(world.scheduler.time + 50);
  assert.deepEqual([world.givenUp.length, answers], [1, 2]);
});

test("a client that waits while the connections to the others are closed is answered, too", async () => {
  const { world, members } = await threeMembers();
  const [member, ...others] = members;
  const waiting = submitOwn(world, member, "x");
  for (const other of others) other.stop();
  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  assert.ok(waiting.after <= REFUSED_MS, `${waiting.after} ms`);
  assert.match(obstacleAt(member) ?? "", /not connected to a majority/);
  for (const other of others) other.start();
  await world.scheduler.runUntil(world.scheduler.time + HEALED_MS);
  assert.equal(obstacleAt(member), null);
});

test("a member that returns is asked immediately, although the last request was sent just before", async () => {
  for (let phase = 0; phase < 5; phase++) {
    const { world, members } = await threeMembers();
    const [member, ...others] = members;
    const { scheduler } = world;
    // Requests are repeated after twice the time of a slow disk.
    world.savingMs = () => 800;
    await decideFor(world, 4_000);
    submitOwn(world, member, "x");
    for (const other of others) other.stop();
    await scheduler.runUntil(scheduler.time + 12_000 + 300 * phase);
    for (const other of others) other.start();
    await scheduler.runUntil(scheduler.time + 60);
    assert.equal(obstacleAt(member), null, `phase ${phase}`);
  }
});

test("one member that answers is enough for a majority of three, whichever it is", async () => {
  for (const index of [1, 2]) {
    const { world, members } = await threeMembers();
    suspend(world, [members[index] as Member], Number.POSITIVE_INFINITY);
    await decideFor(world, 2_000);
    assert.equal(world.givenUp.length, 0);
    assert.equal(obstacleAt(members[0]), null);
  }
});

test("a member that has lost its promises does not count, because it does not vote", async () => {
  const { world, members } = await threeMembers();
  const [member, second, third] = members;
  third.stop();
  second.stop();
  second.loseDisk();
  second.start();
  const waiting = submitOwn(world, member, "x");
  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  assert.ok(waiting.after <= REFUSED_MS, `${waiting.after} ms`);
  assert.equal(obstacleAt(member), SILENT);
});

test("a member that uses another list counts, because it will use this one soon", async () => {
  const { world, members } = await threeMembers();
  const [member, ...others] = members;
  member.lists = [...member.lists, listOf(2, ["a", "b", "c"])];
  const waiting = submitOwn(world, member, "x");
  await world.scheduler.runUntil(world.scheduler.time + 5_000);
  assert.equal(waiting.isSent, null);
  for (const other of others) other.lists = member.lists;
  await world.scheduler.runUntil(world.scheduler.time + HEALED_MS);
  assert.equal(obstacleAt(member), null);
  assert.equal(member.decisions?.waiting, 0);
});

for (const [name, slowness] of some(Object.entries(SLOWNESSES).toReversed()))
  test(`no client is refused because members are slow, or one of them is suspended: ${name}`, async () => {
    for (let run = 0; run < RUNS; run++) {
      const warmUpMs = amount(3_000, 20_000);
      const { world, members } = await sceneOf(run, 3, { ...slowness, warmUpMs });
      world.doClientsWait = true;
      await decideFor(world, amount(500, 30_000));
      for (const member of members) {
        suspend(world, [member], 3_000);
        await decideFor(world, amount(4_000, 8_000));
      }
      const refused = world.givenUp.map(({ member }) => member.name);
      assert.deepEqual(refused, [], `run ${run}`);
      assert.deepEqual(members.map(obstacleAt), [null, null, null]);
    }
  });

test("a disk that takes seconds for a while delays decisions, and no client is refused", async () => {
  const { world } = await threeMembers();
  world.savingMs = () => 2_500;
  await decideFor(world, 6_000);
  world.savingMs = () => 1;
  await decideFor(world, 3_000);
  assert.deepEqual(world.givenUp, []);
});

test("a member that was suspended itself does not count that time", async () => {
  for (const index of [0, 1]) {
    const { world, members } = await threeMembers();
    const member = members[index] as Member;
    suspend(
      world,
      members.filter((other) => other !== member),
      400,
    );
    const waiting = submitOwn(world, member, "x");
    await world.scheduler.runUntil(world.scheduler.time + 300);
    suspend(world, [member], 5_000);
    await world.scheduler.runUntil(world.scheduler.time + 7_000);
    assert.equal(waiting.isSent, null);
    assert.equal(member.decisions?.waiting, 0);
  }
});

/** Returns a member's answers, and its ticks. */
function ticking(): {
  readonly answers: MajorityAnswers;
  readonly tick: (at: number, stopped?: number) => number | null;
} {
  let now = 0;
  const answers = new MajorityAnswers(new Timeouts(() => now, PEERING_LIMITS.majorityTimeoutMs));
  const tick = (at: number, stopped = 0) => {
    now = at;
    return answers.tick(at, stopped, at);
  };
  return { answers, tick };
}

test("the time in which the process did not run does not count", () => {
  const { answers, tick } = ticking();
  tick(100);
  tick(500);
  tick(5_500, 4_900);
  tick(5_550);
  assert.equal(answers.isSilent, false);
  tick(5_625);
  tick(5_650);
  assert.equal(answers.isSilent, true);
});

test("what has arrived is read before a majority counts as silent", () => {
  const { answers, tick } = ticking();
  const list = listOf(1, ["a", "b", "c"]);
  const number = tick(100) ?? assert.fail("it requests nothing");
  tick(650);
  tick(715);
  // Another call in the same turn of the event loop.
  tick(716);
  assert.equal(answers.isSilent, false);
  answers.answered(idOf("b"), number, idOf("a"), list, 717);
  tick(740);
  assert.equal(answers.isSilent, false);
});

test("members that once took long to answer are given more time for a while", async () => {
  const { world, members } = await threeMembers();
  const [member, ...others] = members;
  const suspendFor = async (milliseconds: number): Promise<number> => {
    suspend(world, others, milliseconds);
    const before = world.givenUp.length;
    world.submit(member, [member], "x");
    await world.scheduler.runUntil(world.scheduler.time + 3_000);
    return world.givenUp.length - before;
  };
  assert.equal(await suspendFor(900), 1);
  assert.equal(await suspendFor(900), 0);
  await world.scheduler.runUntil(world.scheduler.time + 300_000);
  assert.equal(await suspendFor(900), 1);
  assert.equal(await suspendFor(1_500), 1);
});

test("the only member of a list does not wait for answers", async () => {
  const { world, members } = await threeMembers();
  const [member, ...others] = members;
  for (const other of others) other.stop();
  const cut = submitOwn(world, member, "x");
  await world.scheduler.runUntil(world.scheduler.time + 1_000);
  assert.equal(cut.isSent, true);
  member.lists = [...member.lists, { ...listOf(2, []), members: new Set([member.id]) }];
  world.savingMs = () => 3_000;
  await world.scheduler.runUntil(world.scheduler.time + 100);
  const waiting = submitOwn(world, member, "x");
  await world.scheduler.runUntil(world.scheduler.time + 2_000);
  assert.deepEqual([waiting.isSent, obstacleAt(member)], [null, null]);
});

test("no member requests answers while nothing waits", async () => {
  const { world } = await threeMembers();
  await world.scheduler.runUntil(world.scheduler.time + 3_000);
  const kinds = new Set<string>();
  world.trace = (_from, _to, { kind }) => kinds.add(kind);
  await world.scheduler.runUntil(world.scheduler.time + 10_000);
  assert.deepEqual([...kinds], []);
});
