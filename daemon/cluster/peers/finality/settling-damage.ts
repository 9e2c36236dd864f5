/**
 * Settles the damage of entries in this daemon's timeline. This daemon first requests such an entry from the other
 * members. If no member sends it, and most members report the same entries up to its date as are readable here, then
 * the members' states do not contain the entry, and this daemon drops it too. The comparison ends at the entry's date,
 * because the most recent entries always differ between members. A daemon without members drops the entry without
 * comparing.
 */
import type { ClusterState } from "../shared/cluster-state.js";
import { electorateIn, majorityOf } from "../shared/electorate.js";
import { endOfPruned, isSameTotals, totalsUpTo } from "../shared/entry-totals.js";
import type { ReportTable } from "./report-table.js";

export class SettlingDamage {
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
