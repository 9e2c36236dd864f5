/**
 * Members that decide while their disks, their network or their processors are slow, and while some of them are
 * suspended.
 */
import { seed } from "../../../../support/seed.js";
import { listOf, type Member, World } from "./simulated-members.js";

const NAMES = ["a", "b", "c", "d", "e"];
/** Milliseconds for which the members measure before a fault. */
const WARM_UP_MS = 3_000;
/** Milliseconds between two units of the clients. */
const UNIT_EVERY_MS = 50;

/** What is slow in a world. */
export interface Slowness {
  /** Returns the milliseconds that a disk takes to store something. */
  readonly savingMs?: (world: World) => number;
  /** The milliseconds that a message needs to each member. */
  readonly latencyMs?: number;
  /** Returns the milliseconds for which a processor does not run. It then runs for up to 150 ms. */
  readonly stallMs?: (world: World) => number;
  readonly warmUpMs?: number;
}

const between = (world: World, min: number, max: number): number => min + world.random.below(max - min);

export const SLOWNESSES: Readonly<Record<string, Slowness>> = {
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

export interface Scene {
  readonly world: World;
  readonly members: readonly Member[];
}

/** Starts the members of a list, and lets them decide for a while. */
export async function sceneOf(run: number, size: number, slowness: Slowness): Promise<Scene> {
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
export async function decideFor(world: World, milliseconds: number): Promise<number> {
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

/** Suspends members for a time, as SIGSTOP and SIGCONT do. */
export function suspend({ scheduler }: World, members: readonly Member[], milliseconds: number): void {
  for (const { processor } of members) processor.busyUntil = scheduler.time + milliseconds;
}
