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
export type YieldingWork = Generator<Promise<unknown> | undefined, void, undefined>;

export interface BackgroundWorkOptions {
  /** Returns the milliseconds since an arbitrary start; never jumps. */
  readonly uptime: () => number;
  /** Runs a function after the event loop has received data from the network. */
  readonly defer: (run: () => void) => void;
  /** The milliseconds after which the remaining work waits for the next turn. A longer step uses a complete turn. */
  readonly turnMs?: number;
}

export class BackgroundWork {
  readonly #options: BackgroundWorkOptions;
  readonly #queue = new Queue<(() => void) | YieldingWork>();
  #isDeferred = false;
  /** The number of calls of `clear`. Work that awaited a promise before such a call does not continue. */
  #clearings = 0;

  constructor(options: BackgroundWorkOptions) {
    this.#options = options;
  }

  /** Runs a step in a later turn. */
  readonly soon = (step: () => void): void => this.#add(step);

  /** Runs long work in later turns. */
  add(work: YieldingWork): void {
    this.#add(work);
  }

  /** Discards all waiting work. */
  clear(): void {
    while (this.#queue.shift() !== undefined);
    this.#clearings++;
  }

  #add(step: (() => void) | YieldingWork): void {
    this.#queue.push(step);
    this.#defer();
  }

  #defer(): void {
    if (this.#isDeferred || this.#queue.first === undefined) return;
    this.#isDeferred = true;
    this.#options.defer(() => {
      this.#isDeferred = false;
      this.#run();
    });
  }

  /** Runs the steps. Steps that are added during this call run in the next turn at the earliest. */
  #run(): void {
    const { uptime, turnMs = BACKGROUND_TURN_MS } = this.#options;
    const end = uptime() + turnMs;
    for (let remaining = this.#queue.size; remaining > 0; remaining--) {
      const step = this.#queue.shift();
      if (typeof step === "function") step();
      else if (step !== undefined) this.#continue(step, end);
      if (uptime() >= end) break;
    }
    this.#defer();
  }

  /** Runs long work until `end`, and queues the remainder. @param end  `uptime` milliseconds */
  #continue(work: YieldingWork, end: number): void {
    for (let step = work.next(); !step.done; step = work.next()) {
      if (step.value !== undefined) {
        this.#resumeAfter(work, step.value);
        return;
      }
      if (this.#options.uptime() < end) continue;
      this.#queue.push(work);
      return;
    }
  }

  /** Queues work again when a promise has settled. */
  #resumeAfter(work: YieldingWork, promise: Promise<unknown>): void {
    const clearings = this.#clearings;
    void promise.then(() => {
      if (clearings === this.#clearings) this.add(work);
    });
  }
}
