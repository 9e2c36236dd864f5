/**
 * One run in which a connected member leaves the list by an order, while clients write and daemons crash at each step.
 * It must have handed over all that it has accepted, and can then be added again with an empty folder. Source:
 * docs/decisions/0080-members-found-their-list.md.
 */
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { shortId } from "../cast.js";
import { loseFolder } from "../faults.js";
import { checkService } from "../service.js";
import { FAULTS } from "../settings.js";
import { makeWorld, setClientsToWork, type Trace, untilEqual } from "../simulate.js";
import type { Host, World } from "../world.js";
import { brokenLists } from "./list-checks.js";
import { isOrdered, ListOrders, obstacleOf } from "./list-orders.js";
import { ListWatch, shown } from "./list-watch.js";

const WITHOUT = [...FAULTS, "administrators", "tables", "groups", "scripts"];
const WORK_MS = 40_000;
const WINDOW = { past: 3_000, future: 5_000 };
const FOUNDED_MS_MAX = 10_000;
const LEAVES_WITHIN_MS = 5_000;
/** The time with crashes and lost messages. */
const FAULTS_MS = 30_000;
const LEFT_MS_MAX = 90_000;
/** Milliseconds in which members close their connections to a daemon that is no longer one. */
const CLOSED_MS = 2_000;
const CHECK_EVERY_MS = 500;
const ORDER_CHANCE = 0.3;

export interface LeavingVerdict {
  readonly problems: readonly string[];
  readonly crashes: ReadonlyMap<string, number>;
  /** The milliseconds from the first order until the list without the member was in use everywhere. */
  readonly tookMs: number;
}

export async function simulateLeaving(seed: number, print: Trace | null = null): Promise<LeavingVerdict> {
  const random = new SeededRandom(seed, 15);
  const fixed = {
    hosts: random.oneOf([2, 2, 3, 3, 4, 5]),
    envelopes: random.between(40, 160),
    byzantine: null,
    lists: true,
    claims: 0,
    contended: 0,
    administration: 0,
  };
  const clocks = { clockError: 300, syncEveryMs: random.oneOf([0, 0, 300]), conditional: 0 };
  const world = makeWorld(seed, print, WITHOUT, { ...fixed, ...clocks, workMs: WORK_MS, window: WINDOW });

  const run = new Leaving(world, random);
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
  return { problems, crashes: run.orders.crashes, tookMs: run.tookMs };
}

class Leaving {
  readonly orders: ListOrders;
  tookMs = 0;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #watch: ListWatch;
  readonly #leaver: Host;
  readonly #remaining: readonly Host[];

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
    this.#watch = new ListWatch(world);
    this.orders = new ListOrders(world, random, this.#watch);
    this.#leaver = random.oneOf(world.hosts);
    this.#remaining = world.hosts.filter((host) => host !== this.#leaver);
  }

  async run(): Promise<readonly string[]> {
    const { hosts, scheduler, network } = this.#world;
    const random = this.#random;
    for (const { options } of hosts) options.secret = "the secret";
    for (const host of hosts) host.restartAfter(random.below(500));
    setClientsToWork(this.#world);
    const isFounded = () => hosts.every(({ daemon }) => daemon?.lists?.isReporting && daemon.lists.hasLists);
    if (!(await this.#until(isFounded, FOUNDED_MS_MAX))) return ["the daemons found no list"];

    await scheduler.runUntil(scheduler.time + random.below(LEAVES_WITHIN_MS));
    network.conditions.loss = random.oneOf([0, 0, 0.1]);
    this.orders.crashChance = random.oneOf([0, 0.3, 0.6]);
    const from = scheduler.time;
    await this.#until(() => this.#hasLeft(), FAULTS_MS);
    this.orders.crashChance = 0;
    network.heal();
    if (!(await this.#until(() => this.#hasLeft(), LEFT_MS_MAX))) return this.#waiting();
    this.tookMs = scheduler.time - from;
    return [...this.#notHandedOver(), ...(await this.#addAgain())];
  }

  /** Waits for a condition. Until then the member is ordered to leave, again and again. @returns whether it holds */
  async #until(isMet: () => boolean, ms: number): Promise<boolean> {
    const { scheduler } = this.#world;
    const end = scheduler.time + ms;
    while (!isMet() && scheduler.time < end) {
      await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
      this.#watch.update();
      const { lists } = this.#leaver.daemon ?? {};
      const mayOrder = lists?.isMember === true && !lists.hasLeft && !isOrdered(this.#leaver);
      if (mayOrder && this.#random.chance(ORDER_CHANCE)) this.#order();
    }
    return isMet();
  }

  #order(): void {
    this.orders.give(this.#leaver, "REMOVE", hexOf(this.#leaver.identity.id));
  }

  #hasLeft(): boolean {
    const { heads } = this.#world;
    const [head] = heads;
    const isUsed = ({ daemon }: Host) => daemon?.lists?.durable.hash === head?.hash;
    return (
      heads.length === 1 &&
      head?.list.members.length === this.#remaining.length &&
      this.#remaining.every((host) => isUsed(host) && host.daemon?.lists?.isReporting === true) &&
      isUsed(this.#leaver) &&
      this.#leaver.daemon?.lists?.hasLeft === true
    );
  }

  #waiting(): readonly string[] {
    return this.#world.hosts.map(
      (host) =>
        `${host.name} uses ${host.daemon?.lists?.heads.map(shown)}, waits for ${obstacleOf(host)}, refuses: ${host.daemon?.lists?.refusal}`,
    );
  }

  /** Returns the entries that the daemon that has left has, and no remaining one. */
  #notHandedOver(): readonly string[] {
    return this.#leaver.disk
      .held()
      .filter((orderKey) => !this.#remaining.some(({ disk }) => disk.holds(orderKey)))
      .map((orderKey) => `${this.#leaver.name} has left, and only it has ${shortId(orderKey.slice(10))}`);
  }

  /** Starts the daemon with an empty folder. The members add it, because their addresses name it. */
  async #addAgain(): Promise<readonly string[]> {
    const { hosts, scheduler } = this.#world;
    await scheduler.runUntil(scheduler.time + CLOSED_MS);
    const problems = [...brokenLists(this.#world)];

    this.#leaver.kill("stopped by its operator");
    loseFolder(this.#world, this.#leaver);
    this.#leaver.start();

    const from = scheduler.time;
    const isAdded = () =>
      this.#world.heads[0]?.list.members.length === hosts.length &&
      hosts.every(({ daemon }) => daemon?.lists?.isReporting === true);

    const end = scheduler.time + LEFT_MS_MAX;
    while (!isAdded() && scheduler.time < end) {
      await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
      this.#watch.update();
    }

    if (!isAdded()) return [...problems, "it was not added again", ...this.#waiting()];
    await untilEqual(this.#world, problems, null);
    if (problems.length > 0) return problems;
    return [...(await checkService(this.#world, from)), ...brokenLists(this.#world)];
  }
}
