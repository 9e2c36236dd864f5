/**
 * Entries that are missing here and that a member has pruned, so that it can never send them. They are found by
 * reports of the members on everything dated before the end of what the member, or this daemon, has pruned. A gap is
 * closed when the same is held here, because another member sent it; it is remembered while the member is not
 * connected. One member's word does not change a live daemon's state.
 * Source: docs/protocol-v2.md "Members", rule 8; docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { StatusMessage } from "../../../protocol/members/member-messages.js";
import { dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import { askAll, type ClusterState, type ConnectedMember } from "../shared/cluster-state.js";
import { endOfPruned, holdsLess, isSameTotals, totalsOf, totalsUpTo } from "../shared/totals.js";
import type { CutVoting } from "./cut-voting.js";
import { OwnPast } from "./own-past.js";
import type { Report } from "./stable-point.js";
import { isBelieved } from "./witnesses.js";

/** How often all members are asked about one member's claim, in the time of a round of reports. */
const ASKS_A_ROUND = 8;
/** Milliseconds after which the same line is logged again. */
const AGAIN_MS = 600_000;

/** A member's pruned entries, compared with this daemon's. Times are `uptime` milliseconds unless stated otherwise. */
interface Gap {
  readonly member: ByteString;
  address: string;
  /** The date up to which it has pruned everything; milliseconds since 1970. */
  pruned: number;
  /** Whether the member itself says that it misses nothing. */
  isWhole: boolean;
  /** The date up to which it was asked; milliseconds since 1970. */
  at: number;
  /** Its last report on that date; null: none yet. */
  report: Report | null;
  /** The last reports of the other members on that date. */
  readonly witnesses: Map<ByteString, Report>;
  /** Whether the member is connected. */
  isHere: boolean;
  /** When the other members were last asked. */
  askedAt: number;
  /** A report that no longer matters; null: none. */
  forgiven: Report | null;
  /** Whether it has been compared. */
  isKnown: boolean;
  /** Whether something is missing here. */
  isOpen: boolean;
  /** Whether it was not found equal since the member connected: what is missing is not just on its way. */
  isNew: boolean;
  /** When it opened. */
  since: number;
  /** The fewest entries that were missing since then, and when that was found. */
  fewest: number;
  shrunkAt: number;
  saidAt: number;
}

export class Gaps {
  readonly #cluster: ClusterState;
  readonly #voting: CutVoting;
  readonly #gaps = new Map<ByteString, Gap>();
  readonly #own: OwnPast;
  #nextAt = 0;

  constructor(cluster: ClusterState, voting: CutVoting) {
    this.#cluster = cluster;
    this.#voting = voting;
    this.#own = new OwnPast(cluster);
  }

