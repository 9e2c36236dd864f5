/**
 * How many bytes all connections of a listener hold together: unfinished requests and answers that wait. Those that have
 * proved nothing have a bound of their own, well below the one for all.
 */
import type { ConnectionLimits } from "./connection-limits.js";

/** One large request of a stranger must not be all that strangers may hold. */
const REQUESTS_OF_STRANGERS = 2;

export class ByteBudget {
  /** Bytes; replaced when the configuration is read again. */
  most: number;
  /** Of strangers together. */
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

  /** Whether somebody who has proved nothing is to go, rather than somebody who has. */
  get isStrangersTurn(): boolean {
    return this.#ofStrangers > this.mostOfStrangers || this.#ofStrangers >= this.#held - this.most;
  }

  /**
   * @param bytes       more than before, or fewer when negative
   * @param isStranger  whether they are held for somebody who has proved nothing
   * @returns whether all is within bounds
   */
  change(bytes: number, isStranger: boolean): boolean {
    this.#held += bytes;
    if (isStranger) this.#ofStrangers += bytes;
    return this.isKept;
  }

  /** So many bytes are no stranger's any more. */
  prove(bytes: number): void {
    this.#ofStrangers -= bytes;
  }

  /** New bounds. */
  set limits(limits: ConnectionLimits) {
    this.most = limits.maxBufferedBytes;
    this.mostOfStrangers = strangersMost(limits);
  }
}

/** What strangers may hold together: room for large first requests at least. */
export function strangersMost({
  maxBufferedBytes,
  maxUnprovenBytes,
  maxRequestBytes,
}: ConnectionLimits): number {
  return Math.min(maxBufferedBytes, Math.max(maxUnprovenBytes, REQUESTS_OF_STRANGERS * maxRequestBytes));
}
