/**
 * The total number of bytes that a listener's connections hold: unfinished requests and unsent answers. Unauthenticated
 * connections have a separate limit, which is much lower than the total limit.
 */
import type { ConnectionLimits } from "./connection-limits.js";

/** The number of requests of the maximum size that unauthenticated clients can always hold. */
const UNAUTHENTICATED_REQUESTS = 2;

export class ByteBudget {
  /** The limit in bytes, which is replaced when the daemon reads its configuration again. */
  #max = 0;
  /** The limit for all unauthenticated connections together. */
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

  /** Whether the held bytes are within both limits. */
  get isWithinLimits(): boolean {
    return this.#held <= this.#max && this.#heldUnauthenticated <= this.#maxUnauthenticated;
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
   * @param isUnauthenticated  whether an unauthenticated connection holds them
   * @returns whether the held bytes are within both limits
   */
  change(bytes: number, isUnauthenticated: boolean): boolean {
    this.#held += bytes;
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
