/** Schedules the `flush_all` that a client sends with a delay. */

import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";

/** The maximum delay of a timer of Node.js in milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The delayed `flush_all` of a listener. As in memcached there is at most one, and a later `flush_all` replaces it. */
export class DelayedFlush {
  readonly #environment: Environment;
  #cancel = () => {};

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Flushes after a delay, and cancels an earlier delayed flush. */
  schedule(milliseconds: number, flush: () => void): void {
    this.cancel();
    const first = Math.min(milliseconds, TIMER_MS_MAX);
    this.#cancel = this.#environment.setTimer(first, () =>
      first < milliseconds ? this.schedule(milliseconds - first, flush) : flush(),
    );
  }

  cancel(): void {
    this.#cancel();
  }
}