  /**
   * A member has said what it has pruned.
   * @param isFirst  of its connection
   */
  heard({ id, connection }: ConnectedMember, status: StatusMessage, isFirst: boolean): void {
    this.#own.heard(id, status);
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
    gap.isWhole = status.state !== "catching-up";
    gap.isHere = true;
    if (isFirst) gap.isNew = true;
    const { index, prunedTo } = this.#cluster.timeline;
    if (isSameTotals(totalsOf(index), status)) {
      close(gap);
      return;
    }
    // If two have both pruned each compares at the same date: otherwise both could hold less, or neither.
    gap.at = endOfPruned(Math.max(status.pruned, prunedTo), this.#cluster.clock());
    connection.send({ kind: "report-request", at: gap.at });
  }

  reported(id: ByteString, report: Report): void {
    this.#own.reported(id, report);
    for (const gap of this.#gaps.values()) {
      if (gap.member === id && gap.at === report.at) this.#saidBy(gap, report);
      else if (gap.member !== id && gap.report?.at === report.at) gap.witnesses.set(id, report);
      else continue;
      if (gap.report !== null) this.#compare(gap, gap.report);
    }
  }

  /**
   * Notes a report. What other members have said stays until there is something else to ask them: a member may name
   * other dates all the time.
   */
  #saidBy(gap: Gap, report: Report): void {
    if (gap.report?.at !== report.at) gap.witnesses.clear();
    gap.report = report;
    if (this.#differs(report)) this.#askAll(gap, report);
  }

  /** Asks all members, however often one of them reports. */
  #askAll(gap: Gap, { at }: Report): void {
    const now = this.#cluster.uptime();
    if (now < gap.askedAt + this.#cluster.limits.reportEveryMs / ASKS_A_ROUND) return;
    gap.askedAt = now;
    askAll(this.#cluster, at);
  }

  /** A member has disconnected. */
  left(id: ByteString): void {
    const gap = this.#gaps.get(id);
    if (gap !== undefined) gap.isHere = false;
    for (const { witnesses } of this.#gaps.values()) witnesses.delete(id);
    this.#own.left(id);
  }

  /** Forgets members that are left out of the cluster. */
  keep(isMember: (id: ByteString) => boolean): void {
    for (const id of this.#gaps.keys()) if (!isMember(id)) this.#gaps.delete(id);
  }

  /** Whether something is missing here that this member has pruned. */
  isOpen(id: ByteString): boolean {
    return this.#gaps.get(id)?.isOpen ?? false;
  }

  /**
   * Whether a member holds what is missing here, and no member has sent any of it for a while: entry by entry the gap
   * cannot be closed.
   */
  isStuck(id: ByteString, now: number, forMs: number): boolean {
    const { snapshotHoldMs } = this.#cluster.limits;
    // A member that sends a little again and again cannot delay it without end.
    const isStuck = ({ isOpen, shrunkAt, since }: Gap) =>
      isOpen && (now - shrunkAt >= forMs || now - since >= snapshotHoldMs);
    const gap = this.#gaps.get(id);
    // It may have been received since the last look.
    if (gap !== undefined && gap.report !== null && isStuck(gap)) this.#compare(gap, gap.report);
    return (gap !== undefined && isStuck(gap)) || this.#own.isStuck(id, now, forMs);
  }

  /** Whether something is missing, and none of it has been received for long. */
  areOldAndStuck(now: number): boolean {
    const open = [...this.#gaps.values()].filter(({ isOpen }) => isOpen);
    return open.length > 0 && open.every(({ shrunkAt }) => now - shrunkAt >= this.#cluster.limits.catchUpMs);
  }

  /** Stops waiting for what is missing, until its members hold something else. */
  forgive(): void {
    for (const gap of this.#gaps.values()) {
      if (!gap.isOpen) continue;
      gap.forgiven = gap.report;
      close(gap);
    }
  }

  /** The set of entries here has changed: gaps are found again. */
  changed(): void {
    const now = this.#cluster.uptime();
    this.#nextAt = now;
    for (const gap of this.#gaps.values()) gap.shrunkAt = now;
    this.#own.changed();
  }

  /** Compares what members have reported again, as they may be disconnected by now, and reports what stays. */
  tick(now: number): void {
    if (now < this.#nextAt) return;
    const { reportEveryMs, catchUpMs } = this.#cluster.limits;
    this.#nextAt = now + reportEveryMs;
    this.#own.tick();
    for (const gap of this.#gaps.values()) {
      if (gap.isOpen && gap.report !== null) {
        this.#compare(gap, gap.report);
        // Other members may have connected since, and the member itself may be disconnected.
        if (gap.isOpen) this.#askAll(gap, gap.report);
      }
      if (!gap.isOpen || now - gap.shrunkAt < catchUpMs || now - gap.saidAt < AGAIN_MS) continue;
      gap.saidAt = now;
      const keepsFrom = dateText(gap.pruned + 1);
      this.#cluster.log.error({ member: hexOf(gap.member), address: gap.address, keepsFrom }, LACKING);
    }
  }

  /**
   * Whether too much is missing to be live. @param isCatchingUp  as of the last tick: a daemon that has not been live
   * has to be sure
   */
  isLacking(now: number, isCatchingUp: boolean, since: number): boolean {
    const { catchUpMs, catchUpStuckMs } = this.#cluster.limits;
    if (this.#own.isLacking(now, isCatchingUp)) return true;
    return [...this.#gaps.values()].some((gap) =>
      gap.isKnown
        ? gap.isOpen && (isCatchingUp || gap.isNew || now - gap.since >= catchUpMs)
        : // Who says that it has pruned something, and not what it holds, is not waited for without end, whoever comes next.
          gap.isHere && isCatchingUp && now - since < catchUpStuckMs,
    );
  }

  #compare(gap: Gap, report: Report): void {
    const { timeline, uptime } = this.#cluster;
    const own = totalsUpTo(timeline.index, report.at);
    const isLess = holdsLess(own, report);
    // If two differ and both have pruned, or the other one misses something, the one that holds less is not live.
    const isOlder = !gap.isOpen && timeline.prunedTo >= gap.pruned;
    if (
      isSameTotals(own, report) ||
      isSameReport(report, gap.forgiven) ||
      (!isLess && (isOlder || !gap.isWhole)) ||
      !isBelieved({ ...gap, report, own }, this.#cluster, this.#voting)
    ) {
      close(gap);
      return;
    }
    const now = uptime();
    const lacking = report.ring.count + report.data.count - own.ring.count - own.data.count;
    if (!gap.isOpen) gap.since = now;
    if (!gap.isOpen || lacking < gap.fewest) {
      gap.fewest = lacking;
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
  isWhole: false,
  at: 0,
  report: null,
  forgiven: null,
  witnesses: new Map(),
  isHere: true,
  askedAt: Number.NEGATIVE_INFINITY,
  isKnown: false,
  isOpen: false,
  isNew: true,
  since: 0,
  fewest: 0,
  shrunkAt: 0,
  saidAt: Number.NEGATIVE_INFINITY,
});

const LACKING =
  "this daemon misses entries that a member no longer stores, so it is not live, and serves what it has. It takes a " +
  "snapshot that most of the other members have signed, once there is one; else connect it to a member that stores all";
