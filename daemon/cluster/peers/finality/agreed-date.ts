/**
 * The latest full second before which some members are known to have the same entries as this daemon, and to accept no
 * more entries from clients. Each of them has reported, as of one moment, a watermark of at least that date, and totals
 * up to it that equal this daemon's *current* totals. A report may be old: a member adds nothing of its own to a period
 * that its watermark has passed, so whatever reached it later was counted in another member's report. That no longer
 * holds once a daemon has lost entries. Source: docs/model/agreement.pml.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Totals } from "../../../../protocol/members/member-totals.js";
import { isStable, type Report as RuledReport, stableCandidate } from "../../../timeline/members/rules.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { isSameTotals, totalsUpTo } from "../shared/entry-totals.js";
import type { ReportTable } from "./report-table.js";

/** A member whose reports count. */
export interface Reporter {
  readonly id: ByteString;
  /** Its last status, or null if it has sent none yet. */
  readonly status: { readonly watermark: number } | null;
}

export class AgreedDate {
  /** Everything dated before it is the same on all these members. */
  value = 0;
  readonly #cluster: ClusterState;
  readonly #reports: ReportTable;
  /** The date for which reports were last requested. */
  #requested = 0;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(cluster: ClusterState, reports: ReportTable) {
    this.#cluster = cluster;
    this.#reports = reports;
  }

  /**
   * Raises the date, and requests the reports that may raise it further.
   * @param list  the hash of the list under which members must report (empty: there is no list), or null if each report
   * counts
   */
  tick(now: number, members: readonly Reporter[], list: ByteString | null = null): void {
    const { timeline, limits } = this.#cluster;
    if (members.length === 0) {
      this.value = Math.max(this.value, timeline.published + 1);
      return;
    }
    const at = stableCandidate([timeline.published, ...members.map(({ status }) => status?.watermark ?? 0)]);
    const ids = new Set(members.map(({ id }) => id));
    for (const date of [this.#requested, at])
      if (date > this.value && this.#isAgreed(date, ids, list)) this.value = date;
    if (now < this.#nextAt || at <= this.value) return;
    // The rounds of all agreed dates begin together, so that they request the same reports.
    this.#nextAt = (Math.floor(now / limits.reportEveryMs) + 1) * limits.reportEveryMs;
    this.#requested = at;
    this.#reports.request(at, ids);
  }

  #isAgreed(at: number, ids: ReadonlySet<ByteString>, list: ByteString | null): boolean {
    const { index, published } = this.#cluster.timeline;
    const own = { list: list ?? "", watermark: published, digest: totalsUpTo(index, at) };
    const reports = new Map<ByteString, RuledReport<Totals>>();
    for (const [id, report] of this.#reports.reportsOn(at)) {
      const reported = list === null ? own.list : report.list;
      if (reported === null || report.serial <= this.#reports.lostAt) continue;
      reports.set(id, { list: reported, watermark: report.watermark, digest: report });
    }
    return isStable(at, own, ids, reports, isSameTotals);
  }
}
