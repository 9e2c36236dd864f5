/**
 * The clock of a daemon that has no member to compare it with. A step of the clock is accepted only after it has
 * persisted for some time, because its consequences cannot be reversed.
 */

/** Milliseconds by which clock and uptime may drift apart between two readings. */
const STEP_MS = 2000;
/** Milliseconds after which a step is accepted. */
const BELIEVED_AFTER_MS = 600_000;

export class SteadyClock {
  /** Clock minus uptime, as it was before a step. */
  #offset: number | null = null;
  #steppedAt: number | null = null;

  /** @returns milliseconds since 1970, never later than `clock` */
  read(clock: number, uptime: number): number {
    const offset = clock - uptime;
    const isStep = this.#offset !== null && Math.abs(offset - this.#offset) > STEP_MS;
    if (isStep) this.#steppedAt ??= uptime;
    if (isStep && uptime - (this.#steppedAt ?? uptime) < BELIEVED_AFTER_MS)
      return Math.min(clock, uptime + (this.#offset as number));
    this.#offset = offset;
    this.#steppedAt = null;
    return clock;
  }
}
