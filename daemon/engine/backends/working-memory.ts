/**
 * The working memory of all queries that run in steps: what they store between two steps, while other commands run. All
 * queries of a daemon share one budget. Source: docs/decisions/0064-one-budget-of-working-memory.md.
 *
 * An eighth of the budget is divided into equal shares, and a query begins with one of them. The rest is the large
 * share, for one query at a time. A query that outgrows its share takes the large share if it is free. Otherwise its
 * work is discarded, and it waits and begins again. So a query that waits holds nothing, and no query waits for another
 * query that waits. Queries only read, so a discarded one had no effect.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply, SteppedReply } from "../../../protocol/lazy-replies.js";
import { error, type Reply } from "../../../protocol/reply.js";
import { inTurns } from "../../../protocol/steps.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { type MemoryGrant, WorkingMemoryExceeded } from "../../store/keyspace/effort-budget.js";
import { refused, replyOf } from "../answers/request.js";
import type { BackendFailure } from "./backend.js";
import { FairQueue } from "./fair-queue.js";
import { FairShares } from "./fair-shares.js";
import type { UnitSender } from "./local-units.js";

/** Number of equal shares, which is the number of queries that run at the same time, in addition to the large one. */
export const SHARES = 16;
/** Part of the budget that is divided into equal shares. The rest is the large share. */
const EQUAL_PART = 1 / 8;
/** Bytes in use from which the garbage of queries is bounded, because each of them may leave as much. */
const BOUNDED_FROM_BYTES = 8 * 1024 * 1024;
/** Memory of a waiting query in addition to the bytes of its arguments. */
const WAITING_BYTES = 1024;

/** The default budget, for tests and for daemons without settings. */
const BYTES_DEFAULT = 256 * 1024 * 1024;
const WAIT_DEFAULT_MS = 30_000;

export interface WorkingMemoryLimits {
  readonly bytes: number;
  /** Maximum milliseconds that a query waits until it begins to run for the last time. */
  readonly wait: number;
}

export interface WorkingMemoryFigures {
  /** The bytes that queries hold now, by their own account. */
  readonly used: number;
  /** The most bytes that queries have held at the same time. */
  readonly peak: number;
  readonly limit: number;
  /** The number of queries that wait. */
  readonly waiting: number;
}

export interface Query {
  /** The user or key that sent the query. */
  readonly caller: ByteString;
  readonly argv: readonly ByteString[];
  /** Begins the query, perhaps for the second time. @returns the reply, whose steps may not have run yet */
  readonly start: (memory: MemoryGrant) => Reply;
  /**
   * The client. Without `keepMemory`, the memory is released with the reply. When the client has disconnected, the
   * query ends at its next step; if the client is absent, the query always runs to its end.
   */
  readonly sender?: QuerySender | undefined;
}

export type QuerySender = Pick<UnitSender, "keepMemory" | "isGone">;

type Answer = Reply | BackendFailure;

/** A query that waits, or has waited. */
interface Waiter extends Query {
  readonly bytes: number;
  /** Receives the answer, or a promise for it. */
  settle: (answer: Answer | Promise<Answer>) => void;
  isLate: boolean;
  cancel: () => void;
}

const OUTGROWN = Symbol("outgrown");

export class WorkingMemory {
  limits: WorkingMemoryLimits;
  readonly #environment: Environment;
  #used = 0;
  #peak = 0;
  readonly #shares = new FairShares();
  /** The query with the large share, or null if it is free. */
  #large: Grant | null = null;
  /** The queries that wait for one of the equal shares. */
  readonly #waiting = new FairQueue<Waiter>();
  /** The queries that outgrew their share, and wait for the large one. */
  readonly #outgrown = new FairQueue<Waiter>();
  #waitingBytes = 0;
  #isServing = false;
  readonly #boundGarbage: (isBounded: boolean) => void;
  #isGarbageBounded = false;

  /** @param boundGarbage  begins or ends the bound of V8's garbage */
  constructor(
    environment: Environment,
    limits: WorkingMemoryLimits = { bytes: BYTES_DEFAULT, wait: WAIT_DEFAULT_MS },
    boundGarbage: (isBounded: boolean) => void = () => undefined,
  ) {
    this.#boundGarbage = boundGarbage;
    this.#environment = environment;
    this.limits = limits;
  }

