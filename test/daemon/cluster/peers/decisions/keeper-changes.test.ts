/**
 * Tests when members replace their keeper: soon after it has stopped, and not because it is slow. The times are those
 * of simulated disks, of a simulated network, and of processors that run late.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount, some } from "../../../../support/amount.js";
import { seed } from "../../../../support/seed.js";
import { listOf, type Member, World } from "./simulated-members.js";

const NAMES = ["a", "b", "c", "d", "e"];
/** Milliseconds for which the members measure before a fault. */
const WARM_UP_MS = 3_000;
/** Milliseconds between two units of the clients. */
const UNIT_EVERY_MS = 50;
/** Milliseconds without a fault. */
const QUIET_MS = amount(8_000, 100_000);
/** The number of worlds in which a fault happens. */
const RUNS = amount(2, 20);
/** Milliseconds for which a process is suspended, and for which the run then continues. */
const SUSPENDED_MS = 3_000;
const AFTER_MS = 5_000;

/** What is slow in a world. */
interface Slowness {
  /** Returns the milliseconds that a disk takes to store something. */
  readonly savingMs?: (world: World) => number;
  /** The milliseconds that a message needs to each member. */
  readonly latencyMs?: number;
  /** Returns the milliseconds for which a processor does not run. It then runs for up to 150 ms. */
  readonly stallMs?: (world: World) => number;
  readonly warmUpMs?: number;
}

const between = (world: World, min: number, max: number): number => min + world.random.below(max - min);

const SLOWNESSES: Readonly<Record<string, Slowness>> = {
  "nothing is slow": {},
  "disks take 10 to 20 ms": { savingMs: (world) => between(world, 10, 20) },
  "disks take 150 to 250 ms": { savingMs: (world) => between(world, 150, 250) },
  "round trips take 100 ms": { latencyMs: 50 },
  "round trips take 500 ms": { latencyMs: 250 },
  "processes run late, and disks are busy": {
    savingMs: (world) => between(world, 2, world.chance(0.02) ? 600 : 20),
    stallMs: (world) => between(world, 0, world.chance(0.02) ? 600 : 60),
    warmUpMs: 20_000,
  },
};

interface Scene {
  readonly world: World;
  readonly members: readonly Member[];
}

/** Starts the members of a list, and lets them decide for a while. */
async function sceneOf(run: number, size: number, slowness: Slowness): Promise<Scene> {
  const world = new World(seed() * 1_000 + run);
  world.together = 64;
  const { savingMs, latencyMs = 0, stallMs, warmUpMs = WARM_UP_MS } = slowness;
  if (savingMs !== undefined) world.savingMs = () => savingMs(world);
  world.latencyMs = latencyMs;
  const names = NAMES.slice(0, size);
  const members = names.map((name) => world.add(name));
  for (const member of members) {
    member.lists = [listOf(1, names)];
    member.start();
    if (stallMs !== undefined) stallAgainAndAgain(world, member, () => stallMs(world));
  }
  await decideFor(world, warmUpMs);
  return { world, members };
}

function stallAgainAndAgain(
  { scheduler, random }: World,
  { processor }: Member,
  stallMs: () => number,
): void {
  const stall = (): void => {
    processor.busyUntil = Math.max(processor.busyUntil, scheduler.time + stallMs());
    scheduler.after(processor.busyUntil - scheduler.time + random.below(150), null, stall);
  };
  scheduler.after(random.below(150), null, stall);
}

/**
 * Lets a client send units to all members for a time.
 * @returns the longest time without a decision, in milliseconds
 */
async function decideFor(world: World, milliseconds: number): Promise<number> {
  const { scheduler, decidedUnits } = world;
  const end = scheduler.time + milliseconds;
  let [longest, since, decided] = [0, scheduler.time, decidedUnits.size];
  for (let nextAt = scheduler.time; scheduler.time < end; ) {
    if (scheduler.time >= nextAt) {
      world.submit(world.up[0] as Member, world.up, `key ${world.random.below(50)}`);
      nextAt += UNIT_EVERY_MS;
    }
    await scheduler.runUntil(scheduler.time + 5);
    if (decidedUnits.size > decided) since = scheduler.time;
    decided = decidedUnits.size;
    longest = Math.max(longest, scheduler.time - since);
  }
  return longest;
}

