/**
 * This daemon as the keeper: it obtains the promises of a majority for its ballot, and then makes one proposal after
 * the other, each with the decisions on the units that wait. It votes for its own proposal last, when its vote
 * completes a majority, and first waits for the other members if they can make the decisions without it. Until it has
 * voted, it can make another proposal in the next attempt if members object.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  ATTEMPT_MAX,
  type Ballot,
  compareBallots,
  type Evidence,
  type LastDecision,
  type Vote,
} from "../../../../protocol/members/decision-messages.js";
import type { MemberSignature } from "../../../../protocol/members/member-signature.js";
import type {
  Accepted,
  DateBounds,
  DecisionPorts,
  PromiseOf,
  Proposal,
  ProposedDecision,
  VotingList,
  VotingLists,
  WaitingUnit,
} from "./decision-types.js";
import { Objectors } from "./member-limits.js";
import type { Timeouts } from "./timeouts.js";
import type { Obstacle } from "./undecided.js";
import { followsOthers, isMajority, isPromised, type VoteCount } from "./vote-count.js";
import { bodiesOf, NO_OBJECTION, type Voter } from "./voter.js";

/** Milliseconds before the first proposal after an objection, and the maximum. The pause doubles each time. */
const PAUSE_MS = 10;
const PAUSE_MS_MAX = 640;
/**
 * Milliseconds for which dates follow the clock of a member that has objected to a date that was too far ahead of it.
 */
const CLOCK_MS = 10_000;
/** The number of decisions for which the keeper votes without waiting, if it has waited for the others in vain. */
const HASTY_DECISIONS = 16;

/** A ballot for which promises are collected. */
interface Preparation {
  readonly ballot: Ballot;
  /** The promises by member, including this daemon's own. */
  readonly promises: Map<ByteString, PromiseOf>;
  readonly since: number;
  sentAt: number;
}

interface Proposed {
  readonly proposal: Proposal;
  readonly signed: MemberSignature;
  /** Shows that two members have checked the proposal in an earlier ballot; null: this daemon has evaluated it. */
  readonly evidence: Evidence | null;
  /** Promises for the next attempt, by the members that object. */
  readonly objections: Map<ByteString, PromiseOf>;
  hasVoted: boolean;
  /** When the keeper began to wait for a majority without its vote; `uptime` milliseconds; null: it has not. */
  readySince: number | null;
  readonly since: number;
  sentAt: number;
}

/** What the keeper reads and reports. */
export interface KeeperHandlers {
  readonly lists: () => VotingLists | null;
  readonly last: () => LastDecision;
  /** Whether a later slot is decided, and earlier decisions, or further ones of the same proposal, are missing here. */
  readonly isIncomplete: () => boolean;
  /** Returns the waiting units, from each key in turn. */
  readonly waiting: () => Iterable<WaitingUnit>;
  /** Moves a unit after the other waiting units of its key, and its key after the other keys. */
  readonly postpone: (unit: ByteString) => void;
  /** Called before a proposal is sent. */
  readonly proposing: (proposal: Proposal) => void;
  /** Sends a message to all other members of the lists. */
  readonly broadcast: (message: Parameters<DecisionPorts["send"]>[1]) => void;
  /** Adds this daemon's own vote, and sends it to the others. */
  readonly voted: (vote: Vote) => void;
  /** Makes a decision that another member reports, or its entry, part of the state. */
  readonly follow: (last: LastDecision) => void;
}

export class Keeper {
  readonly #ports: DecisionPorts;
  readonly #handlers: KeeperHandlers;
  readonly #voter: Voter;
  readonly #votes: VoteCount;
  readonly #timeouts: Timeouts;
  #preparation: Preparation | null = null;
  /** The ballot in which this daemon proposes; null: it is not the keeper. */
  #ballot: Ballot | null = null;
  #proposed: Proposed | null = null;
  #notBefore = 0;
  /** The earliest clock of members that objected to a date, minus this machine's uptime, and until when it counts. */
  #objectedClock = { ahead: Number.POSITIVE_INFINITY, until: 0 };
  /** The ids of waiting units to which a member has objected. */
  #doubted = new Set<ByteString>();
  #pause = PAUSE_MS;
  /** When proposals may be made again after an objection to a proposal as a whole; `uptime` milliseconds. */
  #pausedUntil = 0;
  /** When the first of `#doubted` may be proposed again; until then, later units of their keys wait as well. */
  #doubtedFrom = 0;
  readonly #objectors = new Objectors();
  /** The members that objected to the last attempt for the present slot. */
  #objected: readonly ByteString[] = [];
  /** The number of further decisions for which this daemon votes without waiting for a majority of other members. */
  #hasty = 0;

