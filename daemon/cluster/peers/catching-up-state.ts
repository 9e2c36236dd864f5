/**
 * Sets this daemon's state at each tick: it is catching up until it has received the entries that the members had when
 * it connected, then live if it reaches a majority of the members, otherwise isolated. At its first start it also needs
 * a watermark.
 */

import type { StatusMessage } from "../../../protocol/members/member-messages.js";
import type { Admission } from "./admission.js";
import type { MissingEntries } from "./finality/missing-entries.js";
import type { FirstWatermark } from "./first-watermark.js";
import type { Member } from "./member.js";
import type { OwnClock } from "./member-clocks.js";
import type { Roster } from "./roster.js";
import { type ClusterState, haveMembersConnected } from "./shared/cluster-state.js";
import { electorateIn } from "./shared/electorate.js";
import { holdsLess, totalsOf } from "./shared/entry-totals.js";

/** The reasons for catching up. In replies and logs they follow "This daemon accepts no writes yet: ". */
const REASONS = {
  started: "it has started, and has not yet received everything that its peers have",
  cutOff:
    "it was cut off from its peers, and has not yet received everything that they accepted in the meantime",
  missing: "it is missing entries that a peer no longer stores",
  disputed:
    "its clock is behind that of the only peer whose clock it can read, so it waits for another peer to show which of the two is right",
  joining: "a list of members has admitted it, and it has not yet received everything that the members have",
} as const;

export class CatchingUp {
  /** The reason why this daemon is catching up, or was last catching up. */
  reason: string = REASONS.started;
  /**
   * Whether the daemon is still receiving the entries that the members had when it started, or is still waiting for a
   * member.
   */
  isUnderWay = true;
  readonly #cluster: ClusterState<Member>;
  readonly #roster: Roster;
  readonly #admission: Admission;
  readonly #missing: MissingEntries;
  readonly #firstWatermark: FirstWatermark;
  readonly #clock: OwnClock;
  /** Whether the log already reports that catching up is over. */
  #isEndLogged = false;
  /**
   * Whether the timeline has marked the entries that this daemon had when it caught up. The daemon becomes live only
   * after all of these entries are folded.
   */
  #isMarked = false;
  /**
   * Whether this daemon was cut off, reaches most members again, and accepts writes while it compares its entries with
   * theirs.
   */
  #isReturning = false;
  /** When it was last cut off, as `uptime` milliseconds. */
  #cutOffAt = 0;

  constructor(
    cluster: ClusterState<Member>,
    roster: Roster,
    {
      admission,
      missing,
      firstWatermark,
      clock,
    }: { admission: Admission; missing: MissingEntries; firstWatermark: FirstWatermark; clock: OwnClock },
  ) {
    this.#cluster = cluster;
    this.#roster = roster;
    this.#admission = admission;
    this.#missing = missing;
    this.#firstWatermark = firstWatermark;
    this.#clock = clock;
  }

  start(): void {
    this.#cluster.progressAt = this.#cluster.settledAt = this.#cluster.uptime();
    this.isUnderWay = this.#roster.hasOthers;
    const { published, prunedTo } = this.#cluster.timeline;
    this.#cluster.hasBegunEmpty = prunedTo < 0 && published === 0;
    this.#isEndLogged = !this.isUnderWay;
  }

  /** Starts catching up again, because this daemon's entries have been replaced since they were compared. */
  restart(): void {
    this.#cluster.progressAt = this.#cluster.uptime();
    this.isUnderWay = true;
    this.#isEndLogged = false;
  }

