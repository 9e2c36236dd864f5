/**
 * Determines this daemon's state: whether it has received the entries that the members had when it connected, and
 * whether it reaches a majority of the members.
 */

import type { StatusMessage } from "../../../protocol/members/member-messages.js";
import type { MissingEntries } from "./finality/missing-entries.js";
import type { Joining } from "./first-watermark.js";
import type { Member } from "./member.js";
import type { OwnClock } from "./member-clocks.js";
import type { Roster } from "./roster.js";
import { type ClusterState, haveMembersConnected } from "./shared/cluster-state.js";
import { electorateIn } from "./shared/electorate.js";
import { holdsLess, totalsOf } from "./shared/entry-totals.js";

/** Reasons for catching up. They follow "This daemon accepts no writes yet: ". */
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
  readonly #missing: MissingEntries;
  readonly #joining: Joining;
  readonly #clock: OwnClock;
  /** Whether the log already reports that catching up is over. */
  #isLogged = false;
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
    { missing, joining, clock }: { missing: MissingEntries; joining: Joining; clock: OwnClock },
  ) {
    this.#cluster = cluster;
    this.#roster = roster;
    this.#missing = missing;
    this.#joining = joining;
    this.#clock = clock;
  }

  start(): void {
    this.#cluster.progressAt = this.#cluster.settledAt = this.#cluster.uptime();
    this.isUnderWay = this.#roster.hasOthers;
    const { published, prunedTo } = this.#cluster.timeline;
    this.#cluster.beganEmpty = prunedTo < 0 && published === 0;
    this.#isLogged = !this.isUnderWay;
  }

  /** Starts catching up again, because this daemon's entries have been replaced since they were compared. */
  restart(): void {
    this.#cluster.progressAt = this.#cluster.uptime();
    this.isUnderWay = true;
    this.#isLogged = false;
  }

  tick(now: number): void {
    const [peering, missing] = [this.#cluster, this.#missing];
    this.#cluster.electorate = electorateIn(this.#cluster);
    const { size, seen } = this.#roster.count(now - peering.limits.silenceMs);
    const isMajority = 2 * seen > size;
    if (this.#cluster.state === "isolated" && isMajority !== this.#isReturning) this.#turn(isMajority);
    const isNew = this.#joining.isUnderWay;
    const isDisputed = isNew && this.#joining.isDisputed(this.#statuses, peering.electorate);
    if (isNew) this.reason = isDisputed ? REASONS.disputed : REASONS.started;
    if (isDisputed) this.isUnderWay = true;
    else if (this.isUnderWay) this.#consider(now);
    missing.tick(now);
    if (this.#isFullestOfStuck(now)) {
      missing.ignore();
      peering.log.warn({}, FULLEST_OF_STUCK);
    }
    this.#step(now, isMajority);
  }

  /** Sets the state for this tick. */
  #step(now: number, isMajority: boolean): void {
    const [peering, missing] = [this.#cluster, this.#missing];
    const isIncomplete = missing.isIncomplete(
      now,
      this.#cluster.state === "catching-up",
      this.#cluster.settledAt,
    );
    const isJoining = peering.lists?.isJoining === true;
    this.#isLogged &&= !isIncomplete;
    if (this.isUnderWay || isIncomplete) this.#isMarked = false;
    if (isIncomplete || isJoining) this.#leave(isIncomplete ? REASONS.missing : REASONS.joining);
    else if (this.#isReturning) {
      if (this.#hasMajorityContinued()) this.#leave(REASONS.cutOff);
      else if (
        !this.isUnderWay &&
        !missing.isIncomplete(now, true, this.#cluster.settledAt) &&
        this.#isFolded()
      )
        this.#complete(now, isMajority);
    } else if (this.isUnderWay) this.#leave(this.reason);
    else if (this.#cluster.state !== "catching-up" || this.#isFolded()) this.#complete(now, isMajority);
  }

  /** Called when the member lists have changed. A daemon that a list has just added must not accept another write. */
  listsChanged(): void {
    if (this.#cluster.lists?.isJoining === true) this.#leave(REASONS.joining);
  }

  #leave(reason: string): void {
    this.reason = reason;
    this.#isReturning = false;
    this.#cluster.state = "catching-up";
  }

  #complete(now: number, isMajority: boolean): void {
    const peering = this.#cluster;
    this.#cluster.settledAt = now;
    this.#isReturning = false;
    const state = isMajority ? "live" : "isolated";
    if (state !== this.#cluster.state) this.#cutOffAt = now;
    this.#cluster.state = state;
    this.#cluster.beganEmpty = false;
    this.#joining.caughtUp(this.#statuses, peering.electorate);
    if (!this.#isLogged) peering.log.info({}, "caught up with the members");
    this.#isLogged = true;
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
  #turn(isReturning: boolean): void {
    this.#isReturning = isReturning;
    this.restart();
    this.#isMarked = false;
    if (isReturning) return;
    this.isUnderWay = false;
    this.#isLogged = true;
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
    if (!this.#isMarked) timeline.waiting.mark();
    this.#isMarked = true;
    return timeline.state === "live" && timeline.waiting.areMarkedFolded;
  }

  /**
   * Whether no daemon is live, because each is missing entries that another daemon has pruned, and no connected member
   * has more entries than this daemon. This daemon then continues with its own data, and the other daemons load its
   * snapshot.
   */
  #isFullestOfStuck(now: number): boolean {
    const [peering, missing] = [this.#cluster, this.#missing];
    if (
      this.#cluster.state !== "catching-up" ||
      !missing.areOldAndStuck(now) ||
      !haveMembersConnected(peering, now)
    )
      return false;
    const { index } = peering.timeline;
    const own = totalsOf(index);
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
  #consider(now: number): void {
    const peering = this.#cluster;
    const { catchUpMs, catchUpStuckMs } = peering.limits;
    const roster = this.#roster;
    const members = [...roster.members.values()];
    const isAlone = members.length === 0;
    // The daemon is cut off again, which the next ticks detect. A daemon that is the only member of its list is never
    // cut off.
    if (isAlone && this.#isReturning && this.#cluster.electorate.others > 0) return;
    const isCompared = members.every(({ compared }) => compared !== null);
    const isLate =
      now - peering.progressAt > (isCompared ? catchUpMs : catchUpStuckMs) || this.#isHeldUp(now);
    const isComplete = isAlone ? !roster.hasOthers : isCompared && (isLate || roster.all !== null);
    const isLiveCompared = members.every(
      ({ status, compared }) => compared !== null || (status !== null && status.state !== "live"),
    );
    const isDone =
      isComplete ||
      (members.some(({ compared }) => compared === "live") &&
        ((isLiveCompared && this.#clock.canCheck) || now - this.#cluster.settledAt > catchUpMs));
    if (isDone) this.isUnderWay = false;
    else if (isLate) {
      this.isUnderWay = false;
      this.#isLogged = true;
      peering.log.warn({}, isAlone ? ALONE : STUCK);
    }
  }
}

const ALONE = "no member could be reached: serving with the data on this daemon";
const FULLEST_OF_STUCK =
  "no member is live, because each is missing entries that another no longer stores: this one, which has the most, continues with its own data";
const STUCK = "catching up did not complete in time: serving with the data on this daemon";
