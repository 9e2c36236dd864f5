/** The bytes that connections hold: how many are allowed, and which connections have to be closed first. */
import type { ConnectionLimits } from "./connection-limits.js";
import type { OpenConnection } from "./open-connection.js";

/** The number of requests of the maximum size that unauthenticated clients can always hold. */
const UNAUTHENTICATED_REQUESTS = 2;

/**
 * The part of the limit that unread answers may use. A short request may have a long answer, and the answers of some
 * clients must not use the memory that other clients need for their requests.
 */
const ANSWERS_SHARE = 1 / 2;
/** The bytes of unread answers from which the garbage is bounded, until all of them are read. */
const BOUNDED_FROM_BYTES = 8 * 1024 * 1024;

/** The connections of one listener, as the budget sees them. */
export interface BudgetHolder {
  readonly all: Iterable<OpenConnection>;
  closeUnauthenticated(): void;
  close(connection: OpenConnection, what: string): void;
}

/**
 * The total number of bytes that the connections of all listeners hold: unfinished requests and unsent answers.
 * Unauthenticated connections have a separate limit, which is much lower than the total limit, and so have answers.
 */
export class ByteBudget {
  /** The listeners that share the budget. */
  readonly holders = new Set<BudgetHolder>();
  /** The limit in bytes, which is replaced when the daemon reads its configuration again. */
  #max = 0;
  /** The limit for all unauthenticated connections together. */
  #maxUnauthenticated = 0;
  #held = 0;
  #heldUnauthenticated = 0;
  #answers = 0;
  readonly #boundGarbage: (isBounded: boolean) => void;
  #isGarbageBounded = false;

  /** @param boundGarbage  begins or ends the bound of the garbage that the writing of long answers leaves */
  constructor(limits: ConnectionLimits, boundGarbage: (isBounded: boolean) => void = () => undefined) {
    this.#boundGarbage = boundGarbage;
    this.limits = limits;
  }

  get held(): number {
    return this.#held;
  }

  get heldUnauthenticated(): number {
    return this.#heldUnauthenticated;
  }

  /** Whether the held bytes are within all limits. */
  get isWithinLimits(): boolean {
    const isWithin = this.#held <= this.#max && this.#heldUnauthenticated <= this.#maxUnauthenticated;
    return isWithin && !this.#hasTooManyAnswers;
  }

  get #hasTooManyAnswers(): boolean {
    return this.#answers > this.#max * ANSWERS_SHARE;
  }

  /** Returns the number of bytes of a connection that count for the limit that is exceeded now. */
  excessOf({ heldBytes, unreadBytes }: OpenConnection): number {
    return this.#held <= this.#max && this.#hasTooManyAnswers ? unreadBytes : heldBytes;
  }

  /** Whether an unauthenticated connection must be closed before an authenticated one. */
  get isUnauthenticatedTurn(): boolean {
    return (
      this.#heldUnauthenticated > this.#maxUnauthenticated ||
      this.#heldUnauthenticated >= this.#held - this.#max
    );
  }

  /**
   * Changes the number of held bytes.
   * @param bytes       the increase, or the decrease if negative
   * @param answers     the part of it that are answers
   * @param isUnauthenticated  whether an unauthenticated connection holds them
   * @returns whether the held bytes are within all limits
   */
  change(bytes: number, answers: number, isUnauthenticated: boolean): boolean {
    this.#held += bytes;
    this.#answers += answers;
    const isBounded = this.#answers > (this.#isGarbageBounded ? 0 : BOUNDED_FROM_BYTES);
    if (isBounded !== this.#isGarbageBounded) {
      this.#isGarbageBounded = isBounded;
      this.#boundGarbage(isBounded);
    }
    if (isUnauthenticated) this.#heldUnauthenticated += bytes;
    return this.isWithinLimits;
  }

  /** Counts bytes as those of an authenticated connection from now on. */
  prove(bytes: number): void {
    this.#heldUnauthenticated -= bytes;
  }

  /** Replaces the limits. */
  set limits(limits: ConnectionLimits) {
    this.#max = limits.maxBufferedBytes;
    this.#maxUnauthenticated = maxUnauthenticatedBytes(limits);
  }
}

/**
 * Returns the limit for all unauthenticated connections together, with room for at least two requests of the maximum
 * size.
 */
function maxUnauthenticatedBytes({
  maxBufferedBytes,
  maxUnprovenBytes,
  maxRequestBytes,
}: ConnectionLimits): number {
  return Math.min(maxBufferedBytes, Math.max(maxUnprovenBytes, UNAUTHENTICATED_REQUESTS * maxRequestBytes));
}