  /** Called when the member lists have changed. A daemon that a list has just added must not accept another write. */
  listsChanged(): void {
    if (this.#cluster.lists?.isJoining === true) this.#enterCatchingUp(REASONS.joining);
  }

  tick(now: number): void {
    const cluster = this.#cluster;
    cluster.electorate = electorateIn(cluster);

    const { size, seen } = this.#roster.count(now - cluster.limits.silenceMs);
    const isMajority = 2 * seen > size;
    if (cluster.state === "isolated" && isMajority !== this.#isReturning) this.#setReturning(isMajority);

    const isFirstStart = this.#firstWatermark.isUnderWay;
    const isDisputed = isFirstStart && this.#firstWatermark.isDisputed(this.#statuses, cluster.electorate);
    if (isFirstStart) this.reason = isDisputed ? REASONS.disputed : REASONS.started;

    if (this.#admission.isRefused) this.#waitForAdmission();
    else if (isDisputed) this.isUnderWay = true;
    else if (this.isUnderWay) this.#endIfComplete(now);

    this.#missing.tick(now);
    if (this.#isFullestOfStuck(now)) {
      this.#missing.ignoreMissing();
      cluster.log.warn({}, FULLEST_OF_STUCK);
    }

    this.#updateState(now, isMajority);
  }

  /**
   * Waits, even if this daemon already serves clients because its peers answered late. The time to wait for them begins
   * again when they no longer refuse this daemon.
   */
  #waitForAdmission(): void {
    this.restart();
    this.#isReturning = false;
  }

  /** Sets the state for this tick. */
  #updateState(now: number, isMajority: boolean): void {
    const cluster = this.#cluster;
    const isIncomplete = this.#missing.isIncomplete(now, cluster.state === "catching-up", cluster.settledAt);
    const isJoining = cluster.lists?.isJoining === true;

    this.#isEndLogged &&= !isIncomplete;
    if (this.isUnderWay || isIncomplete) this.#isMarked = false;

    // Missing entries count more than a lost majority: a daemon without them would answer from another state.
    if (isIncomplete || isJoining) this.#enterCatchingUp(isIncomplete ? REASONS.missing : REASONS.joining);
    else if (this.#isReturning) {
      if (this.#hasMajorityContinued()) this.#enterCatchingUp(REASONS.cutOff);
      else if (
        !this.isUnderWay &&
        !this.#missing.isIncomplete(now, true, cluster.settledAt) &&
        this.#isFolded()
      )
        this.#setCaughtUp(now, isMajority);
    } else if (this.isUnderWay) this.#enterCatchingUp(this.reason);
    else if (cluster.state !== "catching-up" || this.#isFolded()) this.#setCaughtUp(now, isMajority);
  }

  #enterCatchingUp(reason: string): void {
    this.reason = reason;
    this.#isReturning = false;
    this.#cluster.state = "catching-up";
  }

  #setCaughtUp(now: number, isMajority: boolean): void {
    const cluster = this.#cluster;
    cluster.settledAt = now;
    this.#isReturning = false;

    const state = isMajority ? "live" : "isolated";
    if (state !== cluster.state) this.#cutOffAt = now;
    cluster.state = state;
    cluster.hasBegunEmpty = false;

    this.#firstWatermark.caughtUp(this.#statuses, cluster.electorate);
    if (!this.#isEndLogged) cluster.log.info({}, "caught up with the members");
    this.#isEndLogged = true;
  }

  /** The last status of each connected voter. */
  get #statuses(): readonly StatusMessage[] {
    return this.#roster.voters.flatMap(({ status }) => status ?? []);
  }

  /**
   * Begins or ends the return of this daemon after it was cut off. The other members may have continued without it.
   * While it was cut off, it believed any single member that claimed to have more entries. Therefore it must pass the
   * checks of a starting daemon again before it is live. Until then it continues to accept writes, because perhaps no
   * other daemon accepts any.
   */
  #setReturning(isReturning: boolean): void {
    this.#isReturning = isReturning;
    this.restart();
    this.#isMarked = false;
    if (isReturning) return;
    this.isUnderWay = false;
    this.#isEndLogged = true;
  }

