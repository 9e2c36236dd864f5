/**
 * Finds entries that are missing here, and that a member can never send because it has pruned them. To find them, this
 * daemon compares the members' reports on the period that the member, or this daemon, has pruned. They are complete
 * again once this daemon has the same entries as the member, because another member sent them. Missing entries are
 * remembered while the member is disconnected. The report of a single member does not change the state of a live
 * daemon. Source: docs/protocol-v2.md "Members", rule 8; docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Totals } from "../../../../protocol/members/member-elements.js";
import type { StatusMessage } from "../../../../protocol/members/member-messages.js";
import { dateText, hexOf } from "../../../../protocol/version-2/envelope.js";
import type { ClusterState, ConnectedMember } from "../shared/cluster-state.js";
import { electorateIn, majorityOf } from "../shared/electorate.js";
import { endOfPruned, holdsLess, isSameTotals, totalsUpTo } from "../shared/entry-totals.js";
import type { CutVoting } from "./cut-voting.js";
import type { Report, ReportTable } from "./report-table.js";

/**
 * The maximum number of times that this daemon asks all members for reports on one member's claim, in one round of
 * reports.
 */
const REQUESTS_PER_ROUND = 8;

/** Whether entries are missing here that a member has pruned. Times are `uptime` milliseconds. */
type Comparison =
  /** The member is connected, and its report on the pruned period has not arrived yet. */
  | { readonly state: "unreported" }
  /** Nothing is missing, or the member's report is not believed. */
  | { readonly state: "complete" }
  /** Entries are missing, but this daemon has stopped waiting for them until the member reports something else. */
  | { readonly state: "ignored"; readonly report: Report }
  | Missing;

/**
 * The entries that are missing. They are `arriving` as long as they may be in flight: nothing was missing before, since
 * the member connected. For a live daemon they are `missing` after a while.
 */
interface Missing {
  readonly state: "arriving" | "missing";
  /** When they were first found to be missing. */
  readonly since: number;
  /** The lowest number of missing entries since then, and when that number was found. */
  readonly fewest: number;
  readonly shrunkAt: number;
}

/** A member that has pruned entries. */
interface PruningMember {
  readonly id: ByteString;
  address: string;
  /** Its last status. */
  status: StatusMessage;
  /** The date up to which a report was requested from it; milliseconds since 1970. */
  at: number;
  /** Its last report on such a date, or null if there is none yet. */
  report: Report | null;
  /** When reports were last requested from the other members; `uptime` milliseconds. */
  requestedAt: number;
  comparison: Comparison;
}

export class MissingEntries {
  readonly #cluster: ClusterState;
  readonly #voting: CutVoting;
  readonly #reports: ReportTable;
  readonly #pruning = new Map<ByteString, PruningMember>();
  readonly #own: OwnPrunedEntries;
  #nextAt = 0;

  constructor(cluster: ClusterState, voting: CutVoting, reports: ReportTable) {
    this.#cluster = cluster;
    this.#voting = voting;
    this.#reports = reports;
    this.#own = new OwnPrunedEntries(cluster, reports);
  }

  /**
   * Receives a member's status, which states up to which date the member has pruned its entries.
   * @param isFirst  whether it is the member's first status on this connection
   */
  receiveStatus({ id, connection }: ConnectedMember, status: StatusMessage, isFirst: boolean): void {
    if (status.pruned === 0) {
      this.#pruning.delete(id);
      return;
    }

    const known = this.#pruning.get(id);
    const address = connection.remote;
    const member = known ?? {
      ...{ id, address, status, at: 0, report: null },
      ...{ requestedAt: Number.NEGATIVE_INFINITY, comparison: UNREPORTED },
    };
    this.#pruning.set(id, member);
    Object.assign(member, { address, status });

    // The missing entries were not in flight on a connection that has ended.
    const missing = missingOf(member);
    if (isFirst && missing !== null) member.comparison = { ...missing, state: "missing" };

    if (this.#reports.isEqual(id)) {
      member.comparison = COMPLETE;
      return;
    }

    // If both daemons have pruned entries, both compare the entries up to the same date. With different dates, both
    // daemons could conclude that they have fewer entries than the other, or neither could.
    const { timeline, clock } = this.#cluster;
    member.at = endOfPruned(Math.max(status.pruned, timeline.prunedTo), clock());
    this.#reports.request(member.at, new Set([id]));
  }

