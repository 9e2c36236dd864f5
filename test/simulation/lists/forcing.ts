/**
 * One run in which a founded list loses so many members that no majority remains, and the remaining daemons are ordered
 * to force a list: all of them, one of them first, or two sides that do not reach each other. Daemons that return are
 * refused. Source: docs/decisions/0080-members-found-their-list.md.
 */
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { finalEntries, oracleOf, stateDifference, unlevel } from "../checks.js";
import { loseFolder } from "../faults.js";
import { checkService } from "../service.js";
import { FAULTS } from "../settings.js";
import { makeWorld, setClientsToWork, type Trace, untilEqual } from "../simulate.js";
import { EPOCH, type Host, type World } from "../world.js";
import { brokenLists } from "./list-checks.js";
import { isOrdered, ListOrders, obstacleOf } from "./list-orders.js";
import { ListWatch, shown } from "./list-watch.js";

export const FORCED_CASES = ["all are ordered", "one is ordered first", "two sides"] as const;
export type ForcedCase = (typeof FORCED_CASES)[number];

const WITHOUT = [...FAULTS, "administrators", "tables", "groups", "scripts"];
const WORK_MS = 20_000;
const WINDOW = { past: 3_000, future: 5_000 };
const FOUNDED_MS_MAX = 10_000;
/** The time from the founding of the list until members are lost, and between two losses. */
const LOST_AFTER_MS = 3_000;
const LOST_WITHIN_MS = 1_500;
/** The time until the remaining daemons have noticed the loss. */
const NOTICED_MS = 12_000;
const ORDERED_WITHIN_MS = [0, 300, 6_000];
const FORCED_MS_MAX = 60_000;
/** The chance that a daemon crashes at a step of the agreement on a forced list. */
const FORCED_CRASH = 0.4;
const ALONE_MS = 10_000;
const RETURNED_MS = 30_000;
const CHECK_EVERY_MS = 500;
const EQUAL_MS_MAX = 60_000;
const FINAL_MS_MAX = 40_000;

export interface ForcingVerdict {
  readonly problems: readonly string[];
  readonly forcedCase: ForcedCase;
  /** The number of lost daemons that have returned with their folders. */
  readonly returned: number;
}

export async function simulateForcing(seed: number, print: Trace | null = null): Promise<ForcingVerdict> {
  const random = new SeededRandom(seed, 13);
  const forcedCase = random.oneOf(FORCED_CASES);
  const hosts = random.oneOf(forcedCase === "all are ordered" ? [2, 3, 4, 5, 5] : [4, 5, 5]);
  const envelopes = random.between(20, 80);

  const fixed = {
    hosts,
    envelopes,
    byzantine: null,
    lists: true,
    claims: 0,
    contended: 0,
    administration: 0,
  };
  const clocks = { clockError: 300, syncEveryMs: random.oneOf([0, 0, 300]), conditional: 0 };
  const world = makeWorld(seed, print, WITHOUT, { ...fixed, ...clocks, workMs: WORK_MS, window: WINDOW });

  const run = new Forcing(world, random, forcedCase);
  const problems: string[] = [];
  const thrown = (problem: unknown) =>
    void problems.push(`thrown: ${problem instanceof Error ? problem.stack : problem}`);
  process.on("unhandledRejection", thrown);
  try {
    problems.push(...(await run.run()), ...world.ledger.violations);
  } catch (problem) {
    thrown(problem);
  } finally {
    process.off("unhandledRejection", thrown);
  }
  return { problems, forcedCase, returned: run.returning.length };
}

class Forcing {
  /** The lost daemons that return with their folders. */
  readonly returning: Host[] = [];
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #case: ForcedCase;
  readonly #watch: ListWatch;
  readonly #orders: ListOrders;

  constructor(world: World, random: SeededRandom, forcedCase: ForcedCase) {
    this.#world = world;
    this.#random = random;
    this.#case = forcedCase;
    this.#watch = new ListWatch(world);
    this.#orders = new ListOrders(world, random, this.#watch);
  }

