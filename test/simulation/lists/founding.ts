/**
 * One run in which daemons found a list that they sign themselves: they start in any order, crash at each step, and
 * lose messages and folders. In some runs a daemon differs from the remaining ones, so that no list can be founded
 * until its operator has corrected that. Source: docs/decisions/0080-members-found-their-list.md.
 */

import { writeEntries } from "../../../protocol/members/member-elements.js";
import { type MemberList, writeMemberList } from "../../../protocol/members/member-list.js";
import { listSignedBytes, writeListProof } from "../../../protocol/members/members-proof.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { makeIdentity, randomBytes } from "../cast.js";
import { heal, restartFailed, sowFaults } from "../faults.js";
import { checkService } from "../service.js";
import { sha256, signatureOf } from "../signatures.js";
import { makeWorld, setClientsToWork, type Trace, untilEqual } from "../simulate.js";
import { EPOCH, type Host, type World } from "../world.js";
import { isInEach } from "./known-lists.js";
import { brokenLists } from "./list-checks.js";
import { isOrdered, ListOrders, obstacleOf } from "./list-orders.js";
import { ListWatch, shown } from "./list-watch.js";

/** The ways in which one daemon differs from the remaining daemons. */
export const TROUBLES = [
  "none",
  "other secret",
  "other cluster",
  "other list",
  "left out",
  "fewer addresses",
  "wrong address",
  "not at the addresses",
  "no data",
] as const;
export type Trouble = (typeof TROUBLES)[number];

/** The share of runs in which no daemon differs. */
const NO_TROUBLE = 0.5;
const WITHOUT = [
  "clock-day",
  "clock-step",
  "rot",
  "full-disk",
  "wipe",
  "tables",
  "groups",
  "scripts",
  "administrators",
];
const WORK_MS = 8_000;
const WINDOW = { past: 3_000, future: 5_000 };
const STARTS_MS = [0, 500, 4_000];
/** Average milliseconds between two orders during the faults; most are refused, or change nothing. */
const ORDERS_EVERY_MS = [300, 3_000, 100_000];
const CHECK_EVERY_MS = 500;
/** Milliseconds after which an operator orders what daemons do not do on their own. */
const UNORDERED_MS = 15_000;
/** Milliseconds after the faults until a list must be in use: the daemons wait up to 15 seconds to connect again. */
const FOUNDING_MS_MAX = 60_000;
/** Milliseconds in which daemons connect, and would found a list if they could. */
const OBSTACLE_MS: readonly [number, number] = [8_000, 40_000];
/** Milliseconds in which writes become final. */
const FINAL_MS_MAX = 40_000;

export interface FoundingVerdict {
  readonly problems: readonly string[];
  readonly trouble: Trouble;
  readonly crashes: ReadonlyMap<string, number>;
  readonly losses: number;
}

export async function simulateFounding(seed: number, print: Trace | null = null): Promise<FoundingVerdict> {
  const random = new SeededRandom(seed, 12);
  const hosts = random.oneOf([2, 3, 3, 3, 4, 5]);
  const envelopes = random.between(10, 60);

  const fixed = {
    hosts,
    envelopes,
    byzantine: null,
    lists: true,
    claims: 0,
    contended: 0,
    administration: 0,
  };
  const world = makeWorld(seed, print, WITHOUT, { ...fixed, workMs: WORK_MS, window: WINDOW });

  const run = new Founding(world, random);
  const problems: string[] = [];
  const thrown = (problem: unknown) =>
    void problems.push(`thrown: ${problem instanceof Error ? problem.stack : problem}`);
  process.on("unhandledRejection", thrown);
  try {
    problems.push(...(await run.run()));
  } catch (problem) {
    thrown(problem);
  } finally {
    process.off("unhandledRejection", thrown);
  }

  const { trouble, orders } = run;
  return { problems, trouble, crashes: orders.crashes, losses: orders.losses };
}

