/** Counts the steps of the daemons in this process, to find what they do without interruption. */
import { EffortBudget } from "../../daemon/store/keyspace/effort-budget.js";

/** Counts from its creation on, until it is disposed. */
export class CountedSteps implements Disposable {
  /** The steps of the longest turn of the event loop so far; turns in which several daemons work count as one. */
  longest = 0;
  readonly #work = EffortBudget.prototype.work;

  constructor() {
    const work = this.#work;
    const count = (steps: number) => this.#count(steps);
    EffortBudget.prototype.work = function (this: EffortBudget, steps: number) {
      work.call(this, steps);
      count(steps);
    };
  }

  #inTurn = 0;

  #count(steps: number): void {
    if (steps <= 0) return;
    if (this.#inTurn === 0)
      setImmediate(() => {
        this.#inTurn = 0;
      });
    this.#inTurn += steps;
    this.longest = Math.max(this.longest, this.#inTurn);
  }

  [Symbol.dispose](): void {
    EffortBudget.prototype.work = this.#work;
  }
}
