/** The number of bytes that one connection holds, which the listener's budget includes. */
import type { ByteBudget } from "./byte-budget.js";

export class HeldBytes {
  /** The number of bytes of requests that have not been served. */
  queued = 0;
  /** The number of bytes of requests that have not been answered. */
  unanswered = 0;
  readonly #budget: ByteBudget;
  #reported = 0;
  /** The part of `#reported` that are answers. */
  #answers = 0;
  #isUnauthenticated = true;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Counts the bytes as those of an authenticated client from now on. */
  prove(): void {
    if (this.#isUnauthenticated) this.#budget.prove(this.#reported);
    this.#isUnauthenticated = false;
  }

  /** The number of bytes of unread answers that the budget counts for this connection. */
  get answers(): number {
    return this.#answers;
  }

  /** The number of bytes that the budget counts for this connection. */
  get total(): number {
    return this.#reported;
  }

  /**
   * Reports the number of bytes to the budget.
   * @param unreadBytes  the number of bytes that the client has not read yet
   * @returns whether this connection holds more than before and the budget is exceeded
   */
  report(unreadBytes: number): boolean {
    const grown = this.queued + this.unanswered + unreadBytes - this.#reported;
    const answers = unreadBytes - this.#answers;
    this.#reported += grown;
    this.#answers = unreadBytes;
    if (grown === 0 && answers === 0) return false;
    return !this.#budget.change(grown, answers, this.#isUnauthenticated) && (grown > 0 || answers > 0);
  }

  release(): void {
    this.#budget.change(-this.#reported, -this.#answers, this.#isUnauthenticated);
    this.#reported = this.#answers = 0;
  }
}