  /** Called when a member's report on a date has arrived. */
  reported(id: ByteString, at: number): void {
    this.#own.compare();
    for (const member of this.#pruning.values()) {
      if (member.id === id && member.at === at) this.#receiveReport(member);
      else if (member.id === id || member.report?.at !== at) continue;
      if (member.report !== null) this.#compare(member, member.report);
    }
  }

  #receiveReport(member: PruningMember): void {
    const report = this.#reports.reportOf(member.id, member.at);
    if (report === null) return;
    member.report = report;
    if (!isSameTotals(totalsUpTo(this.#cluster.timeline.index, report.at), report))
      this.#requestReports(member, report);
  }

  /** Requests reports from all members. The rate is limited, however often one member reports another date. */
  #requestReports(member: PruningMember, { at }: Report): void {
    const now = this.#cluster.uptime();
    if (now < member.requestedAt + this.#cluster.limits.reportEveryMs / REQUESTS_PER_ROUND) return;
    member.requestedAt = now;
    this.#reports.request(at);
  }

  /** Called when a member has disconnected. Its report on entries that are missing here is remembered. */
  disconnected(id: ByteString): void {
    const state = this.#pruning.get(id)?.comparison.state;
    if (state === "unreported" || state === "complete") this.#pruning.delete(id);
    this.#own.compare();
  }

  /** Forgets members that no longer belong to the cluster. */
  retain(isMember: (id: ByteString) => boolean): void {
    for (const id of this.#pruning.keys()) if (!isMember(id)) this.#pruning.delete(id);
  }

  /** Whether entries are missing here that this member has pruned. */
  areMissing(id: ByteString): boolean {
    const member = this.#pruning.get(id);
    return member !== undefined && missingOf(member) !== null;
  }

  /**
   * Whether a member's state includes entries that are missing here, and no member has sent any of them for a while.
   * Only a snapshot can then replace them.
   */
  areStuck(id: ByteString, now: number, forMs: number): boolean {
    const { snapshotHoldMs } = this.#cluster.limits;
    const member = this.#pruning.get(id);
    const isStuck = () => {
      const missing = member === undefined ? null : missingOf(member);
      // They are also stuck if they have been missing for very long: otherwise a member could delay a snapshot
      // indefinitely by sending a few entries again and again.
      return missing !== null && (now - missing.shrunkAt >= forMs || now - missing.since >= snapshotHoldMs);
    };
    // Compare again, because this daemon may have received the missing entries since the last check.
    if (member !== undefined && member.report !== null && isStuck()) this.#compare(member, member.report);
    return isStuck() || this.#own.isStuck(id, now, forMs);
  }

  /** Whether entries are missing, and none of them has been received for a long time. */
  areOldAndStuck(now: number): boolean {
    const found = [...this.#pruning.values()].flatMap((member) => missingOf(member) ?? []);
    return (
      found.length > 0 && found.every(({ shrunkAt }) => now - shrunkAt >= this.#cluster.limits.catchUpMs)
    );
  }

  /** Stops waiting for the missing entries, until a member that has them sends a different report. */
  ignore(): void {
    for (const member of this.#pruning.values())
      if (missingOf(member) !== null && member.report !== null)
        member.comparison = { state: "ignored", report: member.report };
  }

  /** Called when the set of entries here was replaced. The next tick compares all reports again. */
  changed(): void {
    const now = this.#cluster.uptime();
    this.#nextAt = now;
    for (const member of this.#pruning.values()) {
      const missing = missingOf(member);
      if (missing !== null) member.comparison = { ...missing, shrunkAt: now };
    }
    this.#own.changed();
  }

  /** Compares the members' reports again, because members may have disconnected, and logs what remains missing. */
  tick(now: number): void {
    if (now < this.#nextAt) return;
    this.#nextAt = now + this.#cluster.limits.reportEveryMs;
    this.#own.tick();

    for (const member of this.#pruning.values()) {
      if (missingOf(member) === null || member.report === null) continue;
      this.#compare(member, member.report);
      const missing = missingOf(member);
      if (missing === null) continue;

      // Ask all members again: more members may have connected since, or the member itself may have disconnected.
      this.#requestReports(member, member.report);
      if (now - missing.shrunkAt >= this.#cluster.limits.catchUpMs) this.#logMissing(member);
    }
  }

  #logMissing({ id, address, status }: PruningMember): void {
    const facts = { member: hexOf(id), address, keepsFrom: dateText(status.pruned + 1) };
    this.#cluster.notices.error(`missing ${id}`, facts, INCOMPLETE);
  }

  /**
   * Whether this daemon is missing too much to be live.
   * @param isCatchingUp  whether this daemon was catching up at the last tick; if so, it does not become live before it
   * is certain that nothing is missing
   * @param settledAt  when it was last in another state
   */
  isIncomplete(now: number, isCatchingUp: boolean, settledAt: number): boolean {
    const { catchUpMs, catchUpStuckMs } = this.#cluster.limits;
    const isOne = ({ comparison }: PruningMember): boolean => {
      switch (comparison.state) {
        case "unreported":
          // Do not wait indefinitely for a member that has pruned entries but never reports what it has.
          return isCatchingUp && now - settledAt < catchUpStuckMs;
        case "complete":
        case "ignored":
          return false;
        case "arriving":
          return isCatchingUp || now - comparison.since >= catchUpMs;
        case "missing":
          return true;
      }
    };

    return this.#own.isIncomplete(now, isCatchingUp) || [...this.#pruning.values()].some(isOne);
  }

  #compare(member: PruningMember, report: Report): void {
    const { comparison } = member;
    const missing = missingOf(member);
    const own = totalsUpTo(this.#cluster.timeline.index, report.at);

    const isIgnored = comparison.state === "ignored" && isSameReport(comparison.report, report);
    if (isIgnored && !isSameTotals(own, report)) return;

    if (!this.#isMissing(member, report, own)) {
      member.comparison = COMPLETE;
      return;
    }

    const now = this.#cluster.uptime();
    const count = report.ring.count + report.data.count - own.ring.count - own.data.count;
    if (missing === null) {
      const state = comparison.state === "unreported" ? "missing" : "arriving";
      member.comparison = { state, since: now, fewest: count, shrunkAt: now };
    } else if (count < missing.fewest) member.comparison = { ...missing, fewest: count, shrunkAt: now };
  }

  #isMissing(member: PruningMember, report: Report, own: Totals): boolean {
    const { id, address, status } = member;
    if (isSameTotals(own, report)) return false;

    // If this daemon has pruned at least as much as the member, or the member is incomplete too, entries are missing
    // only on the daemon with fewer entries.
    const isOlder = missingOf(member) === null && this.#cluster.timeline.prunedTo >= status.pruned;
    if ((isOlder || status.state === "catching-up") && !holdsLess(own, report)) return false;

    const witnesses = this.#reports.reportsOn(report.at);
    witnesses.delete(id);
    const claim = { member: id, address, pruned: status.pruned, report, own, witnesses };
    return isBelieved(claim, this.#cluster, this.#voting);
  }
}

const UNREPORTED: Comparison = { state: "unreported" };
const COMPLETE: Comparison = { state: "complete" };

const missingOf = ({ comparison }: PruningMember): Missing | null =>
  comparison.state === "arriving" || comparison.state === "missing" ? comparison : null;

const isSameReport = (report: Report, other: Report): boolean =>
  report.at === other.at && isSameTotals(report, other);

const INCOMPLETE =
  "this daemon is missing entries that a member no longer stores, so it is not live, and serves the data that it has. It adopts a " +
  "snapshot that most of the other members have signed, as soon as there is one. Alternatively, connect it to a member that stores all entries";

/** A member's claim that it has pruned entries that are missing here. */
interface Claim {
  readonly member: ByteString;
  readonly address: string;
  /** The date up to which the member has pruned its entries, in milliseconds since 1970. */
  readonly pruned: number;
  /** The totals up to that date: of that member, of this daemon, and as the other members have reported them. */
  readonly report: Report;
  readonly own: Totals;
  readonly witnesses: ReadonlyMap<ByteString, Report>;
}

/**
 * Whether this daemon believes a claim. A live daemon believes a claim that a majority of the other members confirm. A
 * daemon that is not live believes any claim, unless it forms a majority of the cluster together with the members that
 * have the same entries. Members that began without data are not witnesses, because they may have only the entries that
 * this daemon sent them. Source: docs/protocol-v2.md "Members", rule 8; docs/decisions/0016.
 */
function isBelieved(
  { member, address, pruned, report, own, witnesses }: Claim,
  cluster: ClusterState,
  voting: CutVoting,
): boolean {
  const { members, notices, order, timeline } = cluster;
  if (order === member) return true;
  // If this daemon can no longer read a state that it and the member have both signed, this daemon has lost entries.
  // The claim then needs no witness.
  const hasLost = timeline.handover?.hasLost(pruned) === true;
  if (hasLost && voting.haveSigned(member, pruned) && holdsLess(own, report)) return true;

  const electorate = electorateIn(cluster);
  const reports = [...witnesses, [member, report] as const].filter(([id]) => electorate.ids.has(id));
  const count = (isOne: (id: ByteString, report: Report) => boolean) =>
    reports.filter(([id, one]) => isOne(id, one)).length;

  if (cluster.state !== "live") {
    // A member is a witness if it is live. A member that is not live but reports a watermark has served before, and is
    // a witness too, unless this daemon itself began empty.
    const isWitness = (id: ByteString) => {
      const { state, watermark = 0 } = members.get(id)?.status ?? {};
      return state === "live" || (watermark > 0 && !cluster.beganEmpty);
    };
    const alike = count((id, totals) => isSameTotals(totals, own) && isWitness(id));
    return 2 * (1 + alike) <= electorate.others + 1;
  }

  // A member whose watermark had not passed the date may not have had all entries of that time yet.
  const agreeing = count(
    (id, one) => isSameTotals(one, report) && (id === member || one.watermark >= report.at),
  );
  if (electorate.others > 1 && agreeing >= majorityOf(electorate)) return true;

  // Some of the other members may not have replied yet.
  if (witnesses.size + 1 < electorate.ids.size) return false;

  const facts = { member: hexOf(member), address, agreeing, others: electorate.others };
  notices.warn(`gap ${member}`, facts, NOT_BELIEVED);
  return false;
}

const NOT_BELIEVED =
  "a member claims to have pruned entries that are missing here, but most other members do not confirm that: the claim is ignored";

/**
 * The comparison of the entries that this daemon has pruned with the other members' entries of the same period. This
 * daemon no longer accepts entries dated in that period. So if most other members have different entries there, they
 * are right, and only a snapshot of theirs can repair this daemon. Source: docs/protocol-v2.md "Members", rule 8.
 */
class OwnPrunedEntries {
  readonly #cluster: ClusterState;
  readonly #reports: ReportTable;
  /**
   * The report on which most members agree, and when it began to differ from this daemon's entries. Null if it does not
   * differ, or if most members do not agree.
   */
  #other: { readonly report: Report; readonly since: number } | null = null;

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
  #ofMost(): Report | null {
    const electorate = electorateIn(this.#cluster);
    const isLive = (id: ByteString) => this.#cluster.members.get(id)?.status?.state === "live";
    if (electorate.others < 2) return null;
    const reports = [...this.#reports.reportsOn(this.#at)].flatMap(([id, report]) =>
      electorate.ids.has(id) && isLive(id) ? [report] : [],
    );
    const isMost = (one: Report) =>
      reports.filter((other) => isSameTotals(one, other)).length >= majorityOf(electorate);
    return reports.find(isMost) ?? null;
  }
}
