/** The faults of a run, drawn from its seed. Each fault ends on its own, or when the run's work is over. */
import { shortId } from "./cast.js";
import { isSound } from "./lists/known-lists.js";
import type { Link } from "./network.js";
import { FAULTS, type Fault } from "./settings.js";
import type { Host, World } from "./world.js";

const DAY_MS = 86_400_000;

/** Schedules faults until the run's work is over. */
export function sowFaults(world: World): void {
  const { random, scheduler, settings } = world;
  const kinds = FAULTS.filter((fault) => settings.faults.has(fault));
  for (const fault of kinds) LASTING[fault]?.(world);
  const occurring = kinds.filter((fault) => OCCURRENCES[fault] !== undefined);
  if (occurring.length === 0) return;
  const next = () => {
    if (scheduler.time > settings.workMs) return;
    const fault = random.oneOf(occurring);
    OCCURRENCES[fault]?.(world);
    scheduler.after(random.between(1, 2 * settings.faultEveryMs), null, next);
  };
  scheduler.after(random.between(1, 2 * settings.faultEveryMs), null, next);
}

/** Ends all faults: no link is cut, no clock is off, no disk is full, and all processes run. */
export function heal(world: World): void {
  const { network, hosts, random } = world;
  network.heal();
  for (const host of hosts) {
    host.crashAtDisk = 0;
    host.disk.isFull = false;
    host.disk.syncMs = [0.2, 4];
    host.clockOffset = random.between(-400, 400);
    restartFailed(host);
    host.start();
  }
}

/** Restarts a daemon whose disk was full. @returns whether the disk was full and no longer is */
export function restartFailed(host: Host): boolean {
  if (host.disk.isFull || host.daemon?.timeline.failure?.startsWith("ENOSPC") !== true) return false;
  host.kill("restarted by its operator");
  host.start();
  return true;
}

type Make = (world: World) => void;

/** Faults that last until the run's work is over. */
const LASTING: Readonly<Partial<Record<Fault, Make>>> = {
  lossy: ({ network, random }) => {
    network.conditions.loss = random.oneOf([0.01, 0.1, 0.3]);
  },
  doubling: ({ network, random }) => {
    network.conditions.doubling = random.oneOf([0.1, 0.5]);
    network.conditions.delay = [0.2, random.oneOf([3, 50, 1_500])];
  },
  "crash-at-disk": ({ hosts, random }) => {
    const chance = random.oneOf([0.002, 0.01, 0.03]);
    for (const host of hosts) host.crashAtDisk = random.chance(0.6) ? chance : 0;
  },
};

const OCCURRENCES: Readonly<Partial<Record<Fault, Make>>> = {
  "slow-link": (world) => changeLinks(world, (link) => (link.delay = [20, 800])),
  partition: (world) => partition(world),
  "one-way": (world) => {
    const [from, to] = world.random.shuffled(world.hosts) as [Host, Host];
    changeLink(world, world.network.link(from.name, to.name), (link) => (link.isCut = true));
  },
  reset: ({ network }) => network.breakOne(),
  crash: ({ hosts, random }) => {
    const host = random.oneOf(hosts);
    if (host.daemon === null) return;
    host.kill("killed", random.chance(0.3));
    host.restartAfter(random.oneOf([10, 500, 3_000, 15_000]));
  },
  pause: ({ hosts, random, scheduler, settings, trace }) => {
    const host = random.oneOf(hosts);
    const length = Math.min(random.oneOf([200, 2_000, 12_000]), settings.workMs - scheduler.time);
    trace(host.name, () => `pauses for ${length} ms`);
    // This pause does not end before an earlier one, because the events that the earlier pause postponed run first.
    host.processor.busyUntil = Math.max(host.processor.busyUntil, scheduler.time + length);
  },
  "clock-step": ({ hosts, random, trace }) => {
    const host = random.oneOf(hosts);
    host.clockOffset = random.oneOf([random.between(-1_500, 1_500), random.between(-6_000, 6_000)]);
    trace(host.name, () => `clock is set ${host.clockOffset} ms off`);
  },
  "clock-day": ({ hosts, random, scheduler, settings, trace }) => {
    const chosen = random.chance(0.2) ? hosts : [random.oneOf(hosts)];
    const offset = random.oneOf([DAY_MS, -DAY_MS]);
    for (const host of chosen) {
      host.clockOffset = offset;
      trace(host.name, () => `clock jumps ${offset} ms`);
    }
    scheduler.after(random.between(100, 8_000), null, () => {
      if (scheduler.time < settings.workMs) for (const host of chosen) host.clockOffset = 0;
    });
  },
  rot: (world) => rot(world),
  "full-disk": ({ hosts, random, scheduler, trace }) => {
    const host = random.oneOf(hosts);
    trace(host.name, () => "disk is full");
    host.disk.isFull = true;
    scheduler.after(random.between(100, 5_000), null, () => {
      host.disk.isFull = false;
      restartFailed(host);
    });
  },
  "slow-disk": ({ hosts, random, scheduler }) => {
    const host = random.oneOf(hosts);
    host.disk.syncMs = random.oneOf([
      [10, 200],
      [500, 3_000],
    ] as const);
    scheduler.after(random.between(500, 10_000), null, () => {
      host.disk.syncMs = [0.2, 4];
    });
  },
  wipe: (world) => wipe(world),
};

