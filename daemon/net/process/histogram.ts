/**
 * The numbers of observations by size. An observation costs a short search and two additions, and allocates nothing.
 */
export class Histogram {
  /** The inclusive upper bounds of the buckets, ascending. One more bucket, without a bound, follows the last one. */
  readonly bounds: readonly number[];
  /** The number of observations in each bucket, not cumulative; one element longer than `bounds`. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    counts[bucket]!++;
    this.sum += value;
  }
}
