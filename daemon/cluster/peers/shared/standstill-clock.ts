/**
 * Measures how long this process did nothing, because it was stopped, its machine was suspended, or a garbage
 * collection took long. Source: docs/decisions/0045-a-daemon-that-did-not-run-is-out-of-date.md.
 */
export class StandstillClock {
  readonly #clocks: Readonly<Record<"uptime" | "clock", () => number>>;
  /** The last reading of each clock, in milliseconds, or infinity before the first reading. */
  #uptime = Number.POSITIVE_INFINITY;
  #clock = Number.POSITIVE_INFINITY;

  constructor(clocks: Readonly<Record<"uptime" | "clock", () => number>>) {
    this.#clocks = clocks;
  }

  /** Returns the milliseconds since the last call, by the clock that shows more. @param now  uptime, in milliseconds */
  elapsed(now: number): number {
    const clock = this.#clocks.clock();
    // Use both clocks: the monotonic clock may stop while the machine is suspended, and an administrator may set the
    // system clock back.
    const elapsed = Math.max(now - this.#uptime, clock - this.#clock);
    this.#uptime = now;
    this.#clock = clock;
    return elapsed;
  }
}
