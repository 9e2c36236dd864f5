/**
 * Finds gaps. A gap consists of entries that are missing here, and that a member can never send because it has pruned
 * them. To find gaps, this daemon compares the members' reports on the period that the member, or this daemon, has
 * pruned. A gap is closed once this daemon has the same entries as the member, because another member sent them. An
 * open gap is remembered while the member is disconnected. The report of a single member does not change the state of a
 * live daemon. Source: docs/protocol-v2.md "Members", rule 8; docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { StatusMessage } from "../../../protocol/members/member-messages.js";
import type { Totals } from "../../../protocol/members/member-totals.js";
import { dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import { type ClusterState, type ConnectedMember, requestReports } from "../shared/cluster-state.js";
import { electorateIn, majorityOf } from "../shared/electorate.js";
import { endOfPruned, holdsLess, isSameTotals, totalsOf, totalsUpTo } from "../shared/entry-totals.js";
import type { CutVoting } from "./cut-voting.js";
import { OwnPrunedEntries } from "./own-pruned-entries.js";
import type { Report } from "./stable-point.js";

/**
 * The maximum number of times that this daemon asks all members for reports on one member's claim, in one round of
 * reports.
 */
const REQUESTS_PER_ROUND = 8;
/** Milliseconds after which the same line is logged again. */
const AGAIN_MS = 600_000;

/**
 * The comparison of a member's pruned entries with this daemon's. Times are `uptime` milliseconds unless stated
 * otherwise.
 */
interface Gap {
  readonly member: ByteString;
  address: string;
  /** The date up to which the member has pruned everything; milliseconds since 1970. */
  pruned: number;
  /** Whether the member itself reports that it is not missing anything. */
  isComplete: boolean;
  /** The date up to which a report was requested from the member; milliseconds since 1970. */
  at: number;
  /** The member's last report on that date, or null if there is none yet. */
  report: Report | null;
  /** The last reports of the other members on that date. */
  readonly witnesses: Map<ByteString, Report>;
  /** Whether the member is connected. */
  isConnected: boolean;
  /** When reports were last requested from the other members. */
  requestedAt: number;
  /** The member's report on the entries for which this daemon has stopped waiting, or null if there is none. */
  ignoredReport: Report | null;
  /** Whether the member's entries and this daemon's have been compared. */
  isKnown: boolean;
  /** Whether entries are missing here. */
  isOpen: boolean;
  /**
   * Whether the member's entries and this daemon's have never been equal since the member connected. If so, the missing
   * entries are not merely in flight.
   */
  isNew: boolean;
  /** When the gap opened. */
  since: number;
  /** The lowest number of missing entries since the gap opened, and when that number was found. */
  fewest: number;
  shrunkAt: number;
  loggedAt: number;
}

export class Gaps {
  readonly #cluster: ClusterState;
  readonly #voting: CutVoting;
  readonly #gaps = new Map<ByteString, Gap>();
  readonly #own: OwnPrunedEntries;
  #nextAt = 0;

  constructor(cluster: ClusterState, voting: CutVoting) {
    this.#cluster = cluster;
    this.#voting = voting;
    this.#own = new OwnPrunedEntries(cluster);
  }

