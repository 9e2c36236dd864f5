/**
 * One run in which an operator orders to force a list, or to replace or remove a member that is down, and one daemon is
 * killed at the n-th step of the agreement: before or after it sends or receives a message about lists, or before or
 * after a disk operation. It starts again, and the operator repeats the order until the list is in use. Source:
 * docs/decisions/0080-members-found-their-list.md.
 */
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { loseFolder } from "../faults.js";
import { checkService } from "../service.js";
import { FAULTS } from "../settings.js";
import { makeWorld, setClientsToWork, type Trace, untilEqual } from "../simulate.js";
import type { Host, World } from "../world.js";
import { connectedTo } from "./forcing.js";
import { ListOrders, obstacleOf } from "./list-orders.js";
import { ListWatch, shown } from "./list-watch.js";

export const KINDS = ["force", "replace", "remove"] as const;
export type Kind = (typeof KINDS)[number];

const WITHOUT = [...FAULTS, "administrators", "tables", "groups", "scripts"];
const WORK_MS = 4_000;
const WINDOW = { past: 3_000, future: 5_000 };
const ENVELOPES = 20;
const FOUNDED_MS_MAX = 15_000;
/** Milliseconds until the remaining daemons have noticed that a member is down, or found the one that replaces it. */
const NOTICED_MS_MAX = 30_000;
const RESTARTED_MS = 400;
const CHECK_EVERY_MS = 250;
/** Milliseconds between two orders of the operator. */
const REPEATED_MS = 2_000;
const USED_MS_MAX = 90_000;

export interface KillVerdict {
  readonly problems: readonly string[];
  /** The number of steps until the list was in use. */
  readonly steps: number;
  /** The step at which a daemon was killed, or null if the run ended before. */
  readonly killed: string | null;
}

/**
 * @param number  of the step at which the daemon is killed, from 1; 0: none is killed
 * @param isSilent  whether its machine stops, so that no connection is closed
 * @param isServiceChecked  whether the daemons must accept further writes in the end
 */
export async function simulateKill(
  kind: Kind,
  number: number,
  {
    seed,
    isSilent,
    isServiceChecked = false,
    print = null,
  }: { seed: number; isSilent: boolean; isServiceChecked?: boolean; print?: Trace | null },
): Promise<KillVerdict> {
  const fixed = {
    hosts: kind === "force" ? 4 : 3,
    envelopes: ENVELOPES,
    byzantine: null,
    lists: true,
    claims: 0,
    contended: 0,
    administration: 0,
    clockError: 300,
    syncEveryMs: 0,
    conditional: 0,
  };
  const world = makeWorld(seed, print, WITHOUT, { ...fixed, workMs: WORK_MS, window: WINDOW });
  const run = new Kill(world, kind, { number, isSilent, random: new SeededRandom(seed, 15) });

  const problems: string[] = [];
  const thrown = (problem: unknown) =>
    void problems.push(`thrown: ${problem instanceof Error ? problem.stack : problem}`);
  process.on("unhandledRejection", thrown);
  try {
    problems.push(...(await run.run()));
    if (problems.length === 0 && isServiceChecked)
      problems.push(...(await checkService(world, world.scheduler.time)));
    problems.push(...world.ledger.violations);
  } catch (problem) {
    thrown(problem);
  } finally {
    process.off("unhandledRejection", thrown);
  }

  const { steps, killed } = run;
  return { problems, steps, killed };
}

class Kill {
  steps = 0;
  killed: string | null = null;
  readonly #world: World;
  readonly #kind: Kind;
  readonly #number: number;
  readonly #isSilent: boolean;
  readonly #watch: ListWatch;
  readonly #orders: ListOrders;
  /** Whether steps are counted: from the order until the list is in use. */
  #isCounting = false;

  constructor(
    world: World,
    kind: Kind,
    { number, isSilent, random }: { number: number; isSilent: boolean; random: SeededRandom },
  ) {
    this.#world = world;
    this.#kind = kind;
    this.#number = number;
    this.#isSilent = isSilent;
    this.#watch = new ListWatch(world);
    this.#orders = new ListOrders(world, random, this.#watch);
    for (const { options } of world.hosts) options.secret = "the secret";
    world.onStep = (host, step, bytes) => this.#step(host, step, bytes);
  }

