/** A count of observations by size. Observing one costs a short search and two additions, nothing is allocated. */

export class Histogram {
  /** Upper ends of the buckets, inclusive, ascending; above the last there is one more. */
  readonly bounds: readonly number[];
  /** Observations in each bucket by itself; one longer than `bounds`. */
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
