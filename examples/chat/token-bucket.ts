/** Limits a rate: permits a burst of N events, and then N events in each period. */

export class TokenBucket {
  readonly #max: number;
  readonly #ms: number;
  #left: number;
  #at = performance.now();

  /** @param ms  the milliseconds after which the complete burst is available again */
  constructor(max: number, ms: number) {
    this.#max = max;
    this.#ms = ms;
    this.#left = max;
  }

  /** Takes a token. @returns 0 if one was available, otherwise the milliseconds until the next one */
  take(): number {
    const now = performance.now();
    this.#left = Math.min(this.#max, this.#left + ((now - this.#at) * this.#max) / this.#ms);
    this.#at = now;
    if (this.#left < 1) return Math.ceil(((1 - this.#left) * this.#ms) / this.#max);
    this.#left--;
    return 0;
  }
}