  get figures(): WorkingMemoryFigures {
    return { used: this.#used, peak: this.#peak, limit: this.limits.bytes, waiting: this.#waitingCount };
  }

  get #waitingCount(): number {
    return this.#waiting.size + this.#outgrown.size;
  }

  /** Maximum bytes of a query with one of the equal shares. */
  get shareBytes(): number {
    return Math.floor((this.limits.bytes * EQUAL_PART) / SHARES);
  }

  /** Maximum bytes of one query. */
  get largeBytes(): number {
    return this.limits.bytes - this.shareBytes * SHARES;
  }

  /**
   * Runs a query in turns of the event loop, the first one immediately if a share is free.
   * @returns the reply, or a promise for it if the query needs more than one turn, or waits; a promise never rejects
   */
  run(query: Query): Answer | Promise<Answer> {
    // A waiting query that could begin now begins first.
    const isBehind = this.#waiting.has(query.caller) || (this.#isServing && this.#waiting.size > 0);
    if (!isBehind && this.#shares.take(query.caller, 1, SHARES))
      return this.#begin(query, null, new Grant(this, query.caller, this.shareBytes));
    return this.#wait(query, null, this.#waiting);
  }

  /** Reserves bytes for a query. @throws WorkingMemoryExceeded */
  take(grant: Grant, bytes: number): void {
    if (grant.bytes + bytes > grant.max) this.#enlarge(grant, bytes);
    grant.bytes += bytes;
    this.#used += bytes;
    if (this.#used > this.#peak) this.#peak = this.#used;
    if (this.#used > BOUNDED_FROM_BYTES && !this.#isGarbageBounded) this.#setBounded(true);
  }

  #setBounded(isBounded: boolean): void {
    this.#isGarbageBounded = isBounded;
    this.#boundGarbage(isBounded);
  }

  /**
   * Gives a query the large share in place of its own.
   * @throws WorkingMemoryExceeded if it is not free, or too small
   */
  #enlarge(grant: Grant, bytes: number): void {
    const isFree = this.#large === null && this.#outgrown.size === 0;
    if (grant.isLarge || !isFree) throw new WorkingMemoryExceeded();
    this.#shares.give(grant.caller, 1);
    this.#makeLarge(grant);
    this.#serveLater();
    if (grant.bytes + bytes > grant.max) throw new WorkingMemoryExceeded();
  }

  #makeLarge(grant: Grant): void {
    this.#large = grant;
    grant.isLarge = true;
    grant.max = this.largeBytes;
  }

  #begin(query: Query, waiter: Waiter | null, grant: Grant): Answer | Promise<Answer> {
    const release = () => this.#release(grant);
    const clock = { uptime: this.#environment.uptime, soon: setImmediate };
    let found: ReturnType<typeof inTurns<Reply | typeof OUTGROWN>>;
    try {
      found = inTurns(answering(query, grant), clock);
    } catch (problem) {
      release();
      throw problem;
    }

    if (!(found instanceof Promise)) return this.#answered(found, query, waiter, grant);
    return found.then(
      (result) => this.#answered(result, query, waiter, grant),
      (problem: unknown) => {
        release();
        throw problem;
      },
    );
  }