  constructor(
    ports: DecisionPorts,
    handlers: KeeperHandlers,
    voter: Voter,
    votes: VoteCount,
    timeouts: Timeouts,
  ) {
    this.#ports = ports;
    this.#handlers = handlers;
    this.#voter = voter;
    this.#votes = votes;
    this.#timeouts = timeouts;
  }

  /** Whether this daemon proposes decisions, or is about to. */
  get isActive(): boolean {
    return this.#ballot !== null || this.#preparation !== null;
  }

  get isPreparing(): boolean {
    return this.#preparation !== null;
  }

  /** The members whose objections no longer count. */
  get objectors(): readonly ByteString[] {
    return this.#objectors.all(this.#ports.uptime());
  }

  /** What this daemon waits for as the keeper; null if it is not the keeper. */
  get obstacle(): Obstacle | null {
    if (!this.isActive) return null;
    if (this.#objected.length > 0) return { cause: "objections", members: this.#objected };
    const ahead = this.#ahead;
    if (ahead.length > 0) return { cause: "decisions", members: ahead };
    const [ballot, proposed] = [this.#ballot, this.#proposed];
    if (ballot !== null && proposed === null) {
      const cause = this.#handlers.isIncomplete() ? "incomplete" : "cannot-propose";
      return { cause, members: [] };
    }
    const { own, isConnected } = this.#ports;
    const answered: Pick<ReadonlyMap<ByteString, unknown>, "has"> = ballot === null || proposed === null
      ? (this.#preparation?.promises ?? new Map<ByteString, PromiseOf>())
      : this.#votes.votesFor(proposed.proposal, ballot);
    const members = [...(this.#handlers.lists()?.current.members ?? [])].filter(
      (id) => id !== own.id && isConnected(id) && !answered.has(id),
    );

    if (members.length === 0) return { cause: "own-disk", members };
    return { cause: ballot === null ? "promises" : "votes", members };
  }

  /** The members whose decisions are missing here, if this daemon has the promises that it needs. */
  get #ahead(): readonly ByteString[] {
    const preparation = this.#preparation;
    const lists = this.#handlers.lists();
    if (preparation === null || lists === null || !isPromised(lists, preparation.promises)) return [];
    const { promises } = preparation;
    const { slot } = this.#handlers.last();
    return promises.has(this.#ports.own.id)
      ? [...promises].filter(([, { last }]) => last.slot > slot).map(([id]) => id)
      : [];
  }

  /** Begins a ballot. */
  prepare(ballot: Ballot): void {
    this.#ballot = null;
    this.#proposed = null;

    const now = this.#ports.uptime();
    const preparation: Preparation = { ballot, promises: new Map(), since: now, sentAt: now };
    this.#preparation = preparation;
    const own = this.#ports.own.id;

    this.#voter.promise(ballot, NO_OBJECTION, (promise) => {
      if (this.#preparation !== preparation) return;
      preparation.promises.set(own, promise);
      this.#handlers.broadcast({ kind: "promise-request", ballot });
      this.advance();
    });
  }

  /** Ends this daemon's ballot, because another member has a later one, or the list has changed. */
  stop(): void {
    this.#notBefore = 0;
    this.#objected = [];
    this.#preparation = null;
    this.#ballot = null;
    this.#proposed = null;
  }

  /**
   * Ends a ballot whose promises or votes do not arrive, because members have promised a later one. This daemon may
   * never receive that ballot itself: its keeper may be down, or have nothing to propose.
   * @param seen  the latest ballot that a member has named
   * @param patienceMs  how long the promises or votes may take
   * @returns whether it has ended
   */
  giveUpIfOutvoted(seen: Ballot | null, patienceMs: number): boolean {
    const ballot = this.#ballot ?? this.#preparation?.ballot ?? null;
    const since = this.#preparation?.since ?? this.#proposed?.since ?? Number.POSITIVE_INFINITY;
    const isOver = compareBallots(ballot, seen) < 0 && this.#ports.uptime() - since >= patienceMs;
    if (isOver) this.stop();
    return isOver;
  }

  promised(from: ByteString, promise: PromiseOf): void {
    const { ballot } = promise;
    const preparation = this.#preparation;
    if (preparation !== null && compareBallots(preparation.ballot, ballot) === 0)
      preparation.promises.set(from, promise);
    else if (this.#isNext(ballot)) this.#object(from, promise);
    this.advance();
  }

  tick(now: number): void {
    const { promised } = this.#voter;
    const ballot = this.#ballot ?? this.#preparation?.ballot ?? null;
    if (ballot === null) return;
    if (compareBallots(promised, ballot) > 0) this.stop();
    else this.#repeat(now);
    this.advance();
  }

  /** Does what is possible now. Called when something that the keeper waits for may have happened. */
  advance(): void {
    this.#complete();
    this.#propose();
    this.#vote();
  }

  /** Whether a ballot is the next attempt of the proposal that waits for votes. */
  #isNext(ballot: Ballot): boolean {
    const own = this.#ballot;
    return own !== null && this.#proposed !== null && compareBallots(nextAttempt(own), ballot) === 0;
  }

  #object(from: ByteString, promise: PromiseOf): void {
    const proposed = this.#proposed as Proposed;
    proposed.objections.set(from, promise);
    if (this.#isDecidedWithout(proposed)) {
      this.#vote();
      return;
    }
    if (promise.notBefore > proposed.proposal.decisions[0].at) {
      const notBefore = Math.min(promise.notBefore, this.#ports.latestDate());
      this.#notBefore = Math.max(this.#notBefore, notBefore);
    }

    const lists = this.#handlers.lists();
    const ids = new Set([...proposed.objections.keys(), this.#ports.own.id]);
    // The vote of the member that objects is no longer expected.
    this.#vote();
    if (proposed.hasVoted || lists === null || !isPromised(lists, ids)) return;
    this.#attemptAgain(proposed);
  }

  /** Lets dates follow the clocks of members for which a date was too far ahead. */
  #followClocks({ proposal, objections }: Proposed): void {
    const [{ at }] = proposal.decisions;
    const now = this.#ports.uptime();
    for (const { notBefore } of objections.values()) {
      if (notBefore === 0 || notBefore > at) continue;
      const clock = Math.min(notBefore, this.#dateBounds.clock);
      this.#objectedClock = { ahead: clock - now, until: now + CLOCK_MS };
    }
  }

  get #dateBounds(): DateBounds {
    const now = this.#ports.uptime();
    const { ahead, until } = this.#objectedClock;
    return { notBefore: this.#notBefore, clock: now < until ? ahead + now : Number.POSITIVE_INFINITY };
  }

  /**
   * Whether only members object whose objections do not count, and the other members can make the decision. If these do
   * not vote, `#repeat` begins the next attempt.
   */
  #isDecidedWithout(proposed: Proposed): boolean {
    const now = this.#ports.uptime();
    const objectors = [...proposed.objections.keys()];
    return objectors.every((id) => this.#objectors.has(id, now)) && this.#areOthersMajority(proposed);
  }

  /** Whether the connected members that do not object can make the decision. */
  #areOthersMajority({ objections }: Proposed): boolean {
    const { own, isConnected } = this.#ports;
    const list = this.#handlers.lists()?.current;
    if (list === undefined) return false;
    return isMajority(list, { has: (id) => id === own.id || (isConnected(id) && !objections.has(id)) });
  }

  /** Begins the next attempt, usually with another unit, with the promises of the members that object. */
  #attemptAgain(proposed: Proposed): void {
    const { proposal, objections } = proposed;
    const now = this.#ports.uptime();
    // A single member may not know all clocks, so that the others have to be unable to decide without it.
    if (!this.#areOthersMajority(proposed) || this.#isDecidedWithout(proposed)) this.#followClocks(proposed);
    this.#objected = [...objections.keys()];
    this.#objectors.prevented(this.#objected, now);
    const waiting = new Set(Array.from(this.#handlers.waiting(), ({ id }) => id));
    for (const id of this.#doubted) if (!waiting.has(id)) this.#doubted.delete(id);
    // The members may never agree on these units, for example because one of them cannot run a command.
    const doubted = objectedOf(proposal, objections.values());
    for (const { unit } of doubted) {
      if (unit === null) continue;
      this.#doubted.add(unit);
      this.#handlers.postpone(unit);
    }

    const ballot = nextAttempt(this.#ballot as Ballot);
    if (ballot.attempt > ATTEMPT_MAX) {
      this.stop();
      return;
    }
    // Units to which no member has objected do not wait for the others.
    if (doubted.some(({ unit }) => unit !== null)) this.#doubtedFrom = now + this.#pause;
    else this.#pausedUntil = now + this.#pause;
    this.#pause = Math.min(2 * this.#pause, PAUSE_MS_MAX);
    this.prepare(ballot);
    for (const [id, promise] of objections) this.#preparation?.promises.set(id, promise);
  }

  #repeat(now: number): void {
    const preparation = this.#preparation;
    const { repeatMs } = this.#timeouts;
    if (preparation !== null && now - preparation.sentAt >= repeatMs) {
      preparation.sentAt = now;
      this.#handlers.broadcast({ kind: "promise-request", ballot: preparation.ballot });
    }

    const proposed = this.#proposed;
    if (proposed === null || now - proposed.sentAt < repeatMs) return;
    if (proposed.objections.size > 0 && !proposed.hasVoted) this.#attemptAgain(proposed);
    else this.#send(proposed, now);
  }

  /** Becomes the keeper when enough members have promised, and this daemon has the decisions that they have. */
  #complete(): void {
    const preparation = this.#preparation;
    const lists = this.#handlers.lists();
    if (preparation === null || lists === null) return;

    const { ballot, promises } = preparation;
    if (ballot.listHash !== lists.current.hash || !isPromised(lists, promises)) return;
    // Without its own promise, this daemon would forget after a restart what it has proposed in this ballot, and would
    // not propose the decision again for which it has voted before.
    if (!promises.has(this.#ports.own.id)) return;

    for (const { last } of promises.values()) this.#handlers.follow(last);
    const { slot } = this.#handlers.last();

    // A majority of members without a later decision has the votes for the next one. Another member may lie.
    const usable = new Map([...promises].filter(([, { last }]) => last.slot <= slot));
    const isWaiting = this.#ports.uptime() - preparation.since < this.#timeouts.repeatMs;
    if (usable.size < promises.size && (isWaiting || !isPromised(lists, usable))) return;

    this.#preparation = null;
    this.#ballot = ballot;

    const next = slot + 1;
    const open = [...usable.values()].flatMap(({ accepted }) => accepted ?? []);
    const [latest] = open.filter(({ proposal }) => proposal.slot === next).sort(latestFirst);
    // A majority may have voted for it. Only the latest one can be proposed then, and nothing else.
    if (latest !== undefined) this.#begin(latest.proposal, latest.evidence);
  }

  #propose(): void {
    if (this.#ballot === null) return;
    const last = this.#handlers.last();
    if (this.#proposed !== null && this.#proposed.proposal.slot > last.slot) return;

    if (this.#proposed !== null) {
      this.#proposed = null;
      this.#notBefore = 0;
      this.#objected = [];
      this.#pause = PAUSE_MS;
    }

    if (this.#ports.uptime() < this.#pausedUntil || this.#handlers.isIncomplete()) return;

    const lists = this.#handlers.lists();
    const isFirst = lists !== null && followsOthers(lists);
    const proposal = this.#ports.propose(
      isFirst ? null : (hasToWait) => this.#proposable(hasToWait),
      last,
      this.#dateBounds,
    );
    if (proposal !== null) this.#begin(proposal, null);
  }

  /**
   * Yields the waiting units that may share a proposal, from each key in turn. One to which a member has objected is
   * proposed alone when it is the first, so that it prevents no other one. Until then, later ones of its key wait: they
   * would otherwise always be served before it. One that cannot be proposed now delays none.
   * @param hasToWait  whether a unit cannot be proposed now
   */
  *#proposable(hasToWait: (unit: WaitingUnit) => boolean): Generator<WaitingUnit> {
    const now = this.#ports.uptime();
    const delayed = new Set<ByteString>();
    let isFirst = true;
    for (const unit of this.#handlers.waiting()) {
      if (delayed.has(unit.caller) || hasToWait(unit)) continue;
      const isDoubted = this.#doubted.has(unit.id);
      if (isDoubted && (!isFirst || now < this.#doubtedFrom)) {
        delayed.add(unit.caller);
        continue;
      }

      yield unit;
      if (isDoubted) return;
      isFirst = false;
    }
  }

  #begin(proposal: Proposal, evidence: Evidence | null): void {
    const now = this.#ports.uptime();
    const signed = this.#voter.propose(this.#ballot as Ballot, proposal);
    this.#proposed = {
      proposal,
      signed,
      evidence,
      objections: new Map(),
      hasVoted: false,
      readySince: null,
      since: now,
      sentAt: now,
    };

    this.#votes.addProposal(proposal, this.#ports.own.id, this.#handlers.last().slot);
    this.#handlers.proposing(proposal);
    this.#send(this.#proposed, now);
  }

  #send(proposed: Proposed, now: number): void {
    proposed.sentAt = now;
    const { proposal, signed, evidence } = proposed;
    const ballot = this.#ballot as Ballot;
    this.#handlers.broadcast({ kind: "propose", ballot, bodies: bodiesOf(proposal), signed, evidence });
  }

  /** Votes for the proposal, if a majority needs only this vote. */
  #vote(): void {
    const [ballot, proposed, lists] = [this.#ballot, this.#proposed, this.#handlers.lists()];
    if (ballot === null || proposed === null || proposed.hasVoted || lists === null) return;
    const { proposal, signed } = proposed;
    if (proposal.slot <= this.#handlers.last().slot) return;

    const votes = this.#votes.votesFor(proposal, ballot);
    // The other members have made the decisions, whose entries are being added.
    if (isMajority(lists.current, votes)) return;
    const ids = new Set([...votes.keys(), this.#ports.own.id]);
    if (!isMajority(lists.current, ids) || this.#isLeftToOthers(proposed, votes, lists.current)) return;

    const other = [...votes.values()][0] ?? null;
    proposed.hasVoted = this.#voter.vote(ballot, proposal, signed, other, this.#handlers.voted);
  }

  /** Whether the other members will probably make the decision without this daemon's vote. */
  #isLeftToOthers(proposed: Proposed, votes: ReadonlyMap<ByteString, Vote>, list: VotingList): boolean {
    const { own, isConnected, uptime } = this.#ports;
    const { objections } = proposed;

    const mayVote = (id: ByteString) => votes.has(id) || (isConnected(id) && !objections.has(id));
    const others = [...list.members].filter((id) => id !== own.id && mayVote(id));
    if (!isMajority(list, new Set(others))) return false;
    if (this.#hasty > 0) {
      this.#hasty--;
      return false;
    }
    proposed.readySince ??= uptime();
    if (uptime() - proposed.readySince < this.#timeouts.leaveMs) return true;
    this.#hasty = HASTY_DECISIONS;
    return false;
  }
}

/** Returns the decisions of a proposal to which members object. */
function objectedOf(
  { decisions }: Proposal,
  objections: Iterable<Pick<PromiseOf, "objected">>,
): readonly ProposedDecision[] {
  const indexes = new Set([...objections].flatMap(({ objected }) => objected));
  return decisions.filter((_, index) => indexes.has(index));
}

export const nextAttempt = (ballot: Ballot): Ballot => ({ ...ballot, attempt: ballot.attempt + 1 });

const latestFirst = (a: Accepted, b: Accepted): number =>
  compareBallots(b.evidence.vote.ballot, a.evidence.vote.ballot);
