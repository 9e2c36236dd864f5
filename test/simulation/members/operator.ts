/**
 * The operators of a run. They add, remove, replace and readmit daemons. Sometimes they sign two parallel lists, which
 * they merge later. They know only what one live daemon knows, with one exception: each list retains a live member
 * whose folder exists, and two parallel lists share such a member. Without such a member no rule could repair the
 * cluster.
 */
import type { KnownList, MemberChange } from "../../../protocol/members/member-list.js";
import type { SeededRandom } from "../../support/seeded-random.js";
import type { Daemon } from "./daemon.js";
import { bitsOf, type Envelopes } from "./envelopes.js";
import type { Ledger } from "./ledger.js";
import { CLUSTER, idOf, type Lists, numberOf } from "./lists.js";
import type { Rules } from "./rules.js";
import { DAEMONS_MAX, LISTS_MAX, type Settings } from "./settings.js";

export interface OperatorParts {
  readonly rules: Rules;
  readonly settings: Settings;
  readonly random: SeededRandom;
  readonly lists: Lists;
  readonly envelopes: Envelopes;
  readonly ledger: Ledger;
  readonly daemons: Daemon[];
  /** Returns a daemon with an empty folder. */
  readonly begin: () => Daemon;
}

export class Operator {
  readonly #parts: OperatorParts;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  /** Acts in a tick with faults. */
  act(): void {
    const { random, settings, lists, daemons } = this.#parts;
    if (!random.chance(settings.lists) || lists.all.length >= LISTS_MAX) return;
    const daemon = random.oneOf(daemons);
    if (!daemon.isUp || !daemon.isLive || !daemon.membership.members.has(daemon.id)) return;

    const { heads } = daemon.membership;
    if (heads.length > 1) {
      this.#sign(heads.slice(0, 2), {}, [daemon]);
      return;
    }
    if (random.chance(settings.doubles) && this.#heads.length === 1) {
      const first = this.#change(heads);
      const second = this.#change(heads);
      if (first !== null) this.#sign(heads, first, [daemon]);
      if (second !== null) this.#sign(heads, second, [random.oneOf(daemons), random.oneOf(daemons)]);
      return;
    }

    const change = this.#change(heads);
    if (change !== null) this.#sign(heads, change, [daemon]);
  }

  /**
   * Repairs the lists after the faults: sends all lists to a member, merges parallel lists, and replaces lost daemons.
   */
  repair(): void {
    const { daemons, lists, random } = this.#parts;
    const heads = this.#heads;
    const members = daemons.filter(
      ({ id, isUp }) => isUp && heads.every(({ list }) => list.members.includes(id)),
    );
    if (members.length === 0) return;
    random.oneOf(members).learn((1 << lists.all.length) - 1);
    if (heads.length > 1) this.#sign(heads.slice(0, 2), {}, members);
    const [head] = heads;
    const lost = head?.list.members.find((id) => this.#daemon(id).isWiped);
    if (heads.length === 1 && lost !== undefined) this.#sign(heads, { leave: [lost] }, members);
  }

  /** Whether without `lost` there would still be a live member with its folder that every head names. */
  isSoundWithout(lost: Daemon): boolean {
    return this.#keeps(
      this.#heads.map(({ list }) => list.members),
      lost,
    );
  }

  /** Asks a random daemon, if it is a live member, for the outcomes of the writes of removed daemons. */
  queryOutcomes(): void {
    const { daemons, random, rules, envelopes, ledger } = this.#parts;
    const daemon = random.oneOf(daemons);
    if (!daemon.isUp || !daemon.isLive || daemon.stable.publishedPoint === 0) return;
    const past = { stablePoint: daemon.stable.publishedPoint, idsFrom: 0 };
    for (const left of daemons) {
      if (left.isWiped || !daemon.membership.removed.has(left.id)) continue;
      const { firstHand } = left.disk.durable;
      const ids = rules.keepsIds ? daemon.held : daemon.held & ~daemon.disk.durable.dropped;
      for (const bit of bitsOf(firstHand & ~(ledger.reportedHeld & ledger.reportedDead))) {
        const outcome = rules.entryOutcomeOf(envelopes.dateOf(bit), (ids & bit) !== 0, past);
        if (outcome === "held") ledger.reportedHeld |= bit;
        else if (outcome === "dead-letter") ledger.reportedDead |= bit;
      }
    }
  }

  get #heads(): readonly KnownList[] {
    const { lists } = this.#parts;
    const followed = new Set(lists.all.flatMap(({ list }) => list.parents));
    return lists.all.filter(({ hash }) => !followed.has(hash));
  }

  #daemon(id: string): Daemon {
    return this.#parts.daemons[numberOf(id)] as Daemon;
  }

  /** Returns the change to sign, or null if there is none. */
  #change(heads: readonly KnownList[]): MemberChange | null {
    const { random, daemons, begin } = this.#parts;
    const members = heads[0]?.list.members ?? [];
    const isJoining = members.some((id) => !this.#daemon(id).isWiped && !this.#daemon(id).isLive);
    const mayAdd = daemons.length < DAEMONS_MAX && !isJoining && members.length < 5;
    const leaves = random.chance(0.7) ? [random.oneOf(members)] : [];
    if (members.length === 1) leaves.pop();
    if (!mayAdd || random.chance(leaves.length === 0 ? 0 : 0.4))
      return leaves.length === 0 ? null : { leave: leaves };
    const left = heads[0]?.list.removed ?? [];
    const returns = left.length > 0 && random.chance(0.4) ? random.oneOf(left) : null;
    if (returns !== null && this.#mayReturn(heads, returns)) return { leave: leaves, add: [returns] };
    return { leave: leaves, add: [begin().id] };
  }

  #mayReturn(heads: readonly KnownList[], id: string): boolean {
    const { rules } = this.#parts;
    if (this.#daemon(id).isWiped && rules.replacesLost) return false;
    return typeof rules.nextList(heads, { add: [id] }, CLUSTER) !== "string";
  }

  #sign(heads: readonly KnownList[], change: MemberChange, to: readonly Daemon[]): void {
    const { rules, lists, random } = this.#parts;
    const list = rules.nextList(heads, change, CLUSTER);
    if (typeof list === "string") return;
    const parents = new Set(list.parents);
    const others = this.#heads.filter(({ hash }) => !parents.has(hash));
    if (!this.#keeps([list.members, ...others.map((other) => other.list.members)], null)) return;
    const known = lists.add(list);
    const up = to.filter(({ isUp }) => isUp);
    if (up.length > 0) random.oneOf(up).learn(known);
  }

  #keeps(groups: readonly (readonly string[])[], lost: Daemon | null): boolean {
    return this.#parts.daemons.some(
      (daemon) =>
        daemon !== lost &&
        !daemon.isWiped &&
        daemon.disk.durable.isLive === 1 &&
        groups.every((members) => members.includes(daemon.id)),
    );
  }
}

/** Returns the change that makes a first list. */
export const firstMembers = (numbers: readonly number[]): MemberChange => ({ add: numbers.map(idOf) });
