/**
 * A client's clock that the test controls, for tests with real sockets. On this clock, steps without a delay take no
 * time, even on a busy machine.
 */
import {
  type ClientEnvironment,
  realClientEnvironment,
  type Timer,
} from "../../client/shared/client-environment.js";

interface SetTimer {
  readonly at: number;
  readonly fire: () => void;
}

export class HandClock {
  /** The current time in milliseconds. */
  time = 0;
  readonly environment: ClientEnvironment;
  readonly #timers = new Set<SetTimer>();

  constructor() {
    this.environment = {
      ...realClientEnvironment,
      now: () => this.time,
      setTimer: (ms, fire) => this.#setTimer(ms, fire),
    };
  }

  /** Advances the time, and runs the timers that expire. */
  advance(ms: number): void {
    const end = this.time + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.fire();
    }
    this.time = end;
  }

  #setTimer(ms: number, fire: () => void): Timer {
    const timer = { at: this.time + ms, fire };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer), keepProcessAlive: () => {} };
  }

  #next(end: number): SetTimer | undefined {
    return [...this.#timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
  }
}
