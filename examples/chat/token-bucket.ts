/** Limits how often something may happen: a burst of N, and again as time goes by. */

export class TokenBucket {
  readonly #most: number;
  readonly #ms: number;
  #left: number;
  #at = performance.now();

  /** @param ms  in which all are there again */
  constructor(most: number, ms: number) {
    this.#most = most;
    this.#ms = ms;
    this.#left = most;
  }

  /** @returns milliseconds until it may be; 0: it may be now, and is taken */
  take(): number {
    const now = performance.now();
    this.#left = Math.min(this.#most, this.#left + ((now - this.#at) * this.#most) / this.#ms);
    this.#at = now;
    if (this.#left < 1) return Math.ceil(((1 - this.#left) * this.#ms) / this.#most);
    this.#left--;
    return 0;
  }
}