function changeLink({ random, scheduler }: World, link: Link, change: (link: Link) => void): void {
  change(link);
  scheduler.after(random.oneOf([300, 2_000, 15_000]), null, () => {
    link.isCut = false;
    link.delay = [0, 0];
  });
}

function changeLinks(world: World, change: (link: Link) => void): void {
  const { random, network, hosts } = world;
  const slow = random.oneOf(hosts);
  for (const other of hosts) {
    changeLink(world, network.link(slow.name, other.name), change);
    changeLink(world, network.link(other.name, slow.name), change);
  }
}

/** Cuts some hosts off from the remaining hosts. Clients still reach all hosts. */
function partition(world: World): void {
  const { random, network, hosts, scheduler, trace } = world;
  const near = random.shuffled(hosts).slice(0, random.between(1, hosts.length - 1));
  const far = hosts.filter((host) => !near.includes(host));
  const links = near.flatMap((a) =>
    far.flatMap((b) => [network.link(a.name, b.name), network.link(b.name, a.name)]),
  );
  const length = random.oneOf([500, 3_000, 15_000]);
  trace("network", () => `cuts off ${near.map(({ name }) => name)} for ${length} ms`);
  for (const link of links) link.isCut = true;
  scheduler.after(length, null, () => {
    for (const link of links) link.isCut = false;
  });
}

/**
 * Flips a bit in an entry of which another host has a sound copy. Without that copy no daemon could restore the
 * entry.
 */
function rot({ hosts, honest, random, trace }: World): void {
  const host = random.oneOf(hosts);
  const sound = host.disk.orderKeys().filter((orderKey) => !host.disk.rotten.has(orderKey));
  const orderKeys = sound.filter((orderKey) =>
    honest.some((other) => other !== host && other.storesDurably(orderKey)),
  );
  if (orderKeys.length === 0) return;
  const orderKey = random.oneOf(orderKeys);
  trace(host.name, () => `${shortId(orderKey.slice(10))} rots`);
  host.disk.rot(orderKey, random);
}

/** Deletes a data folder, unless it has the only safe copy of an entry that has rotted on another host. */
function wipe(world: World): void {
  const { hosts, honest, heads, random, settings } = world;
  const host = random.oneOf(hosts);
  const others = honest.filter((other) => other !== host);
  // Another member that has all final entries must remain.
  if (settings.lists && !others.some((other) => isSound(other, heads.length > 0))) return;
  const isRottenElsewhere = (orderKey: string) => others.some(({ disk }) => disk.rotten.has(orderKey));
  const orderKeys = host.disk.held();
  if (orderKeys.some((p) => isRottenElsewhere(p) && !others.some((other) => other.storesDurably(p)))) return;
  loseFolder(world, host);
  host.restartAfter(random.oneOf([100, 5_000]));
}

/** Ends a host's daemon and deletes its data folder. */
export function loseFolder({ honest, ledger, trace }: World, host: Host): void {
  const remaining = honest.filter((other) => other !== host);
  host.kill("its data folder is lost");
  // The disk may have entries that reached it only when the process ended.
  for (const orderKey of host.disk.held())
    if (!remaining.some((other) => other.stores(orderKey))) ledger.lost.add(orderKey);
  trace(host.name, () => "is empty now");
  host.wipe();
}