  /**
   * Whether a majority of the cluster may have continued without this daemon. Clients may have written to a member that
   * has connected since this daemon was cut off, if that member was live before it received anything from this daemon.
   * In a cluster of two daemons, neither daemon alone is a majority.
   */
  #hasMajorityContinued(): boolean {
    const wasLiveBefore = ({ stateAtConnect, status, since }: Member) =>
      stateAtConnect === "live" && status?.state === "live" && since >= this.#cutOffAt;
    return this.#cluster.electorate.others > 1 && this.#roster.voters.some(wasLiveBefore);
  }

  /**
   * Whether all entries that this daemon had when it caught up have been folded. Entries that arrived later may still
   * wait to be folded.
   */
  #isFolded(): boolean {
    const { timeline } = this.#cluster;
    if (!this.#isMarked) timeline.waiting.markReached();
    this.#isMarked = true;
    return timeline.state === "live" && timeline.waiting.areMarkedFolded;
  }

  /**
   * Whether no daemon is live, because each is missing entries that another daemon has pruned, and no connected member
   * has more entries than this daemon. This daemon then continues with its own data, and the other daemons load its
   * snapshot.
   */
  #isFullestOfStuck(now: number): boolean {
    const cluster = this.#cluster;
    if (
      cluster.state !== "catching-up" ||
      !this.#missing.areOldAndStuck(now) ||
      !haveMembersConnected(cluster, now)
    )
      return false;

    const own = totalsOf(cluster.timeline.index);
    return [...this.#roster.members.values()].every(
      ({ status, compared }) =>
        status !== null && status.state === "catching-up" && compared !== null && !holdsLess(own, status),
    );
  }

  /**
   * Whether this daemon has been catching up for very long, although the comparison with most of the cluster is
   * complete: the remaining members keep sending new entries.
   */
  #isHeldUp(now: number): boolean {
    const compared = this.#roster.voters.filter((member) => member.compared !== null).length;
    return (
      now - this.#cluster.settledAt > this.#cluster.limits.catchUpMaxMs &&
      2 * (1 + compared) > 1 + this.#cluster.electorate.others
    );
  }

  /**
   * Ends catching up when one of these conditions holds:
   * - The comparison with a live member is complete. A single member could report anything, so in addition the
   *   comparison with all other live members must be complete, all connected members must have reported whether they
   *   are live, and this machine's clock must have been checked, or the time to wait for all this must be over.
   * - All members are connected, and the comparison with each of them is complete.
   * - The comparison with all connected members is complete, and the time to wait for more members is over.
   * - The time to wait for the comparison is over, even if members keep sending new entries.
   * A daemon that reaches no member serves with the data that it has.
   */
  #endIfComplete(now: number): void {
    const cluster = this.#cluster;
    const { catchUpMs, catchUpStuckMs } = cluster.limits;
    const roster = this.#roster;
    const members = [...roster.members.values()];
    const isAlone = members.length === 0;
    // The daemon is cut off again, which the next ticks detect. A daemon that is the only member of its list is never
    // cut off.
    if (isAlone && this.#isReturning && cluster.electorate.others > 0) return;

    const isCompared = members.every(({ compared }) => compared !== null);
    const isLate =
      now - cluster.progressAt > (isCompared ? catchUpMs : catchUpStuckMs) || this.#isHeldUp(now);
    const isComplete = isAlone ? !roster.hasOthers : isCompared && (isLate || roster.all !== null);

    const isLiveCompared = members.every(
      ({ status, compared }) => compared !== null || (status !== null && status.state !== "live"),
    );
    const isDone =
      isComplete ||
      (members.some(({ compared }) => compared === "live") &&
        ((isLiveCompared && this.#clock.canCheck) || now - cluster.settledAt > catchUpMs));

    if (isDone) this.isUnderWay = false;
    else if (isLate) {
      this.isUnderWay = false;
      this.#isEndLogged = true;
      const isRefused = this.#roster.refusals !== null;
      cluster.log.warn({}, isRefused ? NOT_ADMITTED : isAlone ? ALONE : STUCK);
    }
  }
}

const ALONE = "no member could be reached: serving with the data on this daemon";
const NOT_ADMITTED = "no peer admits this daemon: serving with the data on this daemon";
const FULLEST_OF_STUCK =
  "no member is live, because each is missing entries that another no longer stores: this one, which has the most, continues with its own data";
const STUCK = "catching up did not complete in time: serving with the data on this daemon";
