/**
 * Recognizes that a majority of the members is silent although their connections are open: their processes are
 * suspended, or the network loses packets. Each member sends a status every 2 s.
 */

export class MajoritySilence {
  readonly #limitMs: number;
  /** When a majority was last heard, as of the last tick; `uptime` milliseconds. */
  #heardAt = Number.NEGATIVE_INFINITY;
  /** The milliseconds since then in which this process did not run: what members have sent waits in its sockets. */
  #stoppedMs = 0;
  isSilent = false;

  /** @param limitMs  the milliseconds without a message after which a member counts as silent */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /**
   * Called at each tick.
   * @param heardAt  when so many members had sent something that they and this daemon are a majority
   * @param stoppedMs  the milliseconds since the last tick in which this process did not run
   */
  tick(now: number, heardAt: number, stoppedMs: number): void {
    if (heardAt !== this.#heardAt) {
      this.#heardAt = heardAt;
      this.#stoppedMs = 0;
    }
    this.#stoppedMs += Math.min(stoppedMs, Math.max(0, now - heardAt));
    this.isSilent = now - heardAt - this.#stoppedMs >= this.#limitMs;
  }
}
