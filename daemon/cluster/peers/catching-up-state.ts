/**
 * Determines this daemon's state: whether it has received the entries that the members had when it connected, and
 * whether it reaches a majority of the members. At its first start it also needs a watermark.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { StatusMessage } from "../../../protocol/members/member-messages.js";
import type { Admission } from "./admission.js";
import type { MissingEntries } from "./finality/missing-entries.js";
import type { Member } from "./member.js";
import type { OwnClock } from "./member-clocks.js";
import type { Roster } from "./roster.js";
import { type ClusterState, haveMembersConnected } from "./shared/cluster-state.js";
import { type Electorate, electorateIn } from "./shared/electorate.js";
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
  readonly #admission: Admission;
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
    {
      admission,
      missing,
      joining,
      clock,
    }: { admission: Admission; missing: MissingEntries; joining: Joining; clock: OwnClock },
  ) {
    this.#cluster = cluster;
    this.#roster = roster;
    this.#admission = admission;
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
    const isMajority = this.#roster.majorityHeardAt(now) >= now - peering.limits.silenceMs;
    if (this.#cluster.state === "isolated" && isMajority !== this.#isReturning) this.#turn(isMajority);
    const isNew = this.#joining.isUnderWay;
    const isDisputed = isNew && this.#joining.isDisputed(this.#statuses, peering.electorate);
    if (isNew) this.reason = isDisputed ? REASONS.disputed : REASONS.started;
    if (this.#admission.isRefused) this.#waitForAdmission();
    else if (isDisputed) this.isUnderWay = true;
    else if (this.isUnderWay) this.#consider(now);
    missing.tick(now);
    if (this.#isFullestOfStuck(now)) {
      missing.ignore();
      peering.log.warn({}, FULLEST_OF_STUCK);
    }
    this.#step(now, isMajority);
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
      const isRefused = this.#roster.refusals !== null;
      peering.log.warn({}, isRefused ? NOT_ADMITTED : isAlone ? ALONE : STUCK);
    }
  }
}

const ALONE = "no member could be reached: serving with the data on this daemon";
const NOT_ADMITTED = "no peer admits this daemon: serving with the data on this daemon";
const FULLEST_OF_STUCK =
  "no member is live, because each is missing entries that another no longer stores: this one, which has the most, continues with its own data";
const STUCK = "catching up did not complete in time: serving with the data on this daemon";

/** Maximum milliseconds by which the clock of a single member may be ahead of this daemon's and still be believed. */
const BELIEVED_AHEAD_MS = 86_400_000;

/**
 * The choice of the first watermark of a daemon that begins with an empty folder. The daemon must not change what the
 * other members consider final, so it accepts nothing dated at or before their watermark, regardless of its own clock.
 * A single member's false report cannot permanently prevent the daemon from accepting writes. Source:
 * docs/protocol-v2.md "Members", rule 7.
 */
export class Joining {
  /** Whether this daemon began without data, and has not caught up. */
  isUnderWay = false;
  readonly #cluster: ClusterState;
  /** Whether the cluster may be new: this daemon had no data when it became live, and no member has reported any. */
  #mayBeNew = false;
  /** Members whose first status since the start reported no entries. */
  readonly #empty = new Set<ByteString>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /** @param hasOthers  whether there are other members */
  start(hasOthers: boolean): void {
    this.isUnderWay = hasOthers && this.#cluster.timeline.published === 0;
    this.#mayBeNew = this.isUnderWay && this.#isEmpty;
  }

  /**
   * Records the first status of a member's connection; later connections of the member do not count.
   * @param id  the member's proved id
   */
  receiveFirstStatus(id: ByteString, { data }: StatusMessage): void {
    if (!this.#mayBeNew || this.#empty.has(id)) return;
    if (data.count === 0) this.#empty.add(id);
    else this.#mayBeNew = false;
  }

  /**
   * Whether this daemon has several members, and the first watermark depends on which clock is right: this daemon's, or
   * the only other one that it can read. A third clock decides, so a single member cannot.
   * @param members  the connected members
   * @param electorate  the configured or listed members
   */
  isDisputed(members: readonly StatusMessage[], { others }: Electorate): boolean {
    if (!this.isUnderWay || others < 2) return false;
    const { clock, limits } = this.#cluster;
    const now = clock();
    const isOneOther = clocksOf(members, now).length === 2;
    return isOneOther && joiningWatermark(members, now) > watermarkAt(members, now + limits.skewMs);
  }

  /**
   * Raises the watermark once, when this daemon has received the members' entries or reaches no member. Each call also
   * checks whether all configured members began without data. If so, no daemon can have answered any client before this
   * daemon started, and answers are no longer marked as late.
   * @param members  the connected members
   * @param electorate  the configured or listed members
   */
  caughtUp(members: readonly StatusMessage[], { ids, others }: Electorate): void {
    const { timeline, clock } = this.#cluster;
    if (this.isUnderWay) {
      timeline.raise(joiningWatermark(members, clock()));
      this.#mayBeNew &&= this.#isEmpty;
    }
    this.isUnderWay = false;
    if (!this.#mayBeNew || ids.size < others || ![...ids].every((id) => this.#empty.has(id))) return;
    timeline.forgotten.clear();
    this.#mayBeNew = false;
  }

  get #isEmpty(): boolean {
    return this.#cluster.timeline.index.total("data").count === 0;
  }
}

/**
 * Returns a date that is not earlier than any date that a member considers final. A date is final only after every
 * member has reported a watermark at least as high. Therefore the result is the highest reported watermark. It is
 * limited to the current time, unless most of several members report a later watermark: a single watermark far ahead
 * comes from a clock that once jumped ahead, or from a lie. New members report no watermark.
 * @param now  by this daemon's clock
 */
export function joiningWatermark(members: readonly StatusMessage[], now: number): number {
  return watermarkAt(members, timeOf(clocksOf(members, now), now));
}

/** Returns the first watermark. @param time  the current time, which limits the highest reported watermark */
function watermarkAt(members: readonly StatusMessage[], time: number): number {
  const watermarks = members.map(({ watermark }) => watermark).filter((watermark) => watermark > 0);
  if (watermarks.length === 0) return 0;
  watermarks.sort((a, b) => b - a);
  const median = watermarks.length > 1 ? (watermarks[Math.floor(watermarks.length / 2)] as number) : 0;
  return Math.floor(Math.max(median, Math.min(watermarks[0] as number, time)));
}

/** Returns this daemon's clock and those of the members, except members that know that their clock is wrong. */
const clocksOf = (members: readonly StatusMessage[], now: number): readonly number[] => [
  now,
  ...members.filter(({ skewed }) => !skewed).map(({ clock }) => clock),
];

/**
 * Returns the current time according to the members: the median of three or more clocks, or the later of two clocks,
 * which is limited in case it is too far ahead.
 */
function timeOf(clocks: readonly number[], now: number): number {
  if (clocks.length <= 2) return Math.min(Math.max(...clocks), now + BELIEVED_AHEAD_MS);
  return [...clocks].sort((a, b) => a - b)[Math.floor((clocks.length - 1) / 2)] as number;
}
