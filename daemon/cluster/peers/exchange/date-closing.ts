/**
 * Closes dates at the members, for clients that read the entries of a stream that follow an entry. When the members
 * have closed the date of an entry, no entry that they sign can get an earlier position any more. Without such clients,
 * nothing is requested. Source: docs/decisions/0075-streams-whose-followers-miss-nothing.md.
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import type { ClosedDates } from "../../../engine/backends/command-path.js";
import { FOLD_AHEAD_MS } from "../../../timeline/unfolded-entries.js";
import {
  type ClusterState,
  type ConnectedMember,
  factsOf,
  membersWithStatus,
} from "../shared/cluster-state.js";

/** A member that may close dates. */
interface ClosingMember extends ConnectedMember {
  /** The latest date of the valid entries that it has sent, or 0 if there are none. */
  readonly newestPushed: number;
  /** Whether entries that it has sent may be missing here. */
  readonly hasMissed: boolean;
}

/** A member's answer. See the message `dates-closed`. */
interface ClosingAnswer {
  readonly requested: number;
  readonly at: number;
}

/** A request that a member has not answered. `at` is its date; `sentAt` is in milliseconds of uptime. */
interface Request {
  readonly at: number;
  readonly sentAt: number;
}

/**
 * An answer of a member whose entries are not in the state yet. The state must contain all entries up to `foldedTo`.
 */
interface Unfolded {
  readonly at: number;
  readonly foldedTo: number;
  readonly isInTime: boolean;
}

/** The dates of one member. A new connection of the member continues with them. */
class MemberDates {
  /** The date that it has closed. This daemon's state contains its entries up to this date. */
  closedTo = 0;
  /** Whether followers do not wait for it, because it has not closed a date in time. */
  isLeftOut = false;
  /** The unanswered requests on the current connection, the oldest first. */
  requests: Request[] = [];
  unfolded: Unfolded[] = [];

  /** Whether it was left out, and no request is pending whose answer in time would end this. */
  get mayReturn(): boolean {
    return this.isLeftOut && this.requests.length === 0 && this.unfolded.length === 0;
  }

  /** The latest date that was requested from it, or that it has closed. */
  get requestedTo(): number {
    return this.requests.at(-1)?.at ?? this.unfolded.at(-1)?.at ?? this.closedTo;
  }
}

/** The callers that wait for a date. `since` is in milliseconds of uptime. */
interface Wait {
  readonly since: number;
  readonly done: (() => void)[];
}

export class DateClosing implements ClosedDates {
  /** The number of times that a member was left out. */
  gaps = 0;
  readonly #cluster: ClusterState<ClosingMember>;
  readonly #decidedTo: () => number;
  readonly #members = new Map<ByteString, MemberDates>();
  /** The callers that wait, by the date that they wait for. */
  readonly #waits = new Map<number, Wait>();
  /** When a follower was last served, in milliseconds of uptime. */
  #followedAt = Number.NEGATIVE_INFINITY;
  /** When the last tick was, in milliseconds of uptime, and whether this process was paused before it. */
  #tickedAt = Number.NEGATIVE_INFINITY;
  #wasPaused = false;

  /** @param decidedTo  returns the date up to which no decision of the members is missing here */
  constructor(cluster: ClusterState<ClosingMember>, decidedTo: () => number) {
    this.#cluster = cluster;
    this.#decidedTo = decidedTo;
  }

  get newest(): number {
    return this.#cluster.timeline.newest.at;
  }

  closedTo(): number {
    this.#followedAt = this.#cluster.uptime();
    return this.#closedTo;
  }

  /** Whether followers do not wait for a member. */
  isLeftOut(id: ByteString): boolean {
    return this.#members.get(id)?.isLeftOut ?? false;
  }

  close(at: number, done: () => void): void {
    if (at <= this.#closedTo) {
      done();
      return;
    }
    const wait = this.#waits.get(at);
    if (wait === undefined) this.#waits.set(at, { since: this.#cluster.uptime(), done: [done] });
    else wait.done.push(done);
    this.#requestFromAll(at);
  }