class Founding {
  readonly trouble: Trouble;
  readonly orders: ListOrders;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #watch: ListWatch;
  /** The daemon that differs. */
  readonly #odd: Host;
  /** When the faults ended, in milliseconds of the run. */
  #healedAt = 0;

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
    this.#watch = new ListWatch(world);
    this.orders = new ListOrders(world, random, this.#watch);
    this.#odd = random.oneOf(world.hosts);
    // A single peer is believed: with two daemons, the remaining one would adopt the list of the other.
    const [, ...troubles] = TROUBLES.filter((trouble) => world.hosts.length > 2 || !NEEDS_THREE.has(trouble));
    this.trouble = random.chance(NO_TROUBLE) ? "none" : random.oneOf(troubles);
    const secret = random.chance(0.5) || this.trouble === "other secret" ? "the secret" : null;
    for (const { options } of world.hosts) options.secret = secret;
    this.#differ();
  }

  /** Runs everything. @returns the problems */
  async run(): Promise<readonly string[]> {
    const { scheduler, hosts } = this.#world;
    const random = this.#random;
    this.orders.crashChance = random.oneOf([0, 0.3, 0.6]);
    this.orders.lossesMax = random.oneOf([0, 1, 1, 2]);
    this.orders.lossChance = 0.5;
    const startsWithin = random.oneOf(STARTS_MS);
    for (const host of hosts) host.restartAfter(random.below(startsWithin + 1));
    sowFaults(this.#world);
    setClientsToWork(this.#world);
    this.#sowOrders();
    await scheduler.runUntil(WORK_MS);
    this.#world.trace("world", () => "the faults have ended");
    this.orders.crashChance = 0;
    heal(this.#world);
    this.#healedAt = scheduler.time;

    if (NOT_FOUNDED.has(this.trouble)) {
      const problems = await this.#missingObstacle();
      if (problems.length > 0) return problems;
      this.#correct();
    } else if (this.trouble === NOT_NAMED) this.#nameAll();
    const problem = await this.#untilFounded();
    if (problem !== null) return [problem, ...this.#world.ledger.violations];
    return await this.#checkAll();
  }

  #sowOrders(): void {
    const { scheduler } = this.#world;
    const everyMs = this.#random.oneOf(ORDERS_EVERY_MS);
    const again = () => {
      if (scheduler.time > WORK_MS) return;
      this.#order(this.#random.oneOf(this.#world.hosts));
      scheduler.after(this.#random.below(2 * everyMs), null, again);
    };
    scheduler.after(this.#random.below(2 * everyMs), null, again);
  }

  /** Orders to found a list or, if it names a daemon whose folder is lost, to replace or remove that daemon. */
  #order(host: Host): void {
    const { lists } = host.daemon ?? {};
    const head = lists?.membership.inForce;
    if (lists == null || lists.order !== null || host.isForeign) return;
    if (!lists.hasLists) this.orders.give(host, "FOUND");
    if (head == null || !lists.isMember) return;
    const { hosts } = this.#world;
    const lost = head.list.members.filter((id) => !hosts.some(({ identity }) => identity.id === id));
    const [id] = lost;
    if (id === undefined) return;
    const fresh = hosts.find(({ identity }) => !head.list.members.includes(identity.id))?.identity.id ?? "";
    if (2 * lost.length >= head.list.members.length) this.orders.give(host, "FORCE");
    else if (fresh === "") this.orders.give(host, "REMOVE", hexOf(id));
    else this.orders.give(host, "REPLACE", hexOf(id), hexOf(fresh));
  }

  /** Makes one daemon differ. */
  #differ(): void {
    const { hosts, random } = this.#world;
    const odd = this.#odd;
    const { options } = odd;
    const names = hosts.filter((host) => host !== odd).map(({ name }) => name);
    odd.isForeign = IS_FOREIGN.has(this.trouble);
    if (this.trouble === "other secret") options.secret = "another secret";
    else if (this.trouble === "other cluster") options.cluster = randomBytes(random, 32);
    else if (this.trouble === "other list") this.#writeOldList(false);
    else if (this.trouble === "left out") this.#writeOldList(true);
    else if (this.trouble === "no data") options.hasData = false;
    else if (this.trouble === "fewer addresses") options.peers = names.slice(1);
    else if (this.trouble === "wrong address") options.peers = [...names.slice(1), "no host"];
    else if (this.trouble === NOT_NAMED)
      for (const host of hosts)
        if (host !== odd) host.options.peers = names.filter((name) => name !== host.name);
  }

  /** Writes a list of an earlier cluster with the same keys into the folder of the daemon that differs. */
  #writeOldList(leavesOut: boolean): void {
    const { random, genesis } = this.#world;
    const { identity, disk } = this.#odd;
    const lost = makeIdentity(random);

    const first: MemberList = {
      cluster: genesis.cluster,
      number: 1,
      parents: [],
      members: [identity.id, lost.id].sort(),
      removed: [],
    };

    const parent = sha256(writeMemberList(first));
    const next = { ...first, number: 2, parents: [parent], members: [lost.id], removed: [identity.id] };
    const list = leavesOut ? next : first;

    const body = Buffer.from(writeMemberList(list), "latin1");
    const signers = [identity, lost].filter(({ id }) => list.members.includes(id));
    const signature = writeListProof(
      new Map(
        signers.map(({ id, spki }) => [
          id,
          { spki, signature: signatureOf(spki, listSignedBytes(body)).toString("latin1") },
        ]),
      ),
    );
    disk.marks.set("members", Buffer.concat([Buffer.of(1), writeEntries([{ body, signature }])]));
  }

  /** Corrects the options of the daemon that differs, or replaces its folder by an empty one. */
  #correct(): void {
    const { ledger, hosts, trace } = this.#world;
    const odd = this.#odd;
    trace(odd.name, () => `the operator corrects: ${this.trouble}`);
    odd.kill("restarted by its operator");
    if (this.trouble === "other list" || this.trouble === "left out") {
      for (const orderKey of [...odd.disk.held(), ...odd.disk.deadLetters.keys()])
        ledger.putAside.add(orderKey);
      odd.wipe();
    }
    Object.assign(odd.options, { peers: null, cluster: null, hasData: true });
    odd.options.secret = hosts.find((host) => host !== odd)?.options.secret ?? null;
    odd.isForeign = false;
    odd.start();
  }

  /**
   * Lets all daemons name each other. Those that named each other before have founded a list without the one that
   * differs if it started later than they; otherwise they waited.
   */
  #nameAll(): void {
    for (const host of this.#world.hosts) {
      if (host === this.#odd) continue;
      host.kill("restarted by its operator");
      host.options.peers = null;
      host.start();
    }
  }

  /** Waits until the daemons report what they wait for. @returns the problems */
  async #missingObstacle(): Promise<readonly string[]> {
    const { scheduler } = this.#world;
    const [from, to] = OBSTACLE_MS.map((ms) => scheduler.time + ms) as [number, number];
    let problems: readonly string[] = [];
    while (scheduler.time < from || (problems.length > 0 && scheduler.time < to)) {
      await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
      problems = this.#unnamed();
    }
    return problems;
  }