  #step(host: Host, step: string, bytes: Buffer | null): void {
    if (!this.#isCounting || host.daemon === null || (bytes !== null && !bytes.includes(ABOUT_LISTS))) return;
    if (++this.steps !== this.#number) return;
    this.killed = `${host.name}, ${step}`;
    host.kill(step, this.#isSilent);
    host.restartAfter(RESTARTED_MS);
  }

  async run(): Promise<readonly string[]> {
    const { hosts, scheduler } = this.#world;
    for (const host of hosts) host.start();
    setClientsToWork(this.#world);
    if (!(await this.#until(() => isUsed(hosts, 1), FOUNDED_MS_MAX))) return ["the daemons found no list"];
    await scheduler.runUntil(Math.max(scheduler.time, WORK_MS));

    const [remaining, order] = this.#lose();
    if (!(await this.#until(() => this.#isNoticed(remaining), NOTICED_MS_MAX)))
      return ["the daemons do not notice the loss"];
    this.#isCounting = true;
    const problem = await this.#untilUsed(remaining, order);
    this.#isCounting = false;
    if (problem !== null) return [problem];
    const problems: string[] = [];
    this.#watch.update();
    await untilEqual(this.#world, problems, null);
    return problems;
  }

  /**
   * Loses one member, or half of them.
   * @returns the daemons that the next list names, and the order that leads to it
   */
  #lose(): readonly [readonly Host[], readonly string[]] {
    const { hosts } = this.#world;
    const [first, second, third] = hosts as readonly Host[] as readonly [Host, Host, Host];
    if (this.#kind === "force") {
      const lost = hosts.slice(2);
      for (const host of lost) host.kill("its machine is lost", true);
      // As `dbsync members force` does, which shows them first: a daemon that has just started sees no member.
      return [
        [first, second],
        ["FORCE", ...lost.map(({ identity }) => hexOf(identity.id))],
      ];
    }

    const id = hexOf(third.identity.id);
    if (this.#kind === "replace") {
      loseFolder(this.#world, third);
      third.start();
      return [hosts, ["REPLACE", id, hexOf(third.identity.id)]];
    }

    third.kill("stopped by its operator");
    for (const [host, other] of [[first, second] as const, [second, first] as const]) {
      host.kill("restarted with other addresses");
      host.options.peers = [other.name];
      host.start();
    }

    return [
      [first, second],
      ["REMOVE", id],
    ];
  }

  /** Whether each remaining member knows which member is down, and which daemon replaces it. */
  #isNoticed(remaining: readonly Host[]): boolean {
    const added = this.#kind === "replace" ? remaining[2] : undefined;
    const members = remaining.filter((host) => host !== added);
    return members.every((host) => {
      const isFound =
        added === undefined || obstacleOf(host)?.includes(hexOf(added.identity.id).slice(0, 12)) === true;
      return isFound && connectedTo(host).size === members.length - 1;
    });
  }

  /** Repeats the order until the list is in use. @returns why it is not in use, or null if it is */
  async #untilUsed(remaining: readonly Host[], order: readonly string[]): Promise<string | null> {
    const { scheduler } = this.#world;
    // All remaining members have to consent to a forced list.
    const ordered = this.#kind === "force" ? remaining : remaining.slice(0, 1);
    let orderedAt = Number.NEGATIVE_INFINITY;
    const isDone = () => {
      if (isUsed(remaining, 2)) return true;
      if (scheduler.time < orderedAt + REPEATED_MS) return false;
      orderedAt = scheduler.time;
      for (const host of ordered) {
        const { lists } = host.daemon ?? {};
        if (lists?.order === null && lists.membership.inForce?.list.number === 1)
          this.#orders.give(host, ...order);
      }
      return false;
    };

    if (await this.#until(isDone, USED_MS_MAX)) return null;
    return remaining
      .map(
        (host) => `${host.name} uses ${host.daemon?.lists?.heads.map(shown)}, waits for ${obstacleOf(host)}`,
      )
      .join("; ");
  }

  /** @returns whether the condition was met in time */
  async #until(holds: () => boolean, ms: number): Promise<boolean> {
    const { scheduler } = this.#world;
    const end = scheduler.time + ms;
    while (!holds() && scheduler.time < end) await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
    return holds();
  }
}

/** The kind of a message about lists, as in its frame. */
const ABOUT_LISTS = "\r\nlist\r\n";

/** Whether daemons use one list with a number, that names exactly them, and report under it. */
function isUsed(hosts: readonly Host[], number: number): boolean {
  const hash = hosts[0]?.daemon?.lists?.durable.hash;
  return hosts.every(({ daemon, identity }) => {
    const { lists } = daemon ?? {};
    const list = lists?.membership.inForce?.list;
    const isExpected =
      list?.number === number && list.members.length === hosts.length && list.members.includes(identity.id);
    return isExpected && lists?.isReporting === true && lists.durable.hash === hash;
  });
}