  /**
   * Called when this daemon has all entries that a member had when it connected. From now on, followers wait for the
   * member: what it has signed before is here, or is pushed on this connection.
   */
  joined(member: ClosingMember): void {
    if (!this.#members.has(member.id)) this.#members.set(member.id, new MemberDates());
    this.#request(member, this.#latest);
  }

  disconnected({ id }: ClosingMember): void {
    const dates = this.#members.get(id);
    if (dates !== undefined) dates.requests = [];
  }

  /** Forgets the members that are neither configured nor connected. */
  retain(isMember: (id: ByteString) => boolean): void {
    for (const id of this.#members.keys()) if (!isMember(id)) this.#members.delete(id);
    this.#settle();
  }

  /** Called with a member's answer, when everything that the member has pushed before is on this daemon's disk. */
  closed(member: ClosingMember, { requested, at }: ClosingAnswer): void {
    const dates = this.#members.get(member.id);
    if (dates === undefined) return;

    const { clock, uptime, limits } = this.#cluster;
    const answered = dates.requests.filter((request) => request.at <= requested);
    dates.requests = dates.requests.slice(answered.length);
    const last = answered.at(-1);
    // A member cannot make this daemon store answers that it has not requested.
    if (last === undefined || member.hasMissed) return;

    const isInTime = at >= last.at && uptime() - last.sentAt <= limits.closeMs;
    // Entries dated further ahead are folded when their date is reached.
    const foldedTo = Math.max(at, Math.min(member.newestPushed, Math.floor(clock()) + FOLD_AHEAD_MS));
    dates.unfolded.push({ at, foldedTo, isInTime });

    this.folded();
    // A member that cannot close a date yet is requested again in the next tick.
    if (at >= last.at) this.#request(member, this.#latest);
  }

  /** Called when entries were added to the state. */
  folded(): void {
    const { timeline } = this.#cluster;
    let isChanged = false;
    for (const dates of this.#members.values()) {
      const { unfolded } = dates;
      while (unfolded[0] !== undefined && timeline.isFolded(unfolded[0].foldedTo)) {
        const { at, isInTime } = unfolded.shift() as Unfolded;
        dates.closedTo = Math.max(dates.closedTo, at);
        if (isInTime) dates.isLeftOut = false;
        isChanged = true;
      }
    }
    if (isChanged) this.#settle();
  }

  /** Leaves out the members that have not closed a date in time, and requests a date from those that were left out. */
  tick(now: number): void {
    const { limits } = this.#cluster;

    this.folded();
    // If this process was paused, answers that have arrived in time are read after this tick. If pauses follow each
    // other, followers do not wait longer.
    const isPaused = now - this.#tickedAt >= limits.closeMs / 2;
    const mayLeaveOut = !isPaused || this.#wasPaused;
    this.#tickedAt = now;
    this.#wasPaused = isPaused;

    if (mayLeaveOut)
      for (const [at, { since }] of this.#waits) if (now - since >= limits.closeMs) this.#leaveOut(at);

    const isFollowed = now - this.#followedAt < limits.followedMs;
    const latest = this.#latest;
    for (const member of membersWithStatus(this.#cluster)) {
      this.#request(member, latest);
      if (isFollowed && this.#members.get(member.id)?.mayReturn) this.#send(member, this.newest);
    }
    this.#settle();
  }

  get #closedTo(): number {
    let to = this.#decidedTo();
    for (const { isLeftOut, closedTo } of this.#members.values())
      if (!isLeftOut && closedTo < to) to = closedTo;
    return to;
  }

  /** The latest date that a caller waits for, or 0 if there is none. */
  get #latest(): number {
    let latest = 0;
    for (const at of this.#waits.keys()) if (at > latest) latest = at;
    return latest;
  }

  /** Leaves out the members that have not closed a date. */
  #leaveOut(at: number): void {
    const { members, notices } = this.#cluster;
    for (const [id, dates] of this.#members) {
      if (dates.isLeftOut || dates.closedTo >= at) continue;
      dates.isLeftOut = true;
      this.gaps++;
      const member = members.get(id);
      if (member !== undefined) notices.warn(`dates of ${id}`, factsOf(member), NOT_CLOSED);
    }
  }

  #requestFromAll(at: number): void {
    for (const member of membersWithStatus(this.#cluster)) this.#request(member, at);
  }

  /** Requests a date from a member, unless it has closed the date, or a request for it or a later date is pending. */
  #request(member: ClosingMember, at: number): void {
    const dates = this.#members.get(member.id);
    const { closeRequests } = this.#cluster.limits;
    if (dates === undefined || dates.requestedTo >= at || dates.requests.length >= closeRequests) return;
    this.#send(member, at);
  }

  #send({ id, connection }: ClosingMember, at: number): void {
    this.#members.get(id)?.requests.push({ at, sentAt: this.#cluster.uptime() });
    connection.send({ kind: "close-dates", at });
  }

  /** Ends the waits for dates that are closed. */
  #settle(): void {
    if (this.#waits.size === 0) return;
    const to = this.#closedTo;
    for (const [at, { done }] of this.#waits) {
      if (at > to) continue;
      this.#waits.delete(at);
      for (const one of done) one();
    }
  }
}

const NOT_CLOSED =
  "a member has not closed its dates in time: clients that follow streams may miss entries that it signs now, until it answers again";
