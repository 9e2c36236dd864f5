/** Counts the bytes that one connection holds, and reports their number to the listener's budget. */
import type { ByteBudget } from "./byte-budget.js";

export class HeldBytes {
  /** The number of bytes of requests that have not been served. */
  queued = 0;
  /** The number of bytes of requests that have not been answered. */
  unanswered = 0;
  readonly #budget: ByteBudget;
  #reported = 0;
  #isUnauthenticated = true;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Counts the bytes as those of an authenticated client from now on. */
  prove(): void {
    if (this.#isUnauthenticated) this.#budget.prove(this.#reported);
    this.#isUnauthenticated = false;
  }

  /** The number of bytes that the budget counts for this connection. */
  get total(): number {
    return this.#reported;
  }

  /**
   * Reports the number of bytes to the budget.
   * @param written  the number of bytes that the client has not read yet
   * @returns whether this connection holds more than before and the budget is exceeded
   */
  report(written: number): boolean {
    const grown = this.queued + this.unanswered + written - this.#reported;
    this.#reported += grown;
    return grown !== 0 && !this.#budget.change(grown, this.#isUnauthenticated) && grown > 0;
  }

  release(): void {
    this.#budget.change(-this.#reported, this.#isUnauthenticated);
    this.#reported = 0;
  }
}
