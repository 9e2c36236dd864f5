import type { ByteString } from "../../../../protocol/byte-string.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { electorateIn, majorityOf } from "../shared/electorate.js";
import { endOfPruned, isSameTotals, totalsUpTo } from "../shared/entry-totals.js";
import type { ReportTable, TotalsReport } from "./report-table.js";

/**
 * The comparison of the entries that this daemon has pruned with the other members' entries of the same period. This
 * daemon no longer accepts entries dated in that period. So if most other members have different entries there, they
 * are right, and only a snapshot of theirs can repair this daemon. Source: docs/member-protocol.md, rule 8.
 */
export class OwnPrunedEntries {
  readonly #cluster: ClusterState;
  readonly #reports: ReportTable;
  /**
   * The report on which most members agree, and when it began to differ from this daemon's entries. Null if it does not
   * differ, or if most members do not agree.
   */
  #other: { readonly report: TotalsReport; readonly since: number } | null = null;

  constructor(cluster: ClusterState, reports: ReportTable) {
    this.#cluster = cluster;
    this.#reports = reports;
  }

  /** Called when the set of entries here has changed. */
  changed(): void {
    this.#other = null;
  }

  /** The end of the period that this daemon has pruned; milliseconds since 1970. */
  get #at(): number {
    const { timeline, clock } = this.#cluster;
    return endOfPruned(timeline.prunedTo, clock());
  }

  /** Requests reports, and compares them again. */
  tick(): void {
    const { timeline } = this.#cluster;
    if (timeline.prunedTo >= 0) this.#reports.request(this.#at);
    this.compare();
  }

  /** Compares the members' reports with this daemon's entries. */
  compare(): void {
    const report = this.#cluster.timeline.prunedTo < 0 ? null : this.#ofMost();
    if (report === null || isSameTotals(totalsUpTo(this.#cluster.timeline.index, report.at), report))
      this.#other = null;
    else this.#other = { report, since: this.#other?.since ?? this.#cluster.uptime() };
  }

  /**
   * Whether this daemon must not be live, because most other members have different entries in the period that it has
   * pruned. A live daemon ignores the difference for a while, because the difference may disappear.
   * @param isCatchingUp  whether it was catching up at the last tick
   */
  isIncomplete(now: number, isCatchingUp: boolean): boolean {
    const other = this.#other;
    return other !== null && (isCatchingUp || now - other.since >= this.#cluster.limits.catchUpMs);
  }

  /**
   * Whether a member has the same entries as most other members, and this daemon has had different entries for at least
   * `forMs` milliseconds.
   */
  isStuck(id: ByteString, now: number, forMs: number): boolean {
    if (this.#other === null || now - this.#other.since < forMs) return false;
    const report = this.#reports.reportOf(id, this.#other.report.at);
    return report !== null && isSameTotals(this.#other.report, report);
  }

  /**
   * Returns the report on which most of the other members, at least two, agree, or null if there is none. A member that
   * reports that it is catching up is not a witness.
   */
  #ofMost(): TotalsReport | null {
    const electorate = electorateIn(this.#cluster);
    const isLive = (id: ByteString) => this.#cluster.members.get(id)?.status?.state === "live";
    if (electorate.others < 2) return null;

    const reports = [...this.#reports.reportsOn(this.#at)].flatMap(([id, report]) =>
      electorate.ids.has(id) && isLive(id) ? [report] : [],
    );
    const isMost = (one: TotalsReport) =>
      reports.filter((other) => isSameTotals(one, other)).length >= majorityOf(electorate);
    return reports.find(isMost) ?? null;
  }
}