function keeperOf({ world, members }: Scene): Member {
  return members.find(({ id }) => id === world.keepers.at(-1)) ?? assert.fail("there is no keeper");
}

/** Returns the number of keeper changes of each member, and of the keepers that have decided something. */
const changesOf = ({ world, members }: Scene): number[] => [
  ...members.map(({ decisions }) => decisions?.keeperChanges ?? 0),
  world.keepers.length,
];

/** Returns how `changesOf` has changed during an action. */
async function changesDuring(scene: Scene, act: () => Promise<unknown>): Promise<number[]> {
  const before = changesOf(scene);
  await act();
  return changesOf(scene).map((count, index) => count - (before[index] ?? 0));
}

/** Suspends members for a time, as SIGSTOP and SIGCONT do. */
function suspend({ scheduler }: World, members: readonly Member[], milliseconds = SUSPENDED_MS): void {
  for (const { processor } of members) processor.busyUntil = scheduler.time + milliseconds;
}

for (const [name, slowness] of Object.entries(SLOWNESSES))
  for (const size of some([3, 5]))
    test(`${size} members do not replace their keeper without a fault: ${name}`, async () => {
      const scene = await sceneOf(0, size, slowness);
      const changes = await changesDuring(scene, () => decideFor(scene.world, QUIET_MS));
      assert.deepEqual(
        changes,
        changes.map(() => 0),
      );
    });

/** The longest pauses in milliseconds after the keeper was killed, and after it has stopped with open connections. */
const PAUSES: Readonly<Record<string, readonly [killed: number, stopped: number]>> = {
  "nothing is slow": [100, 600],
  "disks take 10 to 20 ms": [150, 700],
  "round trips take 100 ms": [350, 900],
};

for (const [name, [killedMs, stoppedMs]] of Object.entries(PAUSES))
  for (const size of some([3, 5]))
    test(`${size} members continue soon after the keeper has stopped: ${name}`, async (context) => {
      let longest = [0, 0];
      for (let run = 0; run < RUNS; run++) {
        const killed = await sceneOf(run, size, SLOWNESSES[name] as Slowness);
        keeperOf(killed).stop();
        const stopped = await sceneOf(run, size, SLOWNESSES[name] as Slowness);
        suspend(stopped.world, [keeperOf(stopped)], Number.POSITIVE_INFINITY);
        const pauses = [await decideFor(killed.world, AFTER_MS), await decideFor(stopped.world, AFTER_MS)];
        longest = longest.map((ms, index) => Math.max(ms, pauses[index] ?? 0));
      }
      context.diagnostic(`killed: ${longest[0]} ms, stopped: ${longest[1]} ms`);
      const [killed, stopped] = longest as [number, number];
      assert.ok(killed <= killedMs && stopped <= stoppedMs, `${longest}`);
    });

for (const [name, slowness] of Object.entries(SLOWNESSES))
  test(`a keeper that is suspended for 3 s is replaced once, and another member never: ${name}`, async () => {
    for (let run = 0; run < RUNS; run++) {
      const scene = await sceneOf(run, 3, slowness);
      const { world, members } = scene;
      await world.scheduler.runUntil(world.scheduler.time + world.random.below(50));
      const keeper = keeperOf(scene);
      const [other] = members.filter((member) => member !== keeper) as [Member];

      const none = await changesDuring(scene, async () => {
        suspend(world, [other]);
        await decideFor(world, SUSPENDED_MS + AFTER_MS);
      });
      assert.deepEqual(none, [0, 0, 0, 0], `run ${run}, another member`);
      const once = await changesDuring(scene, async () => {
        suspend(world, [keeper]);
        await decideFor(world, SUSPENDED_MS + AFTER_MS);
      });
      assert.deepEqual(once, [1, 1, 1, 1], `run ${run}, the keeper`);
    }
  });

test("members that were all suspended keep their keeper, although their disks are slow", async () => {
  for (let run = 0; run < RUNS; run++) {
    const scene = await sceneOf(run, 3, SLOWNESSES["disks take 150 to 250 ms"] as Slowness);
    const { world, members } = scene;
    const changes = await changesDuring(scene, async () => {
      suspend(world, members);
      await decideFor(world, SUSPENDED_MS + AFTER_MS);
    });
    assert.deepEqual(changes, [0, 0, 0, 0], `run ${run}`);
  }
});