  async run(): Promise<readonly string[]> {
    const { hosts, network, scheduler } = this.#world;
    for (const { options } of hosts) options.secret = "the secret";
    for (const host of hosts) host.restartAfter(this.#random.below(500));
    setClientsToWork(this.#world);
    if (!(await this.#isFounded())) return ["the daemons found no list"];
    await scheduler.runUntil(scheduler.time + this.#random.below(LOST_AFTER_MS));
    network.conditions.loss = this.#random.oneOf([0, 0, 0.1]);
    return this.#case === "two sides" ? await this.#runTwoSides() : await this.#runOneSide();
  }

  async #isFounded(): Promise<boolean> {
    const { hosts, scheduler } = this.#world;
    const isUsed = () => hosts.every(({ daemon }) => daemon?.lists?.isReporting && daemon.lists.hasLists);
    const end = scheduler.time + FOUNDED_MS_MAX;
    while (!isUsed() && scheduler.time < end) {
      await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
      const host = this.#random.oneOf(hosts);
      if (!hosts.some(isOrdered) && host.daemon?.lists?.hasLists === false) this.#orders.give(host, "FOUND");
    }
    return isUsed();
  }

  async #runOneSide(): Promise<readonly string[]> {
    const { hosts, scheduler, network } = this.#world;
    const random = this.#random;
    const isPair = this.#case === "one is ordered first";
    const remaining = random.shuffled(hosts).slice(0, isPair ? 2 : random.between(1, hosts.length >> 1));
    const lost = hosts.filter((host) => !remaining.includes(host));
    await this.#lose(lost);
    await scheduler.runUntil(scheduler.time + random.below(NOTICED_MS));
    await this.#untilConnected(remaining);
    if (isPair) {
      const problem = await this.#waitsAlone(remaining as [Host, Host]);
      if (problem !== null) return [problem];
    }
    const problem = await this.#untilForced(remaining);
    network.heal();
    if (problem !== null) return [problem];

    const problems = await this.#checkSide(remaining);
    if (problems.length > 0) return problems;
    for (const host of this.returning) host.start();
    await scheduler.runUntil(scheduler.time + RETURNED_MS);
    return [...this.#unrefused(remaining, this.returning), ...(await this.#checkSide(remaining))];
  }

  /** Loses daemons, some with their folders. */
  async #lose(lost: readonly Host[]): Promise<void> {
    const { scheduler } = this.#world;
    const within = this.#random.below(LOST_WITHIN_MS);
    for (const host of lost) {
      await scheduler.runUntil(scheduler.time + this.#random.below(within + 1));
      if (this.#random.chance(0.5)) loseFolder(this.#world, host);
      else {
        host.kill("its machine is lost", this.#random.chance(0.5));
        this.returning.push(host);
      }
    }
  }

  /** Waits until daemons see that they are connected with each other, and not with any other daemon. */
  async #untilConnected(side: readonly Host[]): Promise<void> {
    const { scheduler } = this.#world;
    const end = scheduler.time + FORCED_MS_MAX;
    while (!side.every((host) => seesOnly(host, side)) && scheduler.time < end)
      await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
  }

  /** Orders one of two daemons. @returns the problem if it does not wait for the other one, or null */
  async #waitsAlone([one, other]: readonly [Host, Host]): Promise<string | null> {
    const { scheduler } = this.#world;
    this.#orders.give(one, "FORCE");
    await scheduler.runUntil(scheduler.time + ALONE_MS);
    const obstacle = obstacleOf(one);
    if (one.daemon?.lists?.membership.inForce?.list.number !== 1)
      return "one of two daemons has forced a list";
    const id = hexOf(other.identity.id).slice(0, 12);
    return obstacle?.includes(id) ? null : `${one.name} is ordered alone, and waits for ${obstacle}`;
  }

  /** Orders daemons one after the other. @returns why they have no list of their own, or null if they have one */
  async #untilForced(side: readonly Host[]): Promise<string | null> {
    const { scheduler } = this.#world;
    const within = this.#random.oneOf(ORDERED_WITHIN_MS);
    this.#orders.crashChance = FORCED_CRASH;
    for (const host of this.#random.shuffled(side)) {
      this.#orderAgain(host, side);
      await scheduler.runUntil(scheduler.time + this.#random.below(within + 1));
    }

    const end = scheduler.time + FORCED_MS_MAX;
    while (!isForced(side) && scheduler.time < end) {
      await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
      for (const host of side) this.#orderAgain(host, side);
    }

    if (isForced(side)) return null;
    return side
      .map((host) => {
        const lists = host.daemon?.lists?.heads.map(
          (head) => `${shown(head)} of ${head.list.members.length}`,
        );
        return `${host.name} uses ${lists}, order ${host.daemon?.lists?.order}, waits for ${obstacleOf(host)}`;
      })
      .join("; ");
  }

  /** Orders a daemon that has no order, unless it would leave out a member that is only down for a moment. */
  #orderAgain(host: Host, side: readonly Host[]): void {
    const { lists } = host.daemon ?? {};
    if (!seesOnly(host, side)) return;
    if (lists?.order === null && lists.membership.inForce?.list.number === 1)
      this.#orders.give(host, "FORCE");
  }

  /** Checks daemons that use the same list. */
  async #checkSide(side: readonly Host[]): Promise<readonly string[]> {
    const { scheduler } = this.#world;
    const problems: string[] = [];
    this.#watch.update();
    const doneAt = scheduler.time;
    await untilEqual(this.#world, problems, null);
    if (problems.length > 0) return problems;
    problems.push(...(await checkService(this.#world, doneAt - NOTICED_MS)));
    await this.#untilFinal(side, doneAt);
    return [
      ...problems,
      ...unfinished(side, doneAt),
      ...(this.returning.length > 1 ? [] : brokenLists(this.#world)),
    ];
  }

  /** Returns the daemons that are connected although a list leaves one of them out, or that do not report this. */
  #unrefused(side: readonly Host[], left: readonly Host[]): readonly string[] {
    const problems: string[] = [];
    for (const host of side)
      for (const { name, identity } of left) {
        if (connectedTo(host).has(identity.id)) problems.push(`${host.name} is connected to ${name}`);
        const status = host.daemon?.peering.members.find(({ address }) => address.startsWith(`${name}:`));
        if (status?.closeCode !== "left-out")
          problems.push(`${host.name} reports ${name} as ${status?.closeCode}`);
      }
    return problems;
  }

  async #runTwoSides(): Promise<readonly string[]> {
    const { hosts, scheduler, network } = this.#world;
    const near = this.#random.shuffled(hosts).slice(0, hosts.length >> 1);
    const far = hosts.filter((host) => !near.includes(host));

    for (const one of near)
      for (const other of far)
        network.link(one.name, other.name).isCut = network.link(other.name, one.name).isCut = true;
    await this.#untilConnected(near);
    await this.#untilConnected(far);
    for (const side of [near, far]) {
      const problem = await this.#untilForced(side);
      if (problem !== null) return [problem];
    }

    network.heal();
    await scheduler.runUntil(scheduler.time + RETURNED_MS);
    const problems = [...this.#unrefused(near, far), ...this.#unrefused(far, near)];
    for (const side of [near, far]) problems.push(...(await this.#unequal(side)));
    return problems;
  }

  /** Returns why the daemons of a side are not equal, and make no progress. */
  async #unequal(side: readonly Host[]): Promise<readonly string[]> {
    const { scheduler } = this.#world;
    this.#world.heads = side[0]?.daemon?.lists?.heads ?? [];
    const doneAt = scheduler.time;
    const end = doneAt + EQUAL_MS_MAX;
    let difference = unlevel(this.#world);
    while (difference !== null && scheduler.time < end) {
      await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
      difference = unlevel(this.#world);
    }
    difference ??= stateDifference(this.#world, oracleOf(finalEntries(this.#world), this.#world));
    if (difference !== null) return [difference];
    await this.#untilFinal(side, doneAt);
    return unfinished(side, doneAt);
  }

  async #untilFinal(side: readonly Host[], doneAt: number): Promise<void> {
    const { scheduler } = this.#world;
    while (unfinished(side, doneAt).length > 0 && scheduler.time < doneAt + FINAL_MS_MAX)
      await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
  }
}

/** Returns the ids of the members to which a host's daemon is connected. */
export const connectedTo = ({ daemon }: Host): ReadonlySet<string> =>
  new Set(
    (daemon?.peering.members ?? []).flatMap(({ id, connection }) =>
      id !== null && connection === "connected" ? [id] : [],
    ),
  );

/** Whether a daemon is connected to each further daemon of a side, and to no other one. */
function seesOnly(host: Host, side: readonly Host[]): boolean {
  const connected = connectedTo(host);
  const rest = side.filter((other) => other !== host);
  return connected.size === rest.length && rest.every(({ identity }) => connected.has(identity.id));
}

/** Whether daemons use one list that names exactly them. */
function isForced(side: readonly Host[]): boolean {
  const [first] = side;
  const hash = first?.daemon?.lists?.durable.hash;
  return side.every(({ identity, daemon }) => {
    const { lists } = daemon ?? {};
    const list = lists?.membership.inForce?.list;
    const isOwn = list?.members.length === side.length && list.members.includes(identity.id);
    return isOwn && lists?.isReporting === true && lists.durable.hash === hash;
  });
}

/** Returns the daemons that still have an order, or for which nothing has become final since a time of the run. */
const unfinished = (side: readonly Host[], doneAt: number): readonly string[] =>
  side.flatMap(({ name, daemon }) => {
    const order = daemon?.lists?.order ?? null;
    const isFinal = (daemon?.peering.stablePoint ?? 0) > EPOCH + doneAt;
    return [
      ...(order === null ? [] : [`${name} still has the order: ${order.kind}`]),
      ...(isFinal ? [] : [`${name}: nothing becomes final`]),
    ];
  });
