/**
 * Tests the digest alarm: if one daemon's store is corrupted, all daemons report within a minute which key differs and
 * on which daemon; after a restart all report that it is fixed. The test corrupts a value in the daemon's memory.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StateDifference } from "../../daemon/cluster/peers/state/state-differences.js";
import type { KeyEntry } from "../../daemon/store/keyspace/keyspace.js";
import { Hash } from "../../daemon/store/values/hash.js";
import { List } from "../../daemon/store/values/list.js";
import { MemberSet } from "../../daemon/store/values/member-set.js";
import { amount } from "../support/amount.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { unlevel } from "./checks.js";
import { FAULTS } from "./settings.js";
import { makeWorld, setClientsToWork } from "./simulate.js";
import type { Host, World } from "./world.js";

const RUNS = amount(1, 6);
const MINUTE = 60_000;
const CHECK_EVERY_MS = 250;

async function until(world: World, patience: number, holds: () => boolean): Promise<boolean> {
  const end = world.scheduler.time + patience;
  while (!holds() && world.scheduler.time < end)
    await world.scheduler.runUntil(world.scheduler.time + CHECK_EVERY_MS);
  return holds();
}

const found = ({ daemon }: Host): readonly StateDifference[] => daemon?.peering.states.differences.all ?? [];

/** Corrupts a value that contains bytes, or removes the key. */
function corrupt(entry: KeyEntry, remove: () => void): string {
  const { value } = entry;
  if (typeof value === "string") entry.value = `${value}?`;
  else if (value instanceof List) value.push("left", "?");
  else if (value instanceof Hash) value.setAt(0, `${value.valueAt(0)}?`);
  else if (value instanceof MemberSet) value.push("a member that was never added");
  else {
    remove();
    return "is missing";
  }
  return "has a different value";
}

const first = seedOfRun();

for (let seed = first; seed < first + RUNS; seed++)
  test(`in run ${seed} all daemons name a differing key within a minute, until the faulty daemon is restarted`, async (t) => {
    const random = new SeededRandom(seed, 7);
    const hosts = random.oneOf([2, 3, 4]);
    const fixed = { hosts, byzantine: null, envelopes: 200, workMs: 5_000, peering: {}, retainMs: Infinity };
    const world = makeWorld(seed, null, [...FAULTS, "lists"], { ...fixed, clockError: 0, clientError: 0 });
    for (const host of world.hosts) host.start();
    setClientsToWork(world);
    await world.scheduler.runUntil(fixed.workMs);
    assert.ok(await until(world, MINUTE, () => unlevel(world) === null), unlevel(world) ?? "");
    // After this minute, entries dated ahead of all clocks have been applied, and clients no longer write.
    await world.scheduler.runUntil(MINUTE);
    const hasCompared = ({ daemon }: Host) => (daemon?.peering.states.comparedAt ?? 0) > 0;
    assert.ok(
      await until(world, 2 * MINUTE, () => world.hosts.every(hasCompared)),
      "the daemons compare their states",
    );
    assert.deepEqual(world.hosts.flatMap(found), []);

    const faulty = random.oneOf(world.hosts);
    const keyspaces = faulty.daemon?.timeline.database.keyspaces ?? [];
    const keys = keyspaces.flatMap(({ entries }, db) =>
      entries.filter(({ expire }) => expire === 0).map((entry) => ({ db, entry })),
    );
    const { db, entry } = random.oneOf(keys);
    const change = corrupt(entry, () => keyspaces[db]?.delete(entry.key));
    t.diagnostic(`${entry.key} on ${faulty.name} of ${hosts} ${change}`);
    const names = (host: Host) => found(host).some(({ key }) => key === entry.key);
    assert.ok(await until(world, MINUTE, () => world.hosts.every(names)), "all daemons name the key");
    for (const host of world.hosts) {
      assert.deepEqual(
        found(host).map(({ key }) => key),
        [entry.key],
      );
      const verdict = host === faulty ? "own" : "member";
      assert.equal(found(host)[0]?.verdict, hosts === 2 ? "unclear" : verdict);
    }

    faulty.kill("restarted to read its disk again");
    faulty.start();
    const isOver = () => world.hosts.every((host) => host.daemon?.isLive && found(host).length === 0);
    assert.ok(await until(world, 2 * MINUTE, isOver), "the difference is reported as fixed");
    assert.deepEqual(
      world.ledger.violations.filter((text) => !text.includes("differs")),
      [],
    );
  });
