/**
 * Handles entries that some members have pruned and that are missing on other members. missing-entries.ts detects such entries.
 * common-date.ts determines the date up to which all members have the same entries, and cut-voting.ts determines the
 * states that members have signed. Then snapshot-taking.ts selects the snapshot that may replace the missing entries,
 * and snapshot-taking.ts loads it. Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { CommonDate } from "./finality/common-date.js";
import { CutVoting } from "./finality/cut-voting.js";
import { MissingEntries } from "./finality/missing-entries.js";
import type { ReportTable } from "./finality/report-table.js";
import { SnapshotChoice, SnapshotTaking } from "./finality/snapshot-taking.js";
import type { Member } from "./member.js";
import type { Roster } from "./roster.js";
import type { ClusterState } from "./shared/cluster-state.js";
import { electorateIn, majorityOf } from "./shared/electorate.js";
import { endOfPruned, isSameTotals, totalsUpTo } from "./shared/entry-totals.js";

export class PrunedEntries {
  readonly missing: MissingEntries;
  readonly snapshots: SnapshotTaking;
  readonly voting: CutVoting;
  readonly #cluster: ClusterState<Member>;
  readonly #common: CommonDate;
  readonly #damage: SettlingDamage;
  readonly #choice: SnapshotChoice;

  /** @param onTaken  called when a snapshot has replaced this daemon's entries */
  constructor(cluster: ClusterState<Member>, reports: ReportTable, roster: Roster, onTaken: () => void) {
    this.#cluster = cluster;
    this.#common = new CommonDate(cluster, reports);
    this.#damage = new SettlingDamage(cluster, reports);
    this.voting = new CutVoting(cluster, this.#common, (id) => roster.banPermanently(id));
    const missing = new MissingEntries(cluster, this.voting, reports);
    this.missing = missing;
    this.snapshots = new SnapshotTaking(cluster, () => {
      onTaken();
      missing.changed();
    });
    this.#choice = new SnapshotChoice(cluster, { missing, voting: this.voting, taking: this.snapshots });
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
    this.#common.tick(now, members);
    this.voting.tick(now);
    this.#damage.tick(now);
  }

  /** Called when a member has connected, before this daemon knows what entries the member has. */
  joined(): void {
    this.#common.joined();
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    this.#common.disconnected(id);
    this.missing.disconnected(id);
    this.snapshots.disconnected(id);
  }

  /** Called when a member's report on a date has arrived. */
  reported(id: ByteString, at: number): void {
    this.missing.reported(id, at);
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
  readonly #reports: ReportTable;
  /** The date up to which reports were last requested; milliseconds since 1970. */
  #at = 0;
  /**
   * When reports were last requested, as `uptime` milliseconds, or null if nothing is damaged, or the damage was just
   * found.
   */
  #requestedAt: number | null = null;
  /** The serial number of the last report that had arrived then. */
  #serialAtRequest = 0;
  /** When most members began to agree with this daemon, as `uptime` milliseconds, or null if they do not. */
  #since: number | null = null;

  constructor(cluster: ClusterState, reports: ReportTable) {
    this.#cluster = cluster;
    this.#reports = reports;
  }

  tick(now: number): void {
    const { timeline, limits, clock } = this.#cluster;
    if (this.#requestedAt !== null && now < this.#requestedAt + limits.reportEveryMs) return;
    const { lastAt } = timeline.damagedEntries;
    if (lastAt === null) {
      this.#since = this.#requestedAt = null;
      return;
    }
    if (this.#requestedAt === null || !this.#isAgreed()) this.#since = null;
    else if (now - (this.#since ??= this.#requestedAt) > limits.catchUpStuckMs) {
      this.#since = null;
      timeline.damagedEntries.drop();
    }
    this.#requestedAt = now;
    this.#serialAtRequest = this.#reports.lastSerial;
    this.#at = endOfPruned(lastAt, clock());
    this.#reports.request(this.#at);
  }

  /** Earlier reports than those that were last requested do not count. */
  #isAgreed(): boolean {
    const { ids, others } = electorateIn(this.#cluster);
    const own = totalsUpTo(this.#cluster.timeline.index, this.#at);
    const reports = [...this.#reports.reportsOn(this.#at)].filter(
      ([id, { serial }]) => ids.has(id) && serial > this.#serialAtRequest,
    );
    const alike = reports.filter(([, report]) => isSameTotals(report, own)).length;
    // A member that has the entry only in a snapshot cannot send it, so most other members have to agree with this
    // daemon. Once all members have replied, this daemon counts itself too, and half of the other members can be
    // enough.
    const haveAllReplied = reports.length === others;
    return alike >= majorityOf({ ids, others }) || (haveAllReplied && 2 * (1 + alike) > others + 1);
  }
}