  /** Returns the daemons that do not report what they wait for. */
  #unnamed(): readonly string[] {
    const { ledger, hosts } = this.#world;
    if (ledger.violations.length > 0) return ledger.violations;
    const used = [...this.#watch.used.values()];
    if (used.length > 0) return [`${this.trouble}, but ${used.map(shown)} is used`];
    const waiting = this.#world.hosts.filter(
      ({ isForeign, options: { peers } }) =>
        !isForeign && (peers === null || peers.some((peer) => hosts.some(({ name }) => name === peer))),
    );
    return waiting.flatMap((host) => {
      const obstacle = obstacleOf(host);
      const names = this.#isNamed(host, obstacle ?? "");
      return names ? [] : [`${this.trouble}: ${host.name} waits for ${obstacle}`];
    });
  }

  /** Whether an obstacle names the daemon that differs, or any reason if that daemon itself reports it. */
  #isNamed(host: Host, obstacle: string): boolean {
    const { name, identity } = this.#odd;
    if (host === this.#odd) return obstacle !== "";
    return obstacle.includes(`${name}:`) || obstacle.includes(hexOf(identity.id).slice(0, 12));
  }

  /** Waits for the list. @returns why there is none, or null if all founders use the same list */
  async #untilFounded(): Promise<string | null> {
    const { scheduler, hosts } = this.#world;
    const end = scheduler.time + FOUNDING_MS_MAX;
    const ordersFrom = scheduler.time + UNORDERED_MS;
    let problem = this.#unfounded();
    while (problem !== null && scheduler.time < end) {
      if (scheduler.time >= ordersFrom && !hosts.some(isOrdered))
        this.#order(this.#random.oneOf(this.#world.hosts));
      await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
      for (const host of hosts) restartFailed(host);
      this.#watch.update();
      problem = this.#unfounded();
    }
    if (problem === null) return null;
    const waiting = hosts.filter(isOrdered).map((host) => `${host.name} waits: ${obstacleOf(host)}`);
    return `no list after ${this.trouble}, ${this.orders.losses} lost folders: ${problem}; ${waiting.join(", ")}`;
  }

  #unfounded(): string | null {
    const { heads } = this.#world;
    const [head] = heads;
    if (head === undefined) return "there is no list";
    if (heads.length > 1) return `there are ${heads.length} parallel lists`;
    const founders = this.#world.hosts;
    const isExpected =
      head.list.members.length === founders.length && founders.every((host) => isInEach(heads, host));
    if (!isExpected) return `list ${shown(head)} has ${head.list.members.length} members`;
    const outdated = founders.find(({ daemon }) => daemon?.lists?.durable.hash !== head.hash);
    if (outdated !== undefined) return `${outdated.name} does not use the list`;
    const silent = founders.find(({ daemon }) => daemon?.lists?.isReporting !== true);
    return silent === undefined ? null : `${silent.name} does not report under the list`;
  }

  async #checkAll(): Promise<readonly string[]> {
    const { scheduler, heads } = this.#world;
    const problems: string[] = [];
    const doneAt = scheduler.time;
    const [head] = heads;

    // Each lost folder may leave a text that cannot become complete.
    const added = this.trouble === NOT_NAMED ? 1 : 0;
    if (head !== undefined && head.list.number > 1 + this.orders.losses + added)
      problems.push(`list ${shown(head)} has this number after ${this.orders.losses} lost folders`);

    await untilEqual(this.#world, problems, null);
    if (problems.length > 0) return problems;
    problems.push(...(await checkService(this.#world, this.#healedAt)));

    const isFinal = ({ daemon }: Host) => (daemon?.peering.stablePoint ?? 0) > EPOCH + doneAt;
    while (!this.#world.hosts.every(isFinal) && scheduler.time < doneAt + FINAL_MS_MAX)
      await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);

    for (const host of this.#world.hosts) {
      const { name, daemon } = host;
      if (!isFinal(host)) problems.push(`${name}: nothing becomes final`);
      const order = daemon?.lists?.order ?? null;
      if (order !== null) problems.push(`${name} still has the order: ${order.kind}`);
    }

    const now = this.#world.heads;
    if (now.length !== 1 || now[0]?.hash !== head?.hash)
      problems.push(`the list changes to ${now.map(shown)}`);
    return [...problems, ...brokenLists(this.#world), ...this.#world.ledger.violations];
  }
}

const NOT_NAMED: Trouble = "not at the addresses";
/** Those with which the remaining daemons cannot found a list. */
const NOT_FOUNDED: ReadonlySet<Trouble> = new Set(
  TROUBLES.filter((trouble) => trouble !== "none" && trouble !== NOT_NAMED),
);
const IS_FOREIGN: ReadonlySet<Trouble> = new Set<Trouble>([
  "other secret",
  "other cluster",
  "other list",
  "left out",
]);
const NEEDS_THREE: ReadonlySet<Trouble> = new Set<Trouble>([
  "other list",
  "left out",
  "not at the addresses",
]);
