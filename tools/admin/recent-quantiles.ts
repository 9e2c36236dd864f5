/** Computes quantiles of the times that a histogram has counted since it was last read. */

import type { Histogram } from "../../daemon/net/process/histogram.js";

/** The number of times, and the milliseconds that 50 % (`p50`) and 99 % (`p99`) of them do not exceed. */
interface Times {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

const MS_PER_SECOND = 1000;

export class TimesSince {
  readonly #histogram: Histogram;
  #before: Float64Array;

  constructor(histogram: Histogram) {
    this.#histogram = histogram;
    this.#before = histogram.counts.slice();
  }

  /** Returns the quantiles since the last call, or null if nothing was counted. */
  take(): Times | null {
    const { counts } = this.#histogram;
    const since = counts.map((count, bucket) => count - (this.#before[bucket] ?? 0));
    this.#before = counts.slice();
    const count = since.reduce((sum, one) => sum + one, 0);
    if (count === 0) return null;
    return { count, p50: this.#end(since, count * 0.5), p99: this.#end(since, count * 0.99) };
  }

  /** Returns the upper end, in milliseconds, of the bucket in which the given count is reached. */
  #end(counts: Float64Array, target: number): number {
    const { bounds } = this.#histogram;
    let sum = 0;
    const bucket = counts.findIndex((count) => (sum += count) >= target);
    return (bounds[Math.min(bucket, bounds.length - 1)] ?? 0) * MS_PER_SECOND;
  }
}
