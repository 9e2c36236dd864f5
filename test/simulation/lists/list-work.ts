/**
 * The work of administrators on the member list during the faults. They sign a first list (sometimes right after the
 * start of the run), add daemons, remove daemons in any state, replace daemons whose folders are lost, and try to
 * readmit removed daemons. They also sign two parallel lists, each from the answers of different daemons. At the end
 * they sign lists until all daemons of one list are running.
 */

import { PEERING_LIMITS } from "../../../daemon/cluster/peers/shared/peering-limits.js";
import type { KnownList } from "../../../protocol/members/member-list.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { type MemberView, rawId } from "../../../tools/cli/members/member-views.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { restartFailed } from "../faults.js";
import type { Host, World } from "../world.js";
import { Administrator, type Answers, type Wanted } from "./administrator.js";
import { isInEach, isRemoved, isSound, SignedLists } from "./known-lists.js";

/** In runs with decided keys: milliseconds between two visits on average, until there is a list and afterwards. */
const FIRST_EVERY_MS = 1_500;
const RARELY_MS = 15_000;
/** Milliseconds until the first list: before anything was published, some time later, or after the faults. */
const BEGINS_MS = [80, 110, 110, 400, 1_500, 6_000, Infinity];
/** Milliseconds to wait for answers, the first time and later. */
const FIRST_PATIENCE_MS = [20, 60, 500];
const PATIENCE_MS: readonly [number, number] = [200, 2_500];
/** The chance of each action when an administrator visits. */
const TWO_AT_ONCE = 0.25;
const QUERIES_FEW = 0.3;
const SENDS_TO_FEW = 0.5;
const CRASH = 0.3;

const STEP_MS = 2_500;
const STEP_PATIENCE_MS = 1_200;
const SETTLING_MS_MAX = 150_000;
/** Milliseconds after which a list is forced. A list that only a removed daemon knows can never reach other daemons. */
const FORCED_AFTER_MS = 60_000;
/** Further milliseconds in which new daemons may receive the data. */
const JOINING_MS = 45_000;
const NONE_LIVE = "no member is live";
/** A part of the objection to several new daemons, which would outvote those that have the data. */
const FEWER = "add fewer daemons";

export class ListWork {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #signed: SignedLists;
  readonly #administrators: readonly Administrator[];
  /** Milliseconds between two visits of an administrator, on average. */
  readonly #everyMs: number;
  /** Whether removed daemons return with an empty folder at the end. */
  readonly #allReturn: boolean;
  /** The byzantine member, or null if there is none. The first list names it. */
  readonly #liar: Host | null;
  /** Whether administrators evict the byzantine member at the end. */
  readonly #evictsLiar: boolean;

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#random = new SeededRandom(seed, 5);
    this.#signed = new SignedLists(world);
    const parts = { world, random: new SeededRandom(seed, 6), signed: this.#signed };
    this.#administrators = ["a0", "a1"].map((name) => new Administrator({ ...parts, name }));
    const everyMs = this.#random.oneOf([1_000, 2_500, 5_000]);
    // Each list begins the wait again until a pattern of decided keys begins.
    this.#everyMs = world.settings.patterns > 0 ? RARELY_MS : everyMs;
    const isByHalf = this.#random.chance(0.5);
    this.#liar = world.hosts.find(({ isByzantine }) => isByzantine) ?? null;
    this.#allReturn = this.#liar === null && isByHalf;
    this.#evictsLiar = this.#liar !== null && isByHalf;
  }

  /** Schedules the administrators' work during the faults. */
  sow(): void {
    const { scheduler, settings } = this.#world;
    const again = () => {
      if (scheduler.time > settings.workMs || (this.#liar !== null && this.#world.heads.length > 0)) return;
      this.#visit();
      const isFirst = settings.patterns > 0 && this.#world.heads.length === 0;
      const everyMs = isFirst ? FIRST_EVERY_MS : this.#everyMs;
      scheduler.after(this.#random.between(everyMs >> 1, 2 * everyMs), null, again);
    };
    const drawn = this.#random.oneOf(BEGINS_MS);
    // Without a list, no pattern can be announced.
    const first = settings.patterns > 0 ? FIRST_EVERY_MS : drawn;
    if (first !== Infinity) scheduler.after(first, null, again);
  }

  #visit(): void {
    const { hosts, heads } = this.#world;
    const random = this.#random;
    this.#signed.update();
    const [one, other] = this.#administrators as [Administrator, Administrator];
    if (heads.length === 0 || !random.chance(TWO_AT_ONCE)) {
      this.#act(one, heads.length > 0 && random.chance(QUERIES_FEW) ? this.#some(hosts) : hosts);
      return;
    }
    const shuffled = random.shuffled(hosts);
    const near = shuffled.slice(0, random.between(1, hosts.length - 1));
    this.#act(one, near);
    this.#act(
      other,
      shuffled.filter((host) => !near.includes(host)),
    );
  }

  #act(administrator: Administrator, hosts: readonly Host[]): void {
    const random = this.#random;
    const { scheduler, ledger, settings } = this.#world;
    const isFirst = this.#world.heads.length === 0;
    const patience = isFirst ? random.oneOf(FIRST_PATIENCE_MS) : random.between(...PATIENCE_MS);

    administrator.query(hosts, patience, (answers) => {
      if (scheduler.time > settings.workMs) return;
      const [kind, change] = this.#change(answers);
      if (change === null) return;

      const to = random.chance(SENDS_TO_FEW) ? this.#some(hosts) : hosts;
      const problem = administrator.sign(answers, change, to);
      if (kind === "return" && problem === null) ledger.violate("a removed daemon was admitted again");
      if (problem !== null) return;

      ledger.lists[kind] = (ledger.lists[kind] ?? 0) + 1;
      if (!random.chance(CRASH)) return;
      const host = random.oneOf(to);
      scheduler.after(random.oneOf([1, 5, 20, 100]), null, () => {
        if (scheduler.time > settings.workMs) return;
        host.kill("in the middle of a list", random.chance(0.3));
        host.restartAfter(random.oneOf([10, 500, 4_000]));
      });
    });
  }

