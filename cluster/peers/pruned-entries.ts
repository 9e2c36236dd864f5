/**
 * Handles entries that some members have pruned and that are missing on other members. gaps.ts detects such entries.
 * common-date.ts determines the date up to which all members have the same entries, and cut-voting.ts determines the
 * states that members have signed. Then snapshot-choice.ts selects the snapshot that may replace the missing entries,
 * and snapshot-taking.ts loads it. Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import { CommonDate } from "./finality/common-date.js";
import { CutVoting } from "./finality/cut-voting.js";
import { Gaps } from "./finality/gaps.js";
import { SnapshotChoice } from "./finality/snapshot-choice.js";
import { SnapshotTaking } from "./finality/snapshot-taking.js";
import { type Report, type Reporter, reporterOf } from "./finality/stable-point.js";
import type { Member } from "./member.js";
import type { Roster } from "./roster.js";
import type { ClusterState } from "./shared/cluster-state.js";
import { type Electorate, electorateIn, majorityOf } from "./shared/electorate.js";
import { endOfPruned, isSameTotals, totalsUpTo } from "./shared/entry-totals.js";

export class PrunedEntries {
  readonly gaps: Gaps;
  readonly snapshots: SnapshotTaking;
  readonly voting: CutVoting;
  readonly #cluster: ClusterState<Member>;
  readonly #common: CommonDate;
  readonly #damage: SettlingDamage;
  readonly #choice: SnapshotChoice;

  /** @param onTaken  called when a snapshot has replaced this daemon's entries */
  constructor(cluster: ClusterState<Member>, roster: Roster, onTaken: () => void) {
    this.#cluster = cluster;
    this.#common = new CommonDate(cluster);
    this.#damage = new SettlingDamage(cluster);
    this.voting = new CutVoting(cluster, this.#common, (id) => roster.banPermanently(id));
    const gaps = new Gaps(cluster, this.voting);
    this.gaps = gaps;
    this.snapshots = new SnapshotTaking(cluster, () => {
      onTaken();
      gaps.changed();
    });
    this.#choice = new SnapshotChoice(cluster, { gaps, voting: this.voting, taking: this.snapshots });
  }

  start(): void {
    this.voting.start();
  }

  stop(): void {
    this.snapshots.stop();
  }

  tick(now: number): void {
    const members = [...this.#cluster.members.values()];
    this.snapshots.tick(now, this.#choice.choices(now, members));
    this.#common.tick(now, () =>
      members.map((member) => ({ ...reporterOf(member), isCatchingUp: member.isCatchingUp })),
    );
    this.voting.tick(now);
    this.#damage.tick(now, () => members.map(reporterOf));
  }

  /** Called when a member has connected, before this daemon knows what entries the member has. */
  joined(): void {
    this.#common.joined();
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    this.#common.disconnected(id);
    this.gaps.disconnected(id);
    this.snapshots.disconnected(id);
  }

  reported(id: ByteString, report: Report): void {
    this.#common.reported(id, report);
    this.#damage.reported(id, report);
    this.gaps.reported(id, report);
  }

  /**
   * The option with which an operator can make this daemon adopt a member's snapshot in place of missing entries, or
   * null if no operator has to decide.
   */
  get order(): string | null {
    return this.#choice.order;
  }
}

/**
 * Decides what happens to damaged entries in this daemon's timeline. This daemon first requests such an entry from the
 * other members. If no member sends it, and most members report the same entries up to its date as are readable here,
 * then the members' states do not contain the entry, and this daemon drops it too. The comparison ends at the entry's
 * date, because the most recent entries always differ between members. A daemon without members drops the entry without
 * comparing.
 */
class SettlingDamage {
  readonly #cluster: ClusterState;
  /** The date up to which reports were last requested; milliseconds since 1970. */
  #at = 0;
  /**
   * When reports were last requested, as `uptime` milliseconds, or null if nothing is damaged, or the damage was just
   * found.
   */
  #requestedAt: number | null = null;
  /** Reports received since that request. */
  readonly #reports = new Map<ByteString, Report>();
  /** When most members began to agree with this daemon, as `uptime` milliseconds, or null if they do not. */
  #since: number | null = null;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /** @param connected  all connected members */
  tick(now: number, connected: () => readonly Reporter[]): void {
    const { timeline, limits, clock } = this.#cluster;
    if (this.#requestedAt !== null && now < this.#requestedAt + limits.reportEveryMs) return;
    const { lastAt } = timeline.damagedEntries;
    if (lastAt === null) {
      this.#since = this.#requestedAt = null;
      return;
    }
    const members = connected();
    if (this.#requestedAt === null || !this.#isAgreed(electorateIn(this.#cluster), members))
      this.#since = null;
    else if (now - (this.#since ??= this.#requestedAt) > limits.catchUpStuckMs) {
      this.#since = null;
      timeline.damagedEntries.drop();
    }
    this.#requestedAt = now;
    this.#reports.clear();
    this.#at = endOfPruned(lastAt, clock());
    for (const member of members) member.requestReport(this.#at);
  }

  reported(id: ByteString, report: Report): void {
    if (report.at === this.#at) this.#reports.set(id, report);
  }

  #isAgreed(electorate: Electorate, members: readonly Reporter[]): boolean {
    const own = totalsUpTo(this.#cluster.timeline.index, this.#at);
    const isEqual = ({ id }: Reporter) => {
      const report = this.#reports.get(id);
      return report !== undefined && electorate.ids.has(id) && isSameTotals(report, own);
    };
    const alike = members.filter(isEqual).length;
    // A member that has the entry only in a snapshot cannot send it, so most other members have to agree with this
    // daemon. Once all members have replied, this daemon counts itself too, and half of the other members can be
    // enough.
    const haveAllReplied =
      electorate.ids.size === electorate.others && [...electorate.ids].every((id) => this.#reports.has(id));
    return alike >= majorityOf(electorate) || (haveAllReplied && 2 * (1 + alike) > electorate.others + 1);
  }
}