  #answered(
    result: Reply | typeof OUTGROWN,
    query: Query,
    waiter: Waiter | null,
    grant: Grant,
  ): Answer | Promise<Answer> {
    if (result === OUTGROWN) {
      this.#release(grant);
      if (!grant.isLarge) return this.#wait(query, waiter, this.#outgrown);
      waiter?.cancel();
      return tooLarge(this.largeBytes);
    }
    waiter?.cancel();
    const keepMemory = query.sender?.keepMemory;
    if (keepMemory !== undefined && result.kind !== "error") keepMemory(() => this.#release(grant));
    else this.#release(grant);
    return result;
  }

  #release(grant: Grant): void {
    if (grant.isReleased) return;
    grant.isReleased = true;
    this.#used -= grant.bytes;
    if (this.#used === 0 && this.#isGarbageBounded && this.#waitingCount === 0) this.#setBounded(false);
    if (grant.isLarge) this.#large = null;
    else this.#shares.give(grant.caller, 1);
    this.#serveLater();
  }

  /** @param before  the query as it waited before, or null if it has not waited yet */
  #wait(query: Query, before: Waiter | null, queue: FairQueue<Waiter>): Answer | Promise<Answer> {
    const waiter = before ?? this.#waiterOf(query);
    if (waiter.isLate || this.#waitingBytes + waiter.bytes > this.limits.bytes) {
      waiter.cancel();
      return BUSY;
    }
    this.#waitingBytes += waiter.bytes;
    queue.add(waiter);
    this.#serveLater();
    return new Promise((resolve) => {
      waiter.settle = resolve;
    });
  }

  #waiterOf(query: Query): Waiter {
    const bytes = query.argv.reduce((sum, { length }) => sum + length, WAITING_BYTES);
    const waiter: Waiter = { ...query, bytes, settle: () => {}, isLate: false, cancel: () => {} };
    waiter.cancel = this.#environment.setTimer(this.limits.wait, () => {
      waiter.isLate = true;
      if (!this.#waiting.remove(waiter) && !this.#outgrown.remove(waiter)) return;
      this.#waitingBytes -= waiter.bytes;
      waiter.settle(BUSY);
    });
    return waiter;
  }

  /** Begins one waiting query for each free share, in a later turn. */
  #serveLater(): void {
    if (this.#isServing || this.#waitingCount === 0) return;
    this.#isServing = true;
    setImmediate(() => {
      this.#isServing = false;
      this.#serve();
    });
  }

  /** Begins at most one query of each kind, because each of them takes a turn. */
  #serve(): void {
    const small = this.#waiting.next((caller) => this.#shares.take(caller, 1, SHARES));
    if (small !== null) this.#resume(small, new Grant(this, small.caller, this.shareBytes));
    const large = this.#large === null ? this.#outgrown.next(() => true) : null;
    if (large !== null) {
      const grant = new Grant(this, large.caller, 0);
      this.#makeLarge(grant);
      this.#resume(large, grant);
    }
    if (small !== null || large !== null) this.#serveLater();
  }

  #resume(waiter: Waiter, grant: Grant): void {
    this.#waitingBytes -= waiter.bytes;
    try {
      waiter.settle(this.#begin(waiter, waiter, grant));
    } catch (problem) {
      waiter.settle(Promise.reject(problem as Error));
    }
  }
}

/** What one query holds. */
class Grant implements MemoryGrant {
  readonly #memory: WorkingMemory;
  readonly caller: ByteString;
  bytes = 0;
  max: number;
  isLarge = false;
  isReleased = false;

  constructor(memory: WorkingMemory, caller: ByteString, max: number) {
    this.#memory = memory;
    this.caller = caller;
    this.max = max;
  }

  take(bytes: number): void {
    this.#memory.take(this, bytes);
  }
}

/** Whether no client waits for the reply any longer. */
const isAbandoned = ({ sender }: Query): boolean => sender?.isGone === true;

function* answering(query: Query, grant: Grant): Generator<void, Reply | typeof OUTGROWN> {
  if (isAbandoned(query)) return UNWANTED;
  try {
    const reply = query.start(grant);
    if (reply instanceof SteppedReply)
      for (const _ of reply.steps()) {
        // Leaving the loop ends the work of the query.
        if (isAbandoned(query)) return UNWANTED;
        yield;
      }
    return finishReply(reply);
  } catch (problem) {
    if (problem instanceof CommandFailure) return problem.reply;
    if (problem instanceof WorkingMemoryExceeded) return OUTGROWN;
    throw problem;
  }
}

/** Returns the reply to a client without envelopes, to which a refusal is an error. */
export function replyToUser(answer: Answer | Promise<Answer>): Reply | Promise<Reply> {
  return answer instanceof Promise ? answer.then(asReply) : asReply(answer);
}

function asReply(answer: Answer): Reply {
  return answer.kind === "failed" ? replyOf(refused(answer.code, answer.detail)) : answer;
}

const tooLarge = (bytes: number): BackendFailure => ({
  kind: "failed",
  code: "working-memory",
  detail: `it needs more than ${bytes} bytes`,
  effect: "not-applied",
});

/** The reply to a client that has disconnected. */
const UNWANTED = error("ERR the client has disconnected");

const BUSY: BackendFailure = {
  kind: "failed",
  code: "working-memory-busy",
  detail: "other queries hold the working memory",
  effect: "not-applied",
};