  /** Returns the kind of change and the change itself, or null if there is nothing to sign. */
  #change({ views, heads }: Answers): readonly [string, Wanted | null] {
    const random = this.#random;
    const [head] = heads;
    if (head === undefined) return ["begin", this.#first(views)];
    if (heads.length > 1) return ["merge", { add: [], evict: [] }];

    const { members } = head.list;
    const lost = this.#lostOf(head);
    const unlisted = this.#unlisted(views, head);
    const returning = views.filter(({ id }) => head.list.removed.includes(rawId(id)));
    for (const host of this.#world.hosts) if (!isRemoved(heads, host)) this.#replaceFolder(host);

    const kinds: (() => readonly [string, Wanted | null])[] = [
      () => ["evict", { add: [], evict: [hexOf(random.oneOf(members))] }],
    ];
    if (unlisted.length > 0) kinds.push(() => ["add", { add: [random.oneOf(unlisted)], evict: [] }]);
    if (unlisted.length > 0 && lost.length > 0)
      kinds.push(() => [
        "replace",
        { add: [random.oneOf(unlisted)], evict: [random.oneOf(lost)], isReplacing: true },
      ]);
    if (lost.length > 0) kinds.push(() => ["evict", { add: [], evict: [random.oneOf(lost)] }]);
    if (returning.length > 0) {
      const { id } = random.oneOf(returning);
      kinds.push(() => ["return", { add: [id], evict: [] }]);
      kinds.push(() => {
        this.#replaceFolder(this.#hostOf(id));
        return ["anew", null];
      });
    }
    return random.oneOf(kinds)();
  }

  /**
   * Returns the first list. It names all honest daemons, because a daemon that it omits could have accepted entries
   * that no member receives.
   */
  #first(views: readonly MemberView[]): Wanted | null {
    const add = allOf(views);
    const honest = this.#world.hosts.filter(({ isByzantine }) => !isByzantine);
    const areAllListed = honest.every(({ identity }) => add.includes(hexOf(identity.id)));
    return areAllListed ? { add, evict: [] } : null;
  }

  /**
   * Replaces the folder of a daemon that was removed, or that accepted entries before a list named it, with an empty
   * one. The old content is put aside.
   */
  #replaceFolder(host: Host | undefined): void {
    const { ledger, heads } = this.#world;
    if (host === undefined || host.daemon === null || heads.length === 0 || isInEach(heads, host)) return;
    if (!isRemoved(heads, host) && host.disk.held().length === 0) return;
    host.kill("its folder is replaced by an empty one");
    for (const orderKey of [...host.disk.held(), ...host.disk.deadLetters.keys()])
      ledger.putAside.add(orderKey);
    host.wipe();
    host.restartAfter(this.#random.oneOf([10, 1_000]));
  }

