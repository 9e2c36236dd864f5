/**
 * How many bytes all connections of a listener hold together: unfinished requests and answers that wait. Those that have
 * proved nothing have a bound of their own, well below the one for all.
 */
import type { ConnectionLimits } from "./connection-limits.js";

/** Unauthenticated clients can hold more than one request of the largest size. */
const UNAUTHENTICATED_REQUESTS = 2;

export class ByteBudget {
  /** Bytes; replaced when the configuration is read again. */
  #max = 0;
  /** Bytes of unauthenticated connections together. */
  #maxUnauthenticated = 0;
  #held = 0;
  #heldUnauthenticated = 0;

  constructor(limits: ConnectionLimits) {
    this.limits = limits;
  }

  get held(): number {
    return this.#held;
  }

  get heldUnauthenticated(): number {
    return this.#heldUnauthenticated;
  }

  /** Whether all is within bounds. */
  get isKept(): boolean {
    return this.#held <= this.#max && this.#heldUnauthenticated <= this.#maxUnauthenticated;
  }

  /** Whether an unauthenticated connection is to be closed, rather than an authenticated one. */
  get isUnauthenticatedTurn(): boolean {
    return (
      this.#heldUnauthenticated > this.#maxUnauthenticated ||
      this.#heldUnauthenticated >= this.#held - this.#max
    );
  }

  /**
   * @param bytes       more than before, or fewer when negative
   * @param isUnauthenticated  whether an unauthenticated connection holds them
   * @returns whether all is within bounds
   */
  change(bytes: number, isUnauthenticated: boolean): boolean {
    this.#held += bytes;
    if (isUnauthenticated) this.#heldUnauthenticated += bytes;
    return this.isKept;
  }

  /** The given number of bytes belongs to an authenticated connection from now on. */
  prove(bytes: number): void {
    this.#heldUnauthenticated -= bytes;
  }

  /** New bounds. */
  set limits(limits: ConnectionLimits) {
    this.#max = limits.maxBufferedBytes;
    this.#maxUnauthenticated = maxUnauthenticatedBytes(limits);
  }
}

/** Returns what unauthenticated connections may hold together: at least room for some requests of the largest size. */
function maxUnauthenticatedBytes({
  maxBufferedBytes,
  maxUnprovenBytes,
  maxRequestBytes,
}: ConnectionLimits): number {
  return Math.min(maxBufferedBytes, Math.max(maxUnprovenBytes, UNAUTHENTICATED_REQUESTS * maxRequestBytes));
}