test("a member that was suspended while it waited reads what has arrived before it becomes the keeper", async () => {
  const scene = await sceneOf(0, 3, {});
  const { world, members } = scene;
  const { scheduler } = world;
  const keeper = keeperOf(scene);
  const [waiting] = members.filter((member) => member !== keeper) as [Member];
  // Each random time is the shortest.
  world.random.below = () => 0;
  await decideFor(world, 500);

  const changes = await changesDuring(scene, async () => {
    suspend(world, [keeper], Number.POSITIVE_INFINITY);
    world.submit(waiting, members, "x");
    await scheduler.runUntil(scheduler.time + 345);
    suspend(world, [waiting]);
    await decideFor(world, SUSPENDED_MS + AFTER_MS);
  });

  assert.deepEqual(changes.at(-1), 1);
  assert.equal(waiting.decisions?.keeperChanges, 1);
});

test("a write that takes long for the first time does not end the keeper's turn", async () => {
  const scene = await sceneOf(0, 3, {});
  const { world } = scene;
  const changes = await changesDuring(scene, async () => {
    world.savingMs = () => 1_500;
    world.submit(scene.members[0] as Member, scene.members, "x");
    await world.scheduler.runUntil(world.scheduler.time + 2_000);
    world.savingMs = () => 1;
    await decideFor(world, AFTER_MS);
  });
  assert.deepEqual(changes, [0, 0, 0, 0]);
});

test("only one member begins when the keeper's connections are closed", async () => {
  for (let run = 0; run < RUNS; run++) {
    const scene = await sceneOf(run, 5, {});
    const { world } = scene;
    const keeper = keeperOf(scene);
    const beginning = new Set<string>();
    world.trace = (from, _to, { kind }) => {
      if (kind === "promise-request") beginning.add(from);
    };
    // The other members wait for it already when it ends.
    suspend(world, [keeper], Number.POSITIVE_INFINITY);
    world.submit(scene.members[0] as Member, scene.members, "x");
    await world.scheduler.runUntil(world.scheduler.time + 300);
    keeper.stop();
    await decideFor(world, AFTER_MS);
    const [first] = scene.members.filter(({ isUp }) => isUp).sort((a, b) => (a.id < b.id ? -1 : 1));
    assert.deepEqual([...beginning], [first?.id], `run ${run}`);
  }
});

test("a keeper that was cut off for long follows the one that has replaced it", async () => {
  for (let run = 0; run < RUNS; run++) {
    const scene = await sceneOf(run, 3, {});
    const { world, members } = scene;
    const keeper = keeperOf(scene);
    const others = members.filter((member) => member !== keeper);
    const changes = await changesDuring(scene, async () => {
      for (const { id } of others) world.cut.add([id, keeper.id].sort().join(""));
      const waiting = world.submit(keeper, [keeper], "x");
      for (let unit = 0; unit < 20; unit++) {
        world.submit(others[0] as Member, others, "y");
        await world.scheduler.runUntil(world.scheduler.time + 500);
      }
      world.cut.clear();
      // It receives the missed decisions only after some time.
      await decideFor(world, 3_000);
      for (let exchanges = 0; exchanges < 100; exchanges++) world.exchange();
      await decideFor(world, 3_000);
      assert.ok(world.decidedUnits.has(waiting.id), `run ${run}`);
    });
    assert.deepEqual(changes, [1, 1, 1, 1], `run ${run}`);
  }
});

test("a member does not replace the keeper because another one names it as the keeper of a later ballot", async () => {
  const scene = await sceneOf(0, 3, {});
  const { world, members } = scene;
  const keeper = keeperOf(scene);
  const [liar, honest] = members.filter((member) => member !== keeper) as [Member, Member];
  const promised = honest.stored?.promised ?? assert.fail("it has promised a ballot");
  const changes = await changesDuring(scene, async () => {
    for (let message = 1; message <= 20; message++) {
      for (const { id } of members) {
        const ballot = { ...promised, round: promised.round + message, member: id };
        honest.receive(liar.id, { kind: "outvoted", ballot });
      }
      await decideFor(world, 50);
    }
  });
  assert.deepEqual(changes, [0, 0, 0, 0]);
});
