/** Starts members that decide, in simulated time, without the clients and faults of a random run. */
import assert from "node:assert/strict";
import type { PeeringLimits } from "../../daemon/cluster/peers/shared/peering-limits.js";
import { SeededRandom } from "../support/seeded-random.js";
import { nextTurn } from "../support/until.js";
import { Administrator } from "./lists/administrator.js";
import { SignedLists } from "./lists/known-lists.js";
import { makeWorld } from "./simulate.js";
import type { Daemon, World } from "./world.js";

/**
 * Starts members with the given clocks, and signs their list.
 * @param peering  limits that differ from the usual ones
 */
export async function startMembers(
  seed: number,
  clocks: readonly number[],
  peering: Partial<PeeringLimits> = {},
): Promise<World> {
  const settings = { hosts: clocks.length, byzantine: null, lists: true, contended: 1, readMs: 0 } as const;
  const limits = { window: { past: 30_000, future: 5_000 }, peering, snapshotEvery: 0, syncEveryMs: 0 };
  const tails = [{ tailMs: 90_000, tailBytes: 100_000_000 }];
  const fixed = { ...settings, ...limits, tails, faults: new Set<never>(), remembered: 1_000 };

  let world = makeWorld(seed, null, [], fixed);
  for (let next = seed; world.genesis.roots.length === 0; world = makeWorld(++next, null, [], fixed));

  const { hosts, scheduler } = world;
  for (const [index, host] of hosts.entries()) host.clockOffset = clocks[index] as number;
  for (const host of hosts) host.start();
  // Until the timelines are open, there is no event.
  await nextTurn();
  await untilAll(world, ({ isLive }) => isLive);

  const signed = new SignedLists(world);
  const administrator = new Administrator({ world, random: new SeededRandom(seed, 6), signed, name: "a0" });
  const query = (): void =>
    administrator.query(hosts, 500, (answers) => {
      const add = answers.views.map(({ id }) => id);
      // A member with an early clock may refuse envelopes at first.
      if (add.length === hosts.length)
        assert.equal(administrator.sign(answers, { add, evict: [] }, hosts), null);
      else scheduler.after(1_000, null, query);
    });

  query();
  await untilAll(world, ({ peering }) => peering.decisions.isPossible);
  return world;
}

/** Waits until something holds at all daemons. */
export async function untilAll(
  { scheduler, hosts }: World,
  holds: (daemon: Daemon) => boolean,
): Promise<void> {
  const deadline = scheduler.time + 30_000;
  while (!hosts.every(({ daemon }) => daemon !== null && holds(daemon))) {
    assert.ok(scheduler.time < deadline);
    await scheduler.runUntil(scheduler.time + 100);
  }
}
