/**
 * Compares the entries that this daemon has pruned with the other members' entries of the same period. This daemon no
 * longer accepts entries dated in that period. So if most other members have different entries there, they are right,
 * and only a snapshot of theirs can repair this daemon. Source: docs/protocol-v2.md "Members", rule 8.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Totals } from "../../../protocol/members/member-totals.js";
import { type ClusterState, requestReports } from "../shared/cluster-state.js";
import { electorateIn, majorityOf } from "../shared/electorate.js";
import { endOfPruned, isSameTotals, totalsOf, totalsUpTo } from "../shared/entry-totals.js";
import type { Report } from "./stable-point.js";

export class OwnPrunedEntries {
  readonly #cluster: ClusterState;
  /** The end of the period that this daemon had pruned when it last requested reports; milliseconds since 1970. */
  #at = -1;
  /** When this daemon last requested reports; `uptime` milliseconds. */
  #requestedAt = Number.NEGATIVE_INFINITY;
  readonly #reports = new Map<ByteString, Report>();
  /**
   * The report on which most members agree, and when it began to differ from this daemon's entries. Null if it does not
   * differ, or if most members do not agree.
   */
  #other: { readonly report: Report; readonly since: number } | null = null;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /** Processes a member's totals. If they differ from this daemon's, it requests reports from all members. */
  noteTotals(id: ByteString, held: Totals): void {
    const { timeline, clock, uptime, limits } = this.#cluster;
    const { prunedTo, index } = timeline;
    if (prunedTo < 0) return;
    if (isSameTotals(totalsOf(index), held)) {
      // The member has the same entries now: its earlier report is outdated, or this daemon's entries have changed.
      this.disconnected(id);
      return;
    }
    const now = uptime();
    const at = endOfPruned(prunedTo, clock());
    if (at !== this.#at) this.#reports.clear();
    else if (now < this.#requestedAt + limits.reportEveryMs) return;
    this.#requestedAt = now;
    this.#at = at;
    requestReports(this.#cluster, at);
  }

  reported(id: ByteString, report: Report): void {
    if (report.at !== this.#at) return;
    this.#reports.set(id, report);
    this.tick();
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    if (this.#reports.delete(id)) this.tick();
  }

  /** Called when the set of entries here has changed. */
  changed(): void {
    this.#reports.clear();
    this.#other = null;
  }

  /** Compares the members' reports with this daemon's entries again. */
  tick(): void {
    const report = this.#ofMost();
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
    const report = this.#reports.get(id);
    if (this.#other === null || report === undefined || now - this.#other.since < forMs) return false;
    return isSameTotals(this.#other.report, report);
  }

  /**
   * Returns the report on which most of the other members, at least two, agree, or null if there is none. A member that
   * reports that it is catching up is not a witness.
   */
  #ofMost(): Report | null {
    const electorate = electorateIn(this.#cluster);
    const isLive = (id: ByteString) => this.#cluster.members.get(id)?.status?.state === "live";
    if (electorate.others < 2) return null;
    const reports = [...this.#reports].flatMap(([id, report]) =>
      electorate.ids.has(id) && isLive(id) ? [report] : [],
    );
    const isMost = (one: Report) =>
      reports.filter((other) => isSameTotals(one, other)).length >= majorityOf(electorate);
    return reports.find(isMost) ?? null;
  }
}
