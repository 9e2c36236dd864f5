/**
 * Compares the entries here with those of one member, and sends the entries that the member is missing: the key ring
 * first, then data, oldest first. Either side may begin an exchange. The exchange is over when both sides have
 * pushed all entries that the other side is missing, and have processed all entries that they received.
 * daemon/timeline/compare/reconcile.ts creates the contents of the messages; this class decides when they are sent.
 */

import { MalformedFrame } from "../../../../protocol/errors.js";
import type { Totals } from "../../../../protocol/members/member-elements.js";
import type { ExchangeMessage } from "../../../../protocol/members/member-messages.js";
import { OtherProtocol } from "../../../../protocol/version-2/messages-v2.js";
import type { Work } from "../../../net/process/background-work.js";
import { type DigestSet, isSameDigest } from "../../../timeline/compare/digest-index.js";
import { RangeCursor } from "../../../timeline/compare/order-key-ranges.js";
import { answer, start } from "../../../timeline/compare/reconcile.js";
import type { ClusterState } from "../shared/cluster-state.js";
import type { MemberOutbox } from "./member-outbox.js";

/**
 * After an exchange that has transferred at least this number of entries, the next exchange follows immediately. After
 * a smaller one it does not, because any entries that still differ were probably written in the meantime.
 */
const FEW = 256;
/**
 * The number of consecutive statuses whose totals must differ before an exchange begins. A single difference may be due
 * to entries in flight.
 */
const DIFFERING_STATUSES = 2;
const SALT_MAX = 2 ** 31;
/**
 * The maximum number of unanswered steps of a member. An honest member sends the next step only after it has received a
 * reply, or has abandoned the exchange.
 */
const STEPS_MAX = 4;

/** The member to compare with. */
export interface Reconciled {
  readonly connection: { readonly side: "opener" | "answerer"; send(message: ExchangeMessage): void };
  readonly outbox: MemberOutbox;
  /** The number of new entries that the member has sent on this connection. */
  readonly entriesReceived: number;
  /** How often entries that the member has sent on this connection had to wait for a member list. */
  readonly timesHeldBack: number;
  /** How often entries that the member has sent on this connection may be missing here. */
  readonly timesMissed: number;
  malformed(detail: string): void;
  /** Called for a step of another format. @param found  what it contains */
  otherProtocol(found: string): void;
  /** Called when answering one of the member's steps threw an exception. */
  failed(problem: unknown): void;
  /** Runs a step once all entries received so far are on disk, or were refused. */
  afterReceived(step: () => void): void;
  /**
   * Called when the data has been compared, and this daemon was missing few or no entries.
   * @param timesMissed  the value of `timesMissed` when the comparison began
   */
  onCaughtUp(timesMissed: number): void;
  /** Called when an exchange has ended. The totals may then be sent. */
  onExchanged(): void;
}

interface Exchange {
  readonly session: number;
  readonly isOwn: boolean;
  set: DigestSet;
  /** Whether the comparison is complete. */
  isCompared: boolean;
  /** The number of lists that are being pushed. */
  openLists: number;
  /** The number of entries pushed. */
  pushedCount: number;
  /** The value of the member's `entriesReceived` when the exchange began. */
  readonly receivedBefore: number;
  /** The value of the member's `timesHeldBack` when the exchange began. */
  readonly heldBackBefore: number;
  /** The value of the member's `timesMissed` when the exchange began. */
  readonly missedBefore: number;
  /** The value of the outbox's `skips` when the exchange began. */
  readonly skipsBefore: number;
  /** Whether this daemon has sent `given`: it has pushed all entries of the exchange. */
  hasSentEnd: boolean;
  /** Whether the member has sent `given`. */
  hasReceivedEnd: boolean;
  /** Whether this daemon's entries were replaced after the exchange began. */
  isStale: boolean;
  /** Whether the member has sent a message of this exchange, and therefore knows about it. */
  isKnownToMember: boolean;
  /** Functions that cancel the remaining pushes. */
  readonly cancels: (() => void)[];
}

export class Reconciling {
  readonly #cluster: ClusterState;
  readonly #member: Reconciled;
  #exchange: Exchange | null = null;
  /** When the last progress was made. */
  #movedAt = 0;
  /** Steps of the member that have not been answered. */
  readonly #steps: { readonly exchange: Exchange; readonly step: Buffer }[] = [];
  #isAnswering = false;
  #session: number;
  #nextAt: number;
  /** The number of consecutive statuses that reported a difference. */
  #differing = 0;
  #hasTotals = false;
  /** When to compare the key rings, even if the totals are equal, because an envelope had an unknown signer. */
  #ringAt = Number.POSITIVE_INFINITY;
  #ringAgainAt = 0;

