/** Limits a rate: permits a burst of N events, and then N events in each period. */

export class TokenBucket {
  readonly #most: number;
  readonly #ms: number;
  #left: number;
  #at = performance.now();

  /** @param ms  the milliseconds after which the complete burst is available again */
  constructor(most: number, ms: number) {
    this.#most = most;
    this.#ms = ms;
    this.#left = most;
  }

  /** Takes a token. @returns 0 if one was available, otherwise the milliseconds until the next one */
  take(): number {
    const now = performance.now();
    this.#left = Math.min(this.#most, this.#left + ((now - this.#at) * this.#most) / this.#ms);
    this.#at = now;
    if (this.#left < 1) return Math.ceil(((1 - this.#left) * this.#ms) / this.#most);
    this.#left--;
    return 0;
  }
}
