/**
 * One run in which operators restart daemons with other addresses again and again, while the daemons found and change
 * lists. It checks only that two lists with a common member follow each other, whatever the operators do. Source:
 * docs/decisions/0080-members-found-their-list.md.
 */
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { sowFaults } from "../faults.js";
import { FAULTS } from "../settings.js";
import { makeWorld, type Trace } from "../simulate.js";
import type { Host, World } from "../world.js";
import { ListOrders } from "./list-orders.js";
import { ListWatch } from "./list-watch.js";

const KEPT: ReadonlySet<string> = new Set(["lossy", "partition", "reset", "slow-link", "slow-disk"]);
const WITHOUT = [
  ...FAULTS.filter((fault) => !KEPT.has(fault)),
  "tables",
  "groups",
  "scripts",
  "administrators",
];
const WORK_MS = 40_000;
const RESTARTS_EVERY_MS = 2_500;
const ORDERS_EVERY_MS = 1_200;

/** @returns the violations of the rules for lists, and the number of lists that were used */
export async function simulateChangingAddresses(
  seed: number,
  print: Trace | null = null,
): Promise<{ readonly problems: readonly string[]; readonly used: number }> {
  const random = new SeededRandom(seed, 14);
  const fixed = { hosts: random.oneOf([3, 4, 5]), byzantine: null, lists: true, claims: 0, contended: 0 };
  const world = makeWorld(seed, print, WITHOUT, { ...fixed, workMs: WORK_MS });

  const watch = new ListWatch(world);
  const orders = new ListOrders(world, random, watch);
  Object.assign(orders, { crashChance: 0.3, lossChance: 0.3, lossesMax: 3 });

  for (const host of world.hosts) host.options.secret = "the secret";
  changeAddresses(world, random);
  for (const host of world.hosts) host.restartAfter(random.below(500));
  sowFaults(world);

  sow(world, random, RESTARTS_EVERY_MS, () => {
    if (random.chance(0.4)) changeAddresses(world, random);
    const host = random.oneOf(world.hosts);
    host.kill("restarted with other addresses");
    host.restartAfter(random.oneOf([1, 300]));
  });
  sow(world, random, ORDERS_EVERY_MS, () => order(world, orders, random));

  await world.scheduler.runUntil(WORK_MS);
  return { problems: watch.violations, used: watch.used.size };
}

function sow({ scheduler }: World, random: SeededRandom, everyMs: number, act: () => void): void {
  const again = () => {
    act();
    scheduler.after(random.below(2 * everyMs), null, again);
  };
  scheduler.after(random.below(2 * everyMs), null, again);
}

/** Divides the hosts into groups; the daemons of a group name each other from their next start on. */
function changeAddresses({ hosts }: World, random: SeededRandom): void {
  const groups = new Map(hosts.map((host) => [host, random.chance(0.6) ? 0 : random.below(3)]));
  for (const host of hosts)
    host.options.peers = hosts
      .filter((other) => other !== host && groups.get(other) === groups.get(host))
      .map(({ name }) => name);
}

function order({ hosts }: World, orders: ListOrders, random: SeededRandom): void {
  const host: Host = random.oneOf(hosts);
  const { lists } = host.daemon ?? {};
  if (lists == null) return;
  if (!lists.hasLists) {
    orders.give(host, "FOUND");
    return;
  }
  const leave = random.oneOf([...lists.membership.members, host.identity.id]);
  const add = random.oneOf(hosts).identity.id;
  if (random.chance(0.5)) orders.give(host, "REMOVE", hexOf(leave));
  else orders.give(host, "REPLACE", hexOf(leave), hexOf(add));
}
