/** The bytes that one connection holds of its listener's byte budget. */
import type { ByteBudget } from "./byte-budget.js";

export class HeldBytes {
  /** Bytes of requests that have not been served. */
  queued = 0;
  /** Bytes of requests that have not been answered. */
  unanswered = 0;
  readonly #budget: ByteBudget;
  #reported = 0;
  #isUnauthenticated = true;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Counts them as those of an authenticated client from now on. */
  prove(): void {
    if (this.#isUnauthenticated) this.#budget.prove(this.#reported);
    this.#isUnauthenticated = false;
  }

  /** The bytes that the budget counts for this connection. */
  get total(): number {
    return this.#reported;
  }

  /**
   * Reports the bytes to the budget.
   * @param written  bytes that the client has not read yet
   * @returns whether this connection holds more than before, and the budget is exceeded
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
