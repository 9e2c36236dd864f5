/**
 * The date up to which all connected members are known to have the same entries. Members may prune entries only up to
 * that date: otherwise no member could send an entry that another member is missing. Disconnected members do not
 * count.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Totals } from "../../../../protocol/members/member-elements.js";
import { isStable, type Report as RuledReport, stableCandidate } from "../../../timeline/members/rules.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { isSameTotals, totalsUpTo } from "../shared/entry-totals.js";
import type { ReportTable } from "./report-table.js";

/** Milliseconds between two updates of the date. */
const CHECK_EVERY_MS = 250;

/** A member that is connected. */
export interface CommonReporter extends Reporter {
  readonly isCatchingUp: boolean;
}

export class CommonDate {
  readonly #cluster: ClusterState;
  readonly #reports: ReportTable;
  /** The date before which all connected members, except slow ones, are known to have the same entries. */
  #agreed: AgreedDate;
  /** When each member that is catching up began to do so. */
  readonly #catchingUpSince = new Map<ByteString, number>();
  #nextAt = Number.NEGATIVE_INFINITY;
  /** The date before which all connected members, including slow ones, are known to have the same entries. */
  #common = 0;
  /**
   * Measures for how long `#common` has not increased. `#levelGrowth` does so for the date that ignores slow members.
   */
  readonly #commonGrowth = new Growth();
  readonly #levelGrowth = new Growth();

  constructor(cluster: ClusterState, reports: ReportTable) {
    this.#cluster = cluster;
    this.#reports = reports;
    this.#agreed = new AgreedDate(cluster, reports);
  }

  /** Called when a member has connected, before this daemon knows what entries the member has. */
  joined(): void {
    this.#agreed = new AgreedDate(this.#cluster, this.#reports);
    this.#common = 0;
    this.#nextAt = Number.NEGATIVE_INFINITY;
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    this.#catchingUpSince.delete(id);
  }

  /**
   * The date before which all connected members have the same entries, or before which this daemon has stopped waiting
   * for them to agree. Members that have been catching up for long do not count: such a member may need a snapshot,
   * which the remaining members can sign only if they agree without that member.
   */
  value = 0;

  tick(now: number, connected: readonly CommonReporter[]): void {
    if (now < this.#nextAt) return;
    this.#nextAt = now + CHECK_EVERY_MS;

    const level = connected.filter((member) => !this.#lags(member, now));
    this.#agreed.tick(now, level);

    const { timeline, limits } = this.#cluster;
    const { value } = this.#agreed;
    // Do not raise the date while a member is slow: if the period were pruned, entries that only the slow member has
    // could no longer be added to it.
    if (level.length === connected.length) this.#common = Math.max(this.#common, value);

    // If a date has not grown for too long, stop waiting: retaining all entries for a member that never agrees would
    // fill every disk. The two dates are timed separately, so that a slow member never makes the remaining members sign
    // a state that they have not compared.
    const upTo = (growth: Growth, date: number) =>
      growth.lasts(date, now) > limits.snapshotHoldMs ? Number.POSITIVE_INFINITY : date;
    this.value = upTo(this.#levelGrowth, value);
    timeline.handover?.retainFrom(upTo(this.#commonGrowth, this.#common));
  }

  #lags({ id, isCatchingUp }: CommonReporter, now: number): boolean {
    const since = isCatchingUp ? (this.#catchingUpSince.get(id) ?? now) : now;
    const lagged = now - (this.#catchingUpSince.get(id) ?? now) > this.#cluster.limits.catchUpStuckMs;
    if (isCatchingUp) this.#catchingUpSince.set(id, since);
    else this.#catchingUpSince.delete(id);
    // Start again when a slow member counts again: the result that was determined without it may be wrong.
    if (lagged && !isCatchingUp) this.#agreed = new AgreedDate(this.#cluster, this.#reports);
    return lagged && isCatchingUp;
  }
}

/** The time for which a date has not increased. */
class Growth {
  #date = 0;
  /** When the date last increased, as `uptime` milliseconds, or null if `lasts` was not called yet. */
  #grownAt: number | null = null;

  /**
   * @param date  the current date
   * @returns the milliseconds since the date last increased, or since the first call
   */
  lasts(date: number, now: number): number {
    if (this.#grownAt === null || date > this.#date) this.#grownAt = now;
    this.#date = date;
    return now - this.#grownAt;
  }
}

/** A member whose reports count. */
export interface Reporter {
  readonly id: ByteString;
  /** Its last status, or null if it has sent none yet. */
  readonly status: { readonly watermark: number } | null;
}

/**
 * The latest full second before which some members are known to have the same entries as this daemon, and to accept no
 * more entries from clients. Each of them has reported, as of one moment, a watermark of at least that date, and totals
 * up to it that equal this daemon's *current* totals. A report may be old: a member adds nothing of its own to a period
 * that its watermark has passed, so whatever reached it later was counted in another member's report. That no longer
 * holds once a daemon has lost entries. Source: docs/model/agreement.pml.
 */
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
    const { limits } = this.#cluster;
    const own = boundOf(this.#cluster.timeline);
    if (members.length === 0) {
      this.value = Math.max(this.value, own + 1);
      return;
    }

    const at = stableCandidate([own, ...members.map(({ status }) => status?.watermark ?? 0)]);
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
    const digest = totalsUpTo(this.#cluster.timeline.index, at);
    const own = { list: list ?? "", watermark: boundOf(this.#cluster.timeline), digest };
    const reports = new Map<ByteString, RuledReport<Totals>>();

    for (const [id, report] of this.#reports.reportsOn(at)) {
      const reported = list === null ? own.list : report.list;
      if (reported === null || report.serial <= this.#reports.serialAtLoss) continue;
      reports.set(id, { list: reported, watermark: report.watermark, digest: report });
    }

    return isStable(at, own, ids, reports, isSameTotals);
  }
}

/**
 * Returns this daemon's own watermark, which no final date exceeds. It may have voted for a decision that is dated
 * before the published watermark, because another member had voted for it. If a list then removes that member, only
 * this vote shows that it may be made.
 */
export const boundOf = ({ published, decided }: BoundingTimeline): number =>
  Math.min(published, decided.openDate - 1);

interface BoundingTimeline {
  readonly published: number;
  readonly decided: { readonly openDate: number };
}
