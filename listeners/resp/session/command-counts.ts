/** Counts a command's calls and their times, for INFO and LATENCY HISTOGRAM. It is on the path of every command. */

/**
 * A call of at most 2^k microseconds, and more than half of it, counts in bucket k; the last bucket has all longer
 * ones.
 */
const BUCKETS = 32;
const MICROSECONDS = 1000;

export class CommandCounts {
  calls = 0;
  milliseconds = 0;
  /** Calls answered with an error. */
  failed = 0;
  /** Calls that were not run: wrong number of arguments, a user without the right, no memory, … */
  rejected = 0;
  #buckets: Uint32Array | null = null;

  add(milliseconds: number, hasFailed: boolean): void {
    this.calls++;
    this.milliseconds += milliseconds;
    if (hasFailed) this.failed++;
    this.#buckets ??= new Uint32Array(BUCKETS);
    const microseconds = (milliseconds * MICROSECONDS) | 0;
    this.#buckets[32 - Math.clz32(microseconds)]!++;
  }

  /** Notes that a call, counted before its answer came, has failed. */
  addFailure(): void {
    this.failed++;
  }

  get microseconds(): number {
    return Math.round(this.milliseconds * MICROSECONDS);
  }

  /** Upper bounds in microseconds, each with the number of calls up to it; only where that number rises. */
  get distribution(): readonly (readonly [bound: number, calls: number])[] {
    const found: [number, number][] = [];
    let sum = 0;
    for (const [bucket, count] of (this.#buckets ?? []).entries()) {
      sum += count;
      if (count > 0) found.push([2 ** bucket, sum]);
    }
    return found;
  }

  /** Returns the microseconds that a share of the calls took at most, roughly. @param share  0 to 1 */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.calls));
    return this.distribution.find(([, calls]) => calls >= wanted)?.[0] ?? 0;
  }

  reset(): void {
    this.calls = 0;
    this.milliseconds = 0;
    this.failed = 0;
    this.rejected = 0;
    this.#buckets = null;
  }
}
