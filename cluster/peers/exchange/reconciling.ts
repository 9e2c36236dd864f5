/**
 * Compares with one member what both hold, and sends what the other one misses: the key ring first, then data, oldest
 * first. An exchange is begun by one side and is over for both when each has pushed all it had to send and has dealt
 * with all it received. timeline/compare/reconcile.ts makes the contents of the messages; this class knows whose turn
 * it is.
 */

import type { Work } from "../../../net/process/turns.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import type { Totals } from "../../../protocol/members/member-totals.js";
import { type DigestSet, isSameDigest } from "../../../timeline/compare/digest-index.js";
import { RangeCursor } from "../../../timeline/compare/ranges.js";
import { answer, start } from "../../../timeline/compare/reconcile.js";
import type { ClusterState } from "../shared/cluster-state.js";
import type { ExchangeMessage } from "../shared/exchange-message.js";
import type { Outbox } from "./outbox.js";

/** An exchange that moved fewer entries has found everything; the rest was written meanwhile. */
const FEW = 256;
/** Times in a row that the totals must differ, before it counts as more than what is on its way. */
const DIFFERING_STATUSES = 2;
const SALT_MAX = 2 ** 31;
/** Steps that wait for their turn: a member sends the next one when it has been answered, or has given the exchange up. */
const STEPS_MAX = 4;

/** The member to compare with. */
export interface Reconciled {
  readonly connection: { readonly side: "opener" | "answerer"; send(message: ExchangeMessage): void };
  readonly outbox: Outbox;
  /** New entries that it has sent on this connection. */
  readonly entriesReceived: number;
  malformed(detail: string): void;
  /** Answering a step of it threw an exception. */
  failed(problem: unknown): void;
  /** Runs a step once everything received before is on disk, or refused. */
  afterReceived(step: () => void): void;
  /** Data has been compared, and little was missing here. */
  onCaughtUp(): void;
  /** Called when an exchange has ended: the totals may be sent. */
  onExchanged(): void;
}

interface Exchange {
  readonly session: number;
  readonly isOwn: boolean;
  set: DigestSet;
  /** Whether nothing more is to be compared. */
  isCompared: boolean;
  /** Lists that are being pushed. */
  giving: number;
  /** Entries pushed. */
  given: number;
  /** `received` when it began. */
  readonly receivedBefore: number;
  hasSaidGiven: boolean;
  hasHeardGiven: boolean;
  /** Whether it compares entries that were here before. */
  isStale: boolean;
  /** Whether the member has sent a message of it, so that it knows of it. */
  hasHeard: boolean;
  /** Functions that cancel what is still to be pushed. */
  readonly cancels: (() => void)[];
}

export class Reconciling {
  readonly #cluster: ClusterState;
  readonly #member: Reconciled;
  #exchange: Exchange | null = null;
  /** When something last moved. */
  #movedAt = 0;
  /** Steps of the member that have not been answered. */
  readonly #steps: { readonly exchange: Exchange; readonly step: Buffer }[] = [];
  #isAnswering = false;
  #session: number;
  #nextAt: number;
  /** Statuses in a row that reported a difference. */
  #differing = 0;
  #hasHeard = false;
  /** When the ring is to be compared because of an unknown signer, even without a sign of a difference. */
  #ringAt = Number.POSITIVE_INFINITY;
  #ringAgainAt = 0;

  constructor(cluster: ClusterState, member: Reconciled) {
    this.#cluster = cluster;
    this.#member = member;
    // Odd and even, so that the two sides never mean different exchanges by one number.
    this.#session = this.#isOpener ? -1 : 0;
    const now = cluster.uptime();
    this.#nextAt = this.#isOpener ? now : now + cluster.limits.reconcileMinMs / 4;
  }

