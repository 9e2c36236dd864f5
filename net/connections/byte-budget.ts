/**
 * How many bytes all connections of a listener hold together: unfinished requests and answers that wait. Those that have
 * proved nothing have a bound of their own, well below the one for all.
 */
import type { ConnectionLimits } from "./connection-limits.js";

/** Unauthenticated clients can hold more than one request of the largest size. */
const REQUESTS_OF_STRANGERS = 2;

export class ByteBudget {
  /** Bytes; replaced when the configuration is read again. */
  most: number;
  /** Bytes of unauthenticated connections together. */
  mostOfStrangers: number;
  #held = 0;
  #ofStrangers = 0;

  constructor(most: number, mostOfStrangers = most) {
    this.most = most;
    this.mostOfStrangers = mostOfStrangers;
  }

  get held(): number {
    return this.#held;
  }

  get heldByStrangers(): number {
    return this.#ofStrangers;
  }

  /** Whether all is within bounds. */
  get isKept(): boolean {
    return this.#held <= this.most && this.#ofStrangers <= this.mostOfStrangers;
  }

  /** Whether an unauthenticated connection is to be closed, rather than an authenticated one. */
  get isStrangersTurn(): boolean {
    return this.#ofStrangers > this.mostOfStrangers || this.#ofStrangers >= this.#held - this.most;
  }

  /**
   * @param bytes       more than before, or fewer when negative
   * @param isStranger  whether an unauthenticated connection holds them
   * @returns whether all is within bounds
   */
  change(bytes: number, isStranger: boolean): boolean {
    this.#held += bytes;
    if (isStranger) this.#ofStrangers += bytes;
    return this.isKept;
  }

  /** The given number of bytes belongs to an authenticated connection from now on. */
  prove(bytes: number): void {
    this.#ofStrangers -= bytes;
  }

  /** New bounds. */
  set limits(limits: ConnectionLimits) {
    this.most = limits.maxBufferedBytes;
    this.mostOfStrangers = strangersMost(limits);
  }
}

/** Returns what unauthenticated connections may hold together: at least room for some requests of the largest size. */
export function strangersMost({
  maxBufferedBytes,
  maxUnprovenBytes,
  maxRequestBytes,
}: ConnectionLimits): number {
  return Math.min(maxBufferedBytes, Math.max(maxUnprovenBytes, REQUESTS_OF_STRANGERS * maxRequestBytes));
}