  #hostOf(hex: string): Host | undefined {
    return this.#world.hosts.find(({ identity }) => hexOf(identity.id) === hex);
  }

  /** Returns the ids in a list whose folders are lost, in hexadecimal. */
  #lostOf({ list }: KnownList): string[] {
    const { hosts } = this.#world;
    return list.members.filter((id) => !hosts.some(({ identity }) => identity.id === id)).map(hexOf);
  }

  /** Returns the ids of daemons that have answered and that no list has ever named, in hexadecimal. */
  #unlisted(views: readonly MemberView[], { list }: KnownList): string[] {
    const named = new Set([...list.members, ...list.removed]);
    return views.map(({ id }) => id).filter((id) => !named.has(rawId(id)));
  }

  #some(hosts: readonly Host[]): readonly Host[] {
    return this.#random.shuffled(hosts).slice(0, this.#random.between(1, hosts.length));
  }

  /**
   * Settles the lists after the faults.
   * @param help  does what an operator does if daemons cannot continue, and returns whether it did anything
   * @param transferMs  milliseconds in which an empty daemon receives all entries
   * @returns why the lists do not settle, or null if one list names the members and all members use it
   */
  async settle(help: () => boolean, transferMs: number): Promise<string | null> {
    const { scheduler } = this.#world;
    const [administrator] = this.#administrators as [Administrator];
    const deadline = scheduler.time + SETTLING_MS_MAX + transferMs;
    const forcesFrom = scheduler.time + FORCED_AFTER_MS;
    let helpsFrom = scheduler.time + SETTLING_MS_MAX / 2;
    // A byzantine member that sends entries and answers no comparison can keep the others from going live for so long.
    const noneLiveDeadline = deadline + (this.#liar === null ? 0 : PEERING_LIMITS.catchUpMaxMs);
    let problem: string | null = "no daemon answers";

    while (scheduler.time < (problem === NONE_LIVE ? noneLiveDeadline : deadline)) {
      // A failure caused by a full disk may be reported after space was freed.
      for (const host of this.#world.hosts) restartFailed(host);
      this.#signed.update(true);
      problem = this.#unsettled();
      if (problem === null) return null;

      administrator.query(this.#world.hosts, STEP_PATIENCE_MS, (answers) => {
        const change = this.#repairing(answers);
        if (change === null) return;

        // Removed daemons receive the list from members.
        const { hosts, heads } = this.#world;
        const to = hosts.filter(
          (host) => isInEach(heads, host) || change.add.includes(hexOf(host.identity.id)),
        );
        const objection = this.#sign(answers, change, to);
        // Daemons without data would outvote the others, which would then lose what only they have. They are awaited
        // for longer, because faults may prevent that they ever receive the data.
        const waitMs = objection?.includes("would not have the data") ? JOINING_MS : 0;
        const force = objection !== null && scheduler.time > forcesFrom + waitMs;
        problem = (force ? administrator.sign(answers, { ...change, force }, to) : objection) ?? problem;
      });

      await scheduler.runUntil(scheduler.time + STEP_MS);
      if (scheduler.time < helpsFrom) continue;
      helpsFrom = deadline;
      if (help()) helpsFrom = scheduler.time + SETTLING_MS_MAX / 4;
    }
    return problem;
  }

  /**
   * Signs a list. If the administrator objects to several new daemons, it adds only one of them in runs with decisions:
   * daemons without the data would outvote those that have it, and the members could no longer decide.
   * @returns why it did not sign, or null if it did
   */
  #sign(answers: Answers, change: Wanted, to: readonly Host[]): string | null {
    const [administrator] = this.#administrators as [Administrator];
    const objection = administrator.sign(answers, change, to);
    const [first] = change.add;
    const { contended, patterns } = this.#world.settings;
    const mayAddOne = first !== undefined && contended + patterns > 0;
    if (objection?.includes(FEWER) !== true || !mayAddOne) return objection;
    return administrator.sign(answers, { ...change, add: [first] }, to);
  }

  /** Returns the next change that leads to a list of running daemons, or null if no change is needed. */
  #repairing({ views, heads }: Answers): Wanted | null {
    const [head] = heads;
    if (head === undefined) return this.#first(views);
    const isOutdated = ({ id, lists }: MemberView) =>
      head.list.members.includes(rawId(id)) && !lists.some(({ hash }) => hash === head.hash);
    if (heads.length > 1 || views.some(isOutdated)) return { add: [], evict: [] };
    const lost = this.#lostOf(head);
    if (lost.length > 0) return { add: [], evict: lost };
    if (this.#isLiarListed(head)) return { add: [], evict: [hexOf((this.#liar as Host).identity.id)] };
    if (!this.#allReturn) return null;
    for (const host of this.#world.hosts) this.#replaceFolder(host);
    const unlisted = this.#unlisted(views, head);
    return unlisted.length === 0 ? null : { add: unlisted, evict: [] };
  }

  /** Whether a list names the byzantine member, which administrators want to evict. */
  #isLiarListed({ list }: Pick<KnownList, "list">): boolean {
    return this.#evictsLiar && this.#liar !== null && list.members.includes(this.#liar.identity.id);
  }

  #unsettled(): string | null {
    const { heads, hosts, honest } = this.#world;
    const [head] = heads;
    if (head === undefined) return "there is no list";
    if (heads.length > 1) return `there are ${heads.length} parallel lists`;
    const listed = hosts.filter((host) => isInEach(heads, host));
    if (listed.length < head.list.members.length) return "the list names a folder that is lost";
    if (this.#isLiarListed(head)) return "the list names the byzantine member";
    if (this.#allReturn && honest.length < hosts.length) return "the list does not name all daemons";

    const outdated = honest.find(({ daemon }) => {
      const lists = daemon?.lists;
      return lists == null || !lists.isReporting || lists.durable.hash !== head.hash;
    });
    if (outdated !== undefined)
      return `${outdated.name} does not use the list: ${outdated.daemon?.lists?.isJoining ? "it has not joined yet" : "it knows another"}`;
    if (!honest.some((host) => isInEach(heads, host) && isSound(host, true))) return NONE_LIVE;
    return this.#signed.isInFlight ? "daemons may still receive a list" : null;
  }
}

/** Returns the daemons that have answered, and the daemons to which they are connected. */
function allOf(views: readonly MemberView[]): string[] {
  const peers = views.flatMap((view) => view.peers.filter(({ connection }) => connection === "connected"));
  return [...new Set([...views, ...peers].map(({ id }) => id))];
}
