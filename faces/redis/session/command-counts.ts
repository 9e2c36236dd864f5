/** Counts the calls and times of a command, for INFO and LATENCY HISTOGRAM. This code runs for every command. */

/**
 * The number of buckets. A call that takes at most 2^k microseconds, but more than half of that, counts in bucket k.
 * The last bucket contains all longer calls.
 */
const BUCKETS = 32;
const MICROSECONDS = 1000;

export class CommandCounts {
  calls = 0;
  milliseconds = 0;
  /** The number of calls that were answered with an error. */
  failed = 0;
  /**
   * The number of calls that were rejected, for example because of a wrong number of arguments, missing permission or
   * full memory.
   */
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

  /** Records that a call, which was counted before its reply came, has failed. */
  addFailure(): void {
    this.failed++;
  }

  get microseconds(): number {
    return Math.round(this.milliseconds * MICROSECONDS);
  }

  /**
   * Upper bounds in microseconds, each with the number of calls up to it. Bounds at which that number does not rise are
   * omitted.
   */
  get distribution(): readonly (readonly [bound: number, calls: number])[] {
    const found: [number, number][] = [];
    let sum = 0;
    for (const [bucket, count] of (this.#buckets ?? []).entries()) {
      sum += count;
      if (count > 0) found.push([2 ** bucket, sum]);
    }
    return found;
  }

  /**
   * Returns the approximate time in microseconds that a share of the calls did not exceed. @param share  from 0 to 1
   */
  percentile(share: number): number {
    const needed = Math.max(1, Math.ceil(share * this.calls));
    return this.distribution.find(([, calls]) => calls >= needed)?.[0] ?? 0;
  }

  reset(): void {
    this.calls = 0;
    this.milliseconds = 0;
    this.failed = 0;
    this.rejected = 0;
    this.#buckets = null;
  }
}
