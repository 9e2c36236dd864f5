/**
 * Rotates the root key and replaces a daemon whose folder was lost, at random moments and under faults: the new daemon
 * adopts a list whose signer's key it cannot know, goes live, and writes become final. Source: docs/decisions/0051.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { amount } from "../support/amount.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { makeKey } from "./cast.js";
import { heal, sowFaults } from "./faults.js";
import { Administrator, type Wanted } from "./lists/administrator.js";
import { isInEach, SignedLists } from "./lists/known-lists.js";
import { makeWorld, setClientsToWork } from "./simulate.js";
import { EPOCH, type Host, type World } from "./world.js";

const RUNS = amount(1, 8);
const STEP_MS = 1_000;
const PATIENCE_MS = 400;
const STEPS_MAX = 150;
/** Steps between two lists: if one were signed every second, the lists would never settle. */
const SIGNS_EVERY = 5;
const WORK_MS = 20_000;
/** The faults that destroy the only copy of an entry or list. This test omits them; other runs include them. */
const WITHOUT = ["clock-day", "rot", "full-disk", "wipe", "tables", "groups", "scripts", "comparing"];
/** Maximum milliseconds between two of the operator's steps. */
const PAUSE_MS = 6_000;

/** Returns the world of a seed, or null if its cluster has no administrator. */
function worldOf(seed: number): World | null {
  const fixed = { hosts: 3, byzantine: null, lists: true, envelopes: 80, workMs: WORK_MS, administration: 0 };
  const world = makeWorld(seed, null, WITHOUT, fixed);
  return world.genesis.roots.length > 0 ? world : null;
}

async function until(world: World, goal: string, holds: () => boolean, act: () => void): Promise<void> {
  for (let steps = 0; !holds(); steps++) {
    const shown = world.hosts.map(({ name, daemon }) => {
      const list = daemon?.lists?.heads.map(({ list: { number } }) => number).join(" and ");
      return `${name} ${daemon?.timeline.state}, list ${list}, stable ${(daemon?.peering.stablePoint ?? 0) - EPOCH}`;
    });
    assert.ok(steps < STEPS_MAX, `${goal}: ${shown.join(", ")}`);
    if (steps % SIGNS_EVERY === 0) act();
    await world.scheduler.runUntil(world.scheduler.time + STEP_MS);
    if (world.scheduler.time > WORK_MS) heal(world);
  }
}

/**
 * Rotates the key and replaces a daemon.
 * @returns the time when all steps were done, in milliseconds since 1970, and a function that merges two lists
 */
async function rotateAndReplace(
  world: World,
  seed: number,
): Promise<{ readonly doneAt: number; readonly merge: () => void }> {
  const random = new SeededRandom(seed, 8);
  const { scheduler, hosts, genesis } = world;
  const signed = new SignedLists(world);
  const next = makeKey(random);
  const parts = { world, random, signed };
  const before = new Administrator({ ...parts, name: "a0", keys: genesis.roots });
  const after = new Administrator({ ...parts, name: "a1", keys: [next] });
  const signs = (administrator: Administrator, change: () => Wanted) => () =>
    administrator.query(hosts, PATIENCE_MS, (answers) => {
      const isMerge = answers.heads.length > 1;
      administrator.sign(answers, isMerge ? { add: [], evict: [] } : change(), hosts);
    });
  const pause = () => scheduler.runUntil(scheduler.time + random.below(PAUSE_MS));
  const rings = (holds: (ring: NonNullable<Host["daemon"]>["timeline"]["ring"]) => boolean) => () =>
    hosts.every((host) => host === lost || (host.daemon !== null && holds(host.daemon.timeline.ring)));
  let lost: Host | null = null;
  let lostId = "";
  const loseAt = random.below(3);
  const lose = (at: number) => {
    if (at !== loseAt) return;
    lost = random.oneOf(hosts);
    lostId = hexOf(lost.identity.id);
    lost.kill("its disk is dead");
    lost.wipe();
    lost.restartAfter(random.below(PAUSE_MS));
  };

  const all = () => ({ add: hosts.map(({ identity }) => hexOf(identity.id)), evict: [] });
  await until(world, "the first list is signed", () => isKnown(world, 1), signs(before, all));
  await pause();
  lose(0);
  const key = Buffer.from(next.spki, "latin1").toString("base64");
  const add = ["KEY", "ADD", key, "LABEL", "administrator", "RULES", "+@all", "~*"];
  await until(
    world,
    "the key is added",
    rings((ring) => ring.find(next.id) !== undefined),
    () => before.send(add, hosts),
  );
  await pause();
  lose(1);
  if (random.chance(0.5)) {
    const number = (world.heads[0]?.list.number ?? 0) + 1;
    const again = () => ({ add: [], evict: [], isRenewed: true });
    await until(world, "the list is signed again", () => isKnown(world, number), signs(after, again));
  }
  const old = genesis.roots[0]?.id ?? "";
  const revoked = rings((ring) => ring.find(old)?.revokedAt != null);
  await until(world, "the old key is revoked", revoked, () =>
    after.send(["KEY", "REVOKE", hexOf(old)], hosts),
  );
  await pause();
  lose(2);
  await pause();
  const replacing = () => ({
    add: [hexOf((lost as Host).identity.id)],
    evict: [lostId],
    isReplacing: true,
  });
  const isReplaced = () => {
    signed.update();
    return world.heads.length === 1 && isInEach(world.heads, lost as Host);
  };
  await until(world, "the lost daemon is replaced", isReplaced, signs(after, replacing));
  const merge = signs(after, () => ({ add: [], evict: [] }));
  return { doneAt: EPOCH + scheduler.time, merge };
}

/** Whether all daemons that a list names use a list with at least this number. */
function isKnown({ hosts, heads }: World, number: number): boolean {
  const [head] = heads;
  if (head === undefined || heads.length > 1 || head.list.number < number) return false;
  const named = hosts.filter((host) => isInEach(heads, host));
  return named.every(({ daemon }) => daemon?.lists?.durable.hash === head.hash);
}

const first = seedOfRun();
let seed = first - 1;
for (let runs = 0; runs < RUNS; runs++) {
  seed++;
  for (let tried = 0; worldOf(seed) === null; tried++, seed++)
    assert.ok(tried < 1000, "no seed has a world with such a list");
  const current = seed;
  test(`run ${current}: the root key is rotated and a daemon is replaced`, async () => {
    const world = worldOf(current) ?? assert.fail();
    for (const host of world.hosts) host.start();
    sowFaults(world);
    setClientsToWork(world);
    const { doneAt, merge } = await rotateAndReplace(world, current);
    heal(world);
    const isSettled = ({ daemon }: Host) =>
      daemon?.isLive === true && daemon.lists?.isReporting === true && daemon.peering.stablePoint > doneAt;
    await until(
      world,
      "all daemons are live, and writes become final",
      () => world.hosts.every(isSettled),
      merge,
    );
    assert.deepEqual(world.ledger.violations, []);
  });
}
