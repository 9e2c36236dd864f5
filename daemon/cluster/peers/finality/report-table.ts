/**
 * The reports of members about their entries. One table, by member and by date, contains the received reports. It
 * decides what is final, what may be pruned and signed (common-date.ts), which pruned entries are missing here
 * (missing-entries.ts), and what happens to damaged entries. This daemon answers the members' requests for its own
 * reports. Source: docs/decisions/0069-one-table-of-reports.md.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Totals } from "../../../../protocol/members/member-elements.js";
import type { OwnMessage, StatusMessage } from "../../../../protocol/members/member-messages.js";
import { type ClusterState, membersWithStatus } from "../shared/cluster-state.js";
import { isSameTotals, totalsOf, totalsUpTo } from "../shared/entry-totals.js";
import { latestPossible } from "../shared/latest-possible.js";

/**
 * The divisor of `reportEveryMs` for the time within which the same report is requested only once from a member,
 * although several components need it.
 */
const REQUEST_AGAIN_DIVISOR = 4;
/**
 * The maximum number of dates that are stored for each member; above it, the date that was requested first is dropped.
 * In one round, a daemon requests one date for itself and one for each member that has pruned.
 */
const DATES_MAX = 64;

/** A member's watermark, and the totals of its entries dated before `at`, as of one moment. */
export interface Report extends Totals {
  readonly at: number;
  readonly watermark: number;
}

export interface ReceivedReport extends Report {
  /** The hash of the list under which the member reports; empty: the cluster has no lists; null: it does not report. */
  readonly list: ByteString | null;
  /** Its number among all reports and statuses that have arrived. */
  readonly serial: number;
}

/** A date for which a member's report was requested. */
interface Row {
  /** `uptime` milliseconds. */
  requestedAt: number;
  /** The member's last report on the date, or null if there is none. */
  report: ReceivedReport | null;
}

interface MemberReports {
  readonly rows: Map<number, Row>;
  /** The member's last status, as a report on all its entries, or null if there is none yet. */
  status: (Omit<ReceivedReport, "at"> & Pick<StatusMessage, "latest">) | null;
  isCatchingUp: boolean;
}

const SECOND_MS = 1000;