  /** Whether this side begins first when both could. */
  get #isOpener(): boolean {
    return this.#member.connection.side === "opener";
  }

  get isBusy(): boolean {
    return this.#exchange !== null;
  }

  /** @param theirs  the totals of the member's last status; null: none yet */
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

  /** Takes the totals of a member's status. */
  heard(theirs: Totals): void {
    const isEqual = this.#isEqual(theirs);
    if (isEqual) this.#member.onCaughtUp();
    // What is new on one side only is on its way; but a member that has just connected has missed something.
    this.#differing = isEqual ? 0 : this.#hasHeard ? this.#differing + 1 : DIFFERING_STATUSES;
    this.#hasHeard = true;
  }

  /** Compares everything again: the set of entries here has changed. */
  again(): void {
    // One that the member has begun is completed, or the member would wait for that.
    if (this.#exchange?.isOwn === false) this.#exchange.isStale = true;
    else this.#giveUp();
    this.#differing = DIFFERING_STATUSES;
    this.#nextAt = this.#cluster.uptime();
  }

  /** An envelope of an unknown signer was received. */
  compareRing(): void {
    const now = this.#cluster.uptime();
    this.#ringAt = Math.min(this.#ringAt, Math.max(now, this.#ringAgainAt));
  }

  /** A push was received or accepted: it may belong to an exchange. */
  moved(): void {
    this.#movedAt = this.#cluster.uptime();
  }

  /** Takes a step of the member; one at a time is answered. */
  step(session: number, step: Buffer): void {
    this.moved();
    const exchange = this.#exchangeOf(session);
    if (exchange === null) return;
    exchange.hasHeard = true;
    if (this.#steps.length >= STEPS_MAX) {
      this.#member.malformed("reconciliation: it does not wait for answers");
      return;
    }
    this.#steps.push({ exchange, step });
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    this.#cluster.slices.add(this.#answerAll());
  }

  /** The connection is closed. */
  stop(): void {
    this.#giveUp();
  }

  /** The member has pushed all that an exchange made it send. */
  given(session: number): void {
    this.moved();
    if (this.#exchange?.session === session) this.#exchange.hasHeard = true;
    this.#member.afterReceived(() => {
      const exchange = this.#exchange;
      if (exchange === null || exchange.session !== session) return;
      exchange.hasHeardGiven = true;
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
      if (toSend.length > 0) this.#give(exchange, new RangeCursor(index, set, toSend));
      this.#consider(exchange);
    } catch (problem) {
      if (problem instanceof MalformedFrame) this.#member.malformed(`reconciliation: ${problem.message}`);
      else this.#member.failed(problem);
    }
  }

  #give(exchange: Exchange, cursor: RangeCursor): void {
    exchange.giving++;
    const pushed = () => {
      exchange.given++;
      this.moved();
    };
    const done = () => {
      exchange.giving--;
      this.#consider(exchange);
    };
    exchange.cancels.push(this.#member.outbox.give(cursor, pushed, done));
  }

  /** Returns the exchange that a message belongs to; null: one that has been given up. */
  #exchangeOf(session: number): Exchange | null {
    const isOwn = session % 2 === (this.#isOpener ? 1 : 0);
    const current = this.#exchange;
    if (current?.session === session) return current;
    // If two began at the same moment the opener's continues. A member that knows of it and begins another has given
    // it up.
    if (isOwn || (current?.isOwn && this.#isOpener && !current.hasHeard)) return null;
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
      giving: 0,
      given: 0,
      hasSaidGiven: false,
      hasHeardGiven: false,
      hasHeard: false,
      isStale: false,
      cancels: [],
      receivedBefore: this.#member.entriesReceived,
    };
    return this.#exchange;
  }

  /** Leaves what would still have been pushed to the next exchange. */
  #giveUp(): void {
    for (const cancel of this.#exchange?.cancels ?? []) cancel();
    this.#exchange = null;
  }

  /** Reports that everything is sent, and ends the exchange, if so. */
  #consider(exchange: Exchange): void {
    if (this.#exchange !== exchange) return;
    if (exchange.isCompared && exchange.giving === 0 && !exchange.hasSaidGiven) {
      exchange.hasSaidGiven = true;
      this.#member.connection.send({ kind: "given", session: exchange.session });
    }
    if (exchange.hasSaidGiven && exchange.hasHeardGiven) this.#end(exchange);
  }

  #end({ set, isOwn, given, receivedBefore, isStale }: Exchange): void {
    const now = this.#cluster.uptime();
    const received = this.#member.entriesReceived - receivedBefore;
    this.#exchange = null;
    this.#member.onExchanged();
    this.#nextAt = isStale ? now : now + this.#pause();
    if (set === "data" && received < FEW && !isStale) this.#member.onCaughtUp();
    // The side that began continues; the other one would begin at the same time.
    if (isOwn && (set === "ring" || received + given >= FEW)) this.#begin("data", now);
  }

  /** Returns milliseconds to the next comparison, not the same for all. */
  #pause(): number {
    const { reconcileMinMs, reconcileMaxMs } = this.#cluster.limits;
    return reconcileMinMs + this.#cluster.random() * (reconcileMaxMs - reconcileMinMs);
  }
}
