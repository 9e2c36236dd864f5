/**
 * Runs the background work of all components of a daemon, in the order in which it was added, for a few milliseconds
 * per turn of the event loop in total. If each component had its own slice in each turn, a client's command would wait
 * for all of them.
 */

import { Queue } from "../../../protocol/queue.js";
import { BACKGROUND_TURN_MS } from "../../../protocol/steps.js";

/**
 * Long work, which yields wherever it may be interrupted. If it yields a promise, which must not reject, it continues
 * when the promise has settled.
 */
export type Work = Generator<Promise<unknown> | undefined, void, undefined>;

export interface TurnsOptions {
  /** Returns the milliseconds since an arbitrary start; never jumps. */
  readonly uptime: () => number;
  /** Runs a function after the event loop has received data from the network. */
  readonly defer: (run: () => void) => void;
  /** The milliseconds after which the remaining work waits for the next turn. A longer step uses a complete turn. */
  readonly milliseconds?: number;
}

export class BackgroundWork {
  readonly #options: TurnsOptions;
  readonly #waiting = new Queue<(() => void) | Work>();
  #isDeferred = false;
  /** The number of calls of `clear`. Work that awaited a promise before such a call does not continue. */
  #cleared = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Runs a step in a later turn. */
  readonly soon = (step: () => void): void => this.#add(step);

  /** Runs long work in later turns. */
  add(work: Work): void {
    this.#add(work);
  }

  /** Discards all waiting work. */
  clear(): void {
    while (this.#waiting.shift() !== undefined);
    this.#cleared++;
  }

  #add(step: (() => void) | Work): void {
    this.#waiting.push(step);
    this.#defer();
  }

  #defer(): void {
    if (this.#isDeferred || this.#waiting.first === undefined) return;
    this.#isDeferred = true;
    this.#options.defer(() => {
      this.#isDeferred = false;
      this.#run();
    });
  }

  /** Runs the steps. Steps that are added during this call run in the next turn at the earliest. */
  #run(): void {
    const { uptime, milliseconds = BACKGROUND_TURN_MS } = this.#options;
    const until = uptime() + milliseconds;
    for (let remaining = this.#waiting.size; remaining > 0; remaining--) {
      const step = this.#waiting.shift();
      if (typeof step === "function") step();
      else if (step !== undefined) this.#continue(step, until);
      if (uptime() >= until) break;
    }
    this.#defer();
  }

  #continue(work: Work, until: number): void {
    for (let step = work.next(); !step.done; step = work.next()) {
      if (step.value !== undefined) {
        this.#await(work, step.value);
        return;
      }
      if (this.#options.uptime() < until) continue;
      this.#waiting.push(work);
      return;
    }
  }

  #await(work: Work, until: Promise<unknown>): void {
    const cleared = this.#cleared;
    void until.then(() => {
      if (cleared === this.#cleared) this.add(work);
    });
  }
}
