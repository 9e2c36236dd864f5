/**
 * Stores the latencies of any number of calls in little memory: it counts them in buckets whose width grows with the
 * value. Every figure is accurate to about 1.5 %.
 */

/** Number of buckets between a value and twice that value. */
const PER_OCTAVE = 64;
/** The minimum latency in milliseconds; shorter latencies are counted as this value. */
const MIN_MS = 0.001;
/** Number of doublings, up to 2²⁶ µs (67 s), which is longer than any call may take. */
const OCTAVES = 26;

/** A line of the histogram: the number of calls that took at least `from` and less than `to` milliseconds. */
export interface Band {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export class LatencyHistogram {
  readonly #counts = new Float64Array(OCTAVES * PER_OCTAVE);
  count = 0;
  max = 0;
  #sum = 0;

  /** @param ms  0 or more */
  add(ms: number): void {
    const octaves = Math.log2(Math.max(ms, MIN_MS) / MIN_MS);
    const bucket = Math.min(Math.floor(octaves * PER_OCTAVE), this.#counts.length - 1);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.count++;
    this.#sum += ms;
    if (ms > this.max) this.max = ms;
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.#sum / this.count;
  }

  /** Returns the latency that the given share of all calls (0 to 1) did not exceed; returns 0 if there are no calls. */
  quantile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (count > 0 && seen >= rank) return Math.min(startOf(bucket + 1), this.max);
    }
    return 0;
  }

  /** Returns a band for each doubling, from the first to the last that contains a call. */
  bands(): Band[] {
    const bands: Band[] = [];
    for (let octave = 0; octave < OCTAVES; octave++) {
      const counts = this.#counts.subarray(octave * PER_OCTAVE, (octave + 1) * PER_OCTAVE);
      const count = counts.reduce((sum, each) => sum + each, 0);
      bands.push({ from: startOf(octave * PER_OCTAVE), to: startOf((octave + 1) * PER_OCTAVE), count });
    }
    const first = bands.findIndex(({ count }) => count > 0);
    return first < 0 ? [] : bands.slice(first, bands.findLastIndex(({ count }) => count > 0) + 1);
  }
}

function startOf(bucket: number): number {
  return MIN_MS * 2 ** (bucket / PER_OCTAVE);
}