export class ReportTable {
  readonly #cluster: ClusterState;
  readonly #members = new Map<ByteString, MemberReports>();
  /** The serial number of the last report or status that has arrived. */
  lastSerial = 0;
  /**
   * The value of `lastSerial` when a daemon may last have lost entries. From then on, entries that another daemon has
   * counted may be on no disk, so earlier reports do not prove that all daemons have the same entries.
   */
  serialAtLoss = 0;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /**
   * Requests the totals of the entries dated before `at`. Sends no request to a member whose last status shows
   * the same entries as this daemon's: its report follows from the status.
   * @param ids  the members, or null for all connected members
   */
  request(at: number, ids: ReadonlySet<ByteString> | null = null): void {
    const { limits, uptime } = this.#cluster;
    const now = uptime();
    for (const { id, connection } of membersWithStatus(this.#cluster)) {
      if (ids?.has(id) === false) continue;
      const row = this.#row(id, at);
      if (now < row.requestedAt + limits.reportEveryMs / REQUEST_AGAIN_DIVISOR) continue;
      row.requestedAt = now;
      const report = this.#byStatus(id, at);
      if (report === null) connection.send({ kind: "report-request", at });
      else row.report = report.serial > this.serialAtLoss ? { ...report, serial: ++this.lastSerial } : report;
    }
  }

  /** Records a report. A report that was not requested is ignored. */
  receive(id: ByteString, report: Report, list: ByteString | null): void {
    const row = this.#members.get(id)?.rows.get(report.at);
    if (row === undefined) return;
    row.report = { ...report, list, serial: ++this.lastSerial };
  }

  /** Records a status. If it shows the same entries as this daemon's, it replaces the member's earlier reports. */
  receiveStatus(
    id: ByteString,
    { watermark, latest, ring, data, state }: StatusMessage,
    list: ByteString | null,
  ): void {
    const member = this.#member(id);
    const isCatchingUp = state === "catching-up";
    // A snapshot may have replaced the member's entries.
    if (member.isCatchingUp && !isCatchingUp) this.replaced();
    member.isCatchingUp = isCatchingUp;

    const bounded = Math.min(latest, latestPossible(this.#cluster));
    member.status = { watermark, latest: bounded, ring, data, list, serial: ++this.lastSerial };
    if (!this.isEqual(id)) return;

    const oldest = this.#cluster.uptime() - 2 * this.#cluster.limits.reportEveryMs;
    for (const [at, row] of member.rows)
      if (row.requestedAt < oldest) member.rows.delete(at);
      else row.report = this.#byStatus(id, at);
  }

  /**
   * Returns the latest date with which one of the members may have accepted an entry from a client until it sent its
   * last status; null if a member has sent none since a number of `lastSerial`.
   */
  latestTaken(ids: readonly ByteString[], since: number): number | null {
    const statuses = ids.map((id) => this.#members.get(id)?.status ?? null);
    if (statuses.some((status) => status === null || status.serial <= since)) return null;
    return statuses.reduce((date, status) => Math.max(date, status?.latest ?? 0), 0);
  }

  /** Whether the member had the same entries, when it sent its last status, as this daemon has now. */
  isEqual(id: ByteString): boolean {
    const status = this.#members.get(id)?.status ?? null;
    return status !== null && isSameTotals(totalsOf(this.#cluster.timeline.index), status);
  }

  /**
   * Whether all of these members are connected, and have reported the same entries up to a date as this daemon has.
   * Requests their reports. @param ids  the members
   */
  areLevel(ids: ReadonlySet<ByteString>, upTo: number): boolean {
    // Reports are about whole seconds.
    const at = (Math.floor(upTo / SECOND_MS) + 1) * SECOND_MS;
    this.request(at, ids);
    const { members, timeline } = this.#cluster;
    const reports = [...ids].map((id) => (members.has(id) ? this.reportOf(id, at) : null));
    if (reports.includes(null)) return false;
    const own = totalsUpTo(timeline.index, at);
    return reports.every((report) => report !== null && isSameTotals(own, report));
  }

  /**
   * Returns what a member has last reported about its entries dated before `at`, or null if that is unknown. A member
   * that has the same entries as this daemon has the same entries before each date, so no report has to be requested
   * from it.
   */
  reportOf(id: ByteString, at: number): ReceivedReport | null {
    return this.#members.get(id)?.rows.get(at)?.report ?? this.#byStatus(id, at);
  }

  /** Returns the reports of all members on a date. */
  reportsOn(at: number): Map<ByteString, ReceivedReport> {
    const reports = new Map<ByteString, ReceivedReport>();
    for (const id of this.#members.keys()) {
      const report = this.reportOf(id, at);
      if (report !== null) reports.set(id, report);
    }
    return reports;
  }

  /** Called when a member has disconnected: it may return without some of its entries. */
  disconnected(id: ByteString): void {
    this.#members.delete(id);
    this.replaced();
  }

  /** Called when a snapshot has replaced the entries of a daemon. */
  replaced(): void {
    this.serialAtLoss = this.lastSerial;
  }

  /** Returns the report that follows from a member's last status, or null if its entries differ from this daemon's. */
  #byStatus(id: ByteString, at: number): ReceivedReport | null {
    const status = this.#members.get(id)?.status ?? null;
    if (status === null || !this.isEqual(id)) return null;
    const { watermark, list, serial } = status;
    return { watermark, list, serial, at, ...totalsUpTo(this.#cluster.timeline.index, at) };
  }

  #member(id: ByteString): MemberReports {
    const known = this.#members.get(id) ?? { rows: new Map(), status: null, isCatchingUp: false };
    this.#members.set(id, known);
    return known;
  }

  #row(id: ByteString, at: number): Row {
    const { rows } = this.#member(id);
    let row = rows.get(at);
    if (row === undefined) {
      rows.set(at, (row = { requestedAt: Number.NEGATIVE_INFINITY, report: null }));
      for (const [oldest] of rows) if (rows.size > DATES_MAX) rows.delete(oldest);
    }
    return row;
  }
}

/**
 * Returns the latest date with which this daemon may have accepted an entry from a client until now, also before its
 * clock was set back, or before it was restarted with another window: milliseconds since 1970, an integer. Entries that
 * are dated even later have followed a wrong clock.
 */
export function latestTaken(cluster: Pick<ClusterState, "timeline" | "clock" | "limits">): number {
  const { timeline, clock, limits } = cluster;
  return Math.max(
    Math.floor(clock()) + limits.future,
    Math.min(timeline.lastStoredAt, latestPossible(cluster)),
  );
}

/**
 * Maximum reports per second to one member; further requests are ignored. In each round of `reportEveryMs`, a member
 * requests one date for itself and one for each member that has pruned.
 */
const REPORTS_PER_SECOND_MAX = 8;

/**
 * The answers to members that request totals up to a date. Because totals are expensive to compute, the number of
 * reports is limited, and dates are whole seconds.
 */
export class ReportAnswers {
  readonly #parts: ClusterState;
  /** Reports since `#since`. */
  #count = 0;
  #since = 0;

  constructor(parts: ClusterState) {
    this.#parts = parts;
  }

  /** Creates a report in one step, so that the totals and the watermark in it belong to the same moment. */
  answer(at: number): (OwnMessage & { kind: "report" }) | "malformed" | null {
    const { timeline, uptime } = this.#parts;
    if (at % SECOND_MS !== 0) return "malformed";

    const now = uptime();
    if (now - this.#since >= SECOND_MS) {
      this.#count = 0;
      this.#since = now;
    }
    if (++this.#count > REPORTS_PER_SECOND_MAX) return null;
    return { kind: "report", at, watermark: timeline.published, ...totalsUpTo(timeline.index, at) };
  }

  /** Answers a member's request, or closes the connection if it is malformed. Ignores requests beyond the limit. */
  sendReport(at: number, to: Requester): void {
    const answer = this.answer(at);
    if (answer === "malformed") to.malformed(`a report request up to ${at}, which is not a whole second`);
    else if (answer !== null) to.connection.send(answer);
  }
}

/** The member that requests a report. */
interface Requester {
  readonly connection: { send(message: OwnMessage): void };
  malformed(detail: string): void;
}