  constructor(cluster: ClusterState, member: Reconciled) {
    this.#cluster = cluster;
    this.#member = member;
    // One side numbers its exchanges with odd numbers and the other side with even numbers, so that each number is
    // unique.
    this.#session = this.#isOpener ? -1 : 0;
    const now = cluster.uptime();
    this.#nextAt = this.#isOpener ? now : now + cluster.limits.reconcileMinMs / 4;
  }

  /** Whether this side begins an exchange when both sides could begin one. */
  get #isOpener(): boolean {
    return this.#member.connection.side === "opener";
  }

  /** @param theirs  the totals of the member's last status, or null if there is none yet */
  tick(now: number, theirs: Totals | null): void {
    const { reconcileMs } = this.#cluster.limits;
    if (this.#exchange !== null && now - this.#movedAt > reconcileMs) {
      this.#giveUp();
      this.#nextAt = now + this.#pause();
    }

    if (this.#exchange !== null || theirs === null || this.#cluster.timeline.state !== "live") return;
    if (now >= this.#ringAt) this.#begin("ring", now);
    else if (now >= this.#nextAt && this.#differing >= DIFFERING_STATUSES && !this.#isEqual(theirs)) {
      this.#begin(this.#isSame("ring", theirs) ? "data" : "ring", now);
    }
  }

  /** Receives the totals of a member's status. */
  receiveTotals(theirs: Totals): void {
    const isEqual = this.#isEqual(theirs);
    if (isEqual) {
      this.#member.onCaughtUp(this.#member.timesMissed);
      this.#member.outbox.missingPushed(this.#member.outbox.skips);
    }
    // A single difference may be due to entries in flight, except in the first status of a member that has just
    // connected.
    this.#differing = isEqual ? 0 : this.#hasTotals ? this.#differing + 1 : DIFFERING_STATUSES;
    this.#hasTotals = true;
  }

  /** Compares all entries again, because this daemon's entries were replaced. */
  restart(): void {
    // Complete an exchange that the member has begun: otherwise the member would wait for the end of that exchange.
    if (this.#exchange?.isOwn === false) this.#exchange.isStale = true;
    else this.#giveUp();
    this.#differing = DIFFERING_STATUSES;
    this.#nextAt = this.#cluster.uptime();
  }

  /** Called when an envelope from an unknown signer was received. */
  compareRing(): void {
    const now = this.#cluster.uptime();
    this.#ringAt = Math.min(this.#ringAt, Math.max(now, this.#ringAgainAt));
  }

  /** Records progress, because a push was received or acknowledged that may belong to an exchange. */
  moved(): void {
    this.#movedAt = this.#cluster.uptime();
  }

  /** Receives a step from the member. Steps are answered one at a time. */
  step(session: number, step: Buffer): void {
    this.moved();
    const exchange = this.#exchangeOf(session);
    if (exchange === null) return;
    exchange.isKnownToMember = true;

    if (this.#steps.length >= STEPS_MAX) {
      this.#member.malformed("reconciliation: it does not wait for answers");
      return;
    }

    this.#steps.push({ exchange, step });
    if (this.#isAnswering) return;

    this.#isAnswering = true;
    this.#cluster.slices.add(this.#answerAll());
  }

  /** Called when the connection is closed. */
  stop(): void {
    this.#giveUp();
  }

  /** Called when the member has pushed all entries that an exchange required. */
  onAllPushed(session: number): void {
    this.moved();
    if (this.#exchange?.session === session) this.#exchange.isKnownToMember = true;
    this.#member.afterReceived(() => {
      const exchange = this.#exchange;
      if (exchange === null || exchange.session !== session) return;
      exchange.hasReceivedEnd = true;
      exchange.isCompared = true;
      this.#consider(exchange);
    });
  }

  #isSame(set: DigestSet, theirs: Totals): boolean {
    return isSameDigest(this.#cluster.timeline.index.total(set), theirs[set]);
  }

  #isEqual(theirs: Totals): boolean {
    return this.#isSame("ring", theirs) && this.#isSame("data", theirs);
  }

  #begin(set: DigestSet, now: number): void {
    if (set === "ring") {
      this.#ringAt = Number.POSITIVE_INFINITY;
      this.#ringAgainAt = now + this.#cluster.limits.reconcileMinMs;
    }
    this.#session += 2;
    const exchange = this.#take(this.#session, true, set);
    this.#cluster.slices.add(this.#start(exchange));
  }

  *#start(exchange: Exchange): Work {
    const peering = this.#cluster;
    const salt = Math.floor(peering.random() * SALT_MAX);
    const step = yield* start(peering.timeline.index, exchange.set, salt);
    if (this.#exchange === exchange)
      this.#member.connection.send({ kind: "reconcile", session: exchange.session, step });
  }

  *#answerAll(): Work {
    for (let [next] = this.#steps; next !== undefined; [next] = this.#steps) {
      if (next.exchange === this.#exchange) yield* this.#answer(next.exchange, next.step);
      this.#steps.shift();
    }
    this.#isAnswering = false;
  }

  *#answer(exchange: Exchange, step: Buffer): Work {
    const { index } = this.#cluster.timeline;
    try {
      const { set, reply, toSend } = yield* answer(index, step);
      if (this.#exchange !== exchange) return;

      exchange.set = set;
      if (reply === null) exchange.isCompared = true;
      else this.#member.connection.send({ kind: "reconcile", session: exchange.session, step: reply });
      if (toSend.length > 0) this.#pushList(exchange, new RangeCursor(index, set, toSend));
      this.#consider(exchange);
    } catch (problem) {
      if (problem instanceof OtherProtocol) this.#member.otherProtocol(problem.found);
      else if (problem instanceof MalformedFrame)
        this.#member.malformed(`reconciliation: ${problem.message}`);
      else this.#member.failed(problem);
    }
  }

  #pushList(exchange: Exchange, cursor: RangeCursor): void {
    exchange.openLists++;
    const pushed = () => {
      exchange.pushedCount++;
      this.moved();
    };
    const done = () => {
      exchange.openLists--;
      this.#consider(exchange);
    };
    exchange.cancels.push(this.#member.outbox.pushList(cursor, pushed, done));
  }

  /** Returns the exchange that a message belongs to, or null if that exchange was abandoned. */
  #exchangeOf(session: number): Exchange | null {
    const isOwn = session % 2 === (this.#isOpener ? 1 : 0);
    const current = this.#exchange;
    if (current?.session === session) return current;
    // If both sides began an exchange at the same moment, the opener's exchange continues. But if the member already
    // knew about that exchange and still begins another, it has abandoned the first one.
    if (isOwn || (current?.isOwn && this.#isOpener && !current.isKnownToMember)) return null;
    return this.#take(session, false, "data");
  }

  #take(session: number, isOwn: boolean, set: DigestSet): Exchange {
    this.#giveUp();
    this.moved();
    this.#exchange = {
      session,
      isOwn,
      set,
      isCompared: false,
      openLists: 0,
      pushedCount: 0,
      hasSentEnd: false,
      hasReceivedEnd: false,
      isKnownToMember: false,
      isStale: false,
      cancels: [],
      receivedBefore: this.#member.entriesReceived,
      heldBackBefore: this.#member.timesHeldBack,
      missedBefore: this.#member.timesMissed,
      skipsBefore: this.#member.outbox.skips,
    };
    return this.#exchange;
  }

  /** Abandons the exchange. The next exchange transfers the entries that were not pushed. */
  #giveUp(): void {
    for (const cancel of this.#exchange?.cancels ?? []) cancel();
    this.#exchange = null;
  }

  /** Reports when all entries have been sent, and ends the exchange when both sides have reported it. */
  #consider(exchange: Exchange): void {
    if (this.#exchange !== exchange) return;
    if (exchange.isCompared && exchange.openLists === 0 && !exchange.hasSentEnd) {
      exchange.hasSentEnd = true;
      this.#member.connection.send({ kind: "given", session: exchange.session });
      if (exchange.set === "data") this.#member.outbox.missingPushed(exchange.skipsBefore);
    }
    if (exchange.hasSentEnd && exchange.hasReceivedEnd) this.#end(exchange);
  }

  #end(exchange: Exchange): void {
    const { set, isOwn, pushedCount, receivedBefore, heldBackBefore, missedBefore, isStale } = exchange;
    const now = this.#cluster.uptime();
    const received = this.#member.entriesReceived - receivedBefore;

    this.#exchange = null;
    this.#member.onExchanged();
    this.#nextAt = isStale ? now : now + this.#pause();
    // Otherwise a new member could count as complete, and be the only one that remains, without acknowledged decisions.
    const isHeldBack = this.#member.timesHeldBack > heldBackBefore;
    if (set === "data" && received < FEW && !isStale && !isHeldBack) this.#member.onCaughtUp(missedBefore);
    // Only the side that began this exchange begins the next one, so that the two sides do not begin at the same time.
    if (isOwn && (set === "ring" || received + pushedCount >= FEW)) this.#begin("data", now);
  }

  /** Returns the milliseconds until the next comparison; they vary, so that daemons do not compare at the same time. */
  #pause(): number {
    const { reconcileMinMs, reconcileMaxMs } = this.#cluster.limits;
    return reconcileMinMs + this.#cluster.random() * (reconcileMaxMs - reconcileMinMs);
  }
}