  /**
   * Receives a member's status, which states up to which date the member has pruned its entries.
   * @param isFirst  whether it is the member's first status on this connection
   */
  receiveStatus({ id, connection }: ConnectedMember, status: StatusMessage, isFirst: boolean): void {
    this.#own.noteTotals(id, status);
    const known = this.#gaps.get(id);
    if (status.pruned === 0) {
      if (known !== undefined) {
        close(known);
        known.pruned = 0;
        known.report = null;
      }
      return;
    }
    const gap = known ?? noGap(id);
    this.#gaps.set(id, gap);
    gap.address = connection.remote;
    gap.isKnown &&= gap.pruned > 0;
    gap.pruned = status.pruned;
    gap.isComplete = status.state !== "catching-up";
    gap.isConnected = true;
    if (isFirst) gap.isNew = true;
    const { index, prunedTo } = this.#cluster.timeline;
    if (isSameTotals(totalsOf(index), status)) {
      close(gap);
      return;
    }
    // If both daemons have pruned entries, both compare the entries up to the same date. With different dates, both
    // daemons could conclude that they have fewer entries than the other, or neither could.
    gap.at = endOfPruned(Math.max(status.pruned, prunedTo), this.#cluster.clock());
    connection.send({ kind: "report-request", at: gap.at });
  }

  reported(id: ByteString, report: Report): void {
    this.#own.reported(id, report);
    for (const gap of this.#gaps.values()) {
      if (gap.member === id && gap.at === report.at) this.#noteReport(gap, report);
      else if (gap.member !== id && gap.report?.at === report.at) gap.witnesses.set(id, report);
      else continue;
      if (gap.report !== null) this.#compare(gap, gap.report);
    }
  }

  /**
   * Records a member's report. Reports of the other members about a different date are discarded.
   */
  #noteReport(gap: Gap, report: Report): void {
    if (gap.report?.at !== report.at) gap.witnesses.clear();
    gap.report = report;
    if (this.#differs(report)) this.#requestReports(gap, report);
  }

  /** Requests reports from all members. The rate is limited, however often one member reports another date. */
  #requestReports(gap: Gap, { at }: Report): void {
    const now = this.#cluster.uptime();
    if (now < gap.requestedAt + this.#cluster.limits.reportEveryMs / REQUESTS_PER_ROUND) return;
    gap.requestedAt = now;
    requestReports(this.#cluster, at);
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    const gap = this.#gaps.get(id);
    if (gap !== undefined) gap.isConnected = false;
    for (const { witnesses } of this.#gaps.values()) witnesses.delete(id);
    this.#own.disconnected(id);
  }

  /** Forgets members that no longer belong to the cluster. */
  retain(isMember: (id: ByteString) => boolean): void {
    for (const id of this.#gaps.keys()) if (!isMember(id)) this.#gaps.delete(id);
  }

  /** Whether entries are missing here that this member has pruned. */
  isOpen(id: ByteString): boolean {
    return this.#gaps.get(id)?.isOpen ?? false;
  }

  /**
   * Whether a member's state includes entries that are missing here, and no member has sent any of them for a while.
   * Such a gap can be closed only by a snapshot.
   */
  isStuck(id: ByteString, now: number, forMs: number): boolean {
    const { snapshotHoldMs } = this.#cluster.limits;
    // A gap is also stuck if it has been open for very long: otherwise a member could delay a snapshot indefinitely by
    // sending a few entries again and again.
    const isStuck = ({ isOpen, shrunkAt, since }: Gap) =>
      isOpen && (now - shrunkAt >= forMs || now - since >= snapshotHoldMs);
    const gap = this.#gaps.get(id);
    // Compare again, because this daemon may have received the missing entries since the last check.
    if (gap !== undefined && gap.report !== null && isStuck(gap)) this.#compare(gap, gap.report);
    return (gap !== undefined && isStuck(gap)) || this.#own.isStuck(id, now, forMs);
  }

  /** Whether entries are missing, and none of them has been received for a long time. */
  areOldAndStuck(now: number): boolean {
    const open = [...this.#gaps.values()].filter(({ isOpen }) => isOpen);
    return open.length > 0 && open.every(({ shrunkAt }) => now - shrunkAt >= this.#cluster.limits.catchUpMs);
  }

  /** Stops waiting for the missing entries, until a member that has them sends a different report. */
  ignoreOpenGaps(): void {
    for (const gap of this.#gaps.values()) {
      if (!gap.isOpen) continue;
      gap.ignoredReport = gap.report;
      close(gap);
    }
  }

  /** Called when the set of entries here was replaced. The next tick determines all gaps again. */
  changed(): void {
    const now = this.#cluster.uptime();
    this.#nextAt = now;
    for (const gap of this.#gaps.values()) gap.shrunkAt = now;
    this.#own.changed();
  }

  /** Compares the members' reports again, because members may have disconnected, and logs gaps that remain. */
  tick(now: number): void {
    if (now < this.#nextAt) return;
    const { reportEveryMs, catchUpMs } = this.#cluster.limits;
    this.#nextAt = now + reportEveryMs;
    this.#own.tick();
    for (const gap of this.#gaps.values()) {
      if (gap.isOpen && gap.report !== null) {
        this.#compare(gap, gap.report);
        // Ask all members again: more members may have connected since, or the member itself may have disconnected.
        if (gap.isOpen) this.#requestReports(gap, gap.report);
      }
      if (!gap.isOpen || now - gap.shrunkAt < catchUpMs || now - gap.loggedAt < AGAIN_MS) continue;
      gap.loggedAt = now;
      const keepsFrom = dateText(gap.pruned + 1);
      this.#cluster.log.error({ member: hexOf(gap.member), address: gap.address, keepsFrom }, INCOMPLETE);
    }
  }

  /**
   * Whether this daemon is missing too much to be live.
   * @param isCatchingUp  whether this daemon was catching up at the last tick; if so, it does not become live before it
   * is certain that it has no gap
   */
  isIncomplete(now: number, isCatchingUp: boolean, since: number): boolean {
    const { catchUpMs, catchUpStuckMs } = this.#cluster.limits;
    if (this.#own.isIncomplete(now, isCatchingUp)) return true;
    return [...this.#gaps.values()].some((gap) =>
      gap.isKnown
        ? gap.isOpen && (isCatchingUp || gap.isNew || now - gap.since >= catchUpMs)
        : // Do not wait indefinitely for a member that has pruned entries but never reports what it has.
          gap.isConnected && isCatchingUp && now - since < catchUpStuckMs,
    );
  }

  #compare(gap: Gap, report: Report): void {
    const { timeline, uptime } = this.#cluster;
    const own = totalsUpTo(timeline.index, report.at);
    const isLess = holdsLess(own, report);
    // If this daemon has pruned at least as much as the member, or the member is incomplete too, only the daemon with
    // fewer entries has a gap.
    const isOlder = !gap.isOpen && timeline.prunedTo >= gap.pruned;
    if (
      isSameTotals(own, report) ||
      isSameReport(report, gap.ignoredReport) ||
      (!isLess && (isOlder || !gap.isComplete)) ||
      !isBelieved({ ...gap, report, own }, this.#cluster, this.#voting)
    ) {
      close(gap);
      return;
    }
    const now = uptime();
    const missing = report.ring.count + report.data.count - own.ring.count - own.data.count;
    if (!gap.isOpen) gap.since = now;
    if (!gap.isOpen || missing < gap.fewest) {
      gap.fewest = missing;
      gap.shrunkAt = now;
    }
    gap.isKnown = gap.isOpen = true;
  }

  #differs(report: Report): boolean {
    return !isSameTotals(totalsUpTo(this.#cluster.timeline.index, report.at), report);
  }
}

const isSameReport = (report: Report, other: Report | null): boolean =>
  report.at === other?.at && isSameTotals(report, other);

function close(gap: Gap): void {
  gap.isKnown = true;
  gap.isOpen = gap.isNew = false;
}

const noGap = (member: ByteString): Gap => ({
  member,
  address: "",
  pruned: 0,
  isComplete: false,
  at: 0,
  report: null,
  ignoredReport: null,
  witnesses: new Map(),
  isConnected: true,
  requestedAt: Number.NEGATIVE_INFINITY,
  isKnown: false,
  isOpen: false,
  isNew: true,
  since: 0,
  fewest: 0,
  shrunkAt: 0,
  loggedAt: Number.NEGATIVE_INFINITY,
});

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
  readonly report: Totals;
  readonly own: Totals;
  readonly witnesses: ReadonlyMap<ByteString, Totals>;
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
  const count = (isOne: (id: ByteString, totals: Totals) => boolean) =>
    reports.filter(([id, totals]) => isOne(id, totals)).length;
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
  const agreeing = count((_, totals) => isSameTotals(totals, report));
  if (electorate.others > 1 && agreeing >= majorityOf(electorate)) return true;
  // Some of the other members may not have replied yet.
  if (witnesses.size + 1 < electorate.ids.size) return false;
  const facts = { member: hexOf(member), address, agreeing, others: electorate.others };
  notices.warn(`gap ${member}`, facts, NOT_BELIEVED);
  return false;
}

const NOT_BELIEVED =
  "a member claims to have pruned entries that are missing here, but most other members do not confirm that: the claim is ignored";
