/**
 * Decides what happens to damaged entries in this daemon's timeline. This daemon first requests such an entry from the
 * other members. If no member sends it, and most members report the same entries up to its date as are readable here,
 * then the members' states do not contain the entry, and this daemon drops it too. The comparison ends at the entry's
 * date, because the most recent entries always differ between members. A daemon without members drops the entry without
 * comparing.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { type Electorate, electorateIn, majorityOf } from "../shared/electorate.js";
import { endOfPruned, isSameTotals, totalsUpTo } from "../shared/totals.js";
import type { Report, Reporter } from "./stable-point.js";

export class SettlingDamage {
  readonly #cluster: ClusterState;
  /** The date up to which reports were last requested; milliseconds since 1970. */
  #at = 0;
  /**
   * When reports were last requested, as `uptime` milliseconds, or null if nothing is damaged, or the damage was just
   * found.
   */
  #askedAt: number | null = null;
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
    if (this.#askedAt !== null && now < this.#askedAt + limits.reportEveryMs) return;
    const { lastAt } = timeline.damagedEntries;
    if (lastAt === null) {
      this.#since = this.#askedAt = null;
      return;
    }
    const members = connected();
    if (this.#askedAt === null || !this.#isAgreed(electorateIn(this.#cluster), members)) this.#since = null;
    else if (now - (this.#since ??= this.#askedAt) > limits.catchUpStuckMs) {
      this.#since = null;
      timeline.damagedEntries.drop();
    }
    this.#askedAt = now;
    this.#reports.clear();
    this.#at = endOfPruned(lastAt, clock());
    for (const member of members) member.ask(this.#at);
  }

  reported(id: ByteString, report: Report): void {
    if (report.at === this.#at) this.#reports.set(id, report);
  }

  #isAgreed(voices: Electorate, members: readonly Reporter[]): boolean {
    const own = totalsUpTo(this.#cluster.timeline.index, this.#at);
    const isEqual = ({ id }: Reporter) => {
      const report = this.#reports.get(id);
      return report !== undefined && voices.ids.has(id) && isSameTotals(report, own);
    };
    const alike = members.filter(isEqual).length;
    // A member that has the entry only in a snapshot cannot send it, so most other members have to agree with this
    // daemon. Once all members have replied, this daemon counts itself too, and half of the other members can be
    // enough.
    const haveAllReplied =
      voices.ids.size === voices.others && [...voices.ids].every((id) => this.#reports.has(id));
    return alike >= majorityOf(voices) || (haveAllReplied && 2 * (1 + alike) > voices.others + 1);
  }
}
