/** What one connection holds of its listener's byte budget. */
import type { ByteBudget } from "./byte-budget.js";

export class HeldBytes {
  /** Of requests that have not been served. */
  queued = 0;
  /** Of requests that are not answered yet. */
  unanswered = 0;
  readonly #budget: ByteBudget;
  #told = 0;
  #isStranger = true;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** From now on it is no stranger's. */
  prove(): void {
    if (this.#isStranger) this.#budget.prove(this.#told);
    this.#isStranger = false;
  }

  /** What the budget was told. */
  get total(): number {
    return this.#told;
  }

  /**
   * Tells the budget.
   * @param written  bytes that the client has not taken yet
   * @returns whether this connection has grown, and all are above the budget
   */
  tell(written: number): boolean {
    const grown = this.queued + this.unanswered + written - this.#told;
    this.#told += grown;
    return grown !== 0 && !this.#budget.change(grown, this.#isStranger) && grown > 0;
  }

  release(): void {
    this.#budget.change(-this.#told, this.#isStranger);
    this.#told = 0;
  }
}
