/** How often a command was called, and how long that took: for INFO and LATENCY HISTOGRAM. On the path of every command. */

/** A call of 2^k microseconds or less, and more than the half of it, counts at place k; the last place takes longer ones. */
const PLACES = 32;
const MICROSECONDS = 1000;

export class CommandCounts {
  calls = 0;
  milliseconds = 0;
  /** Answered with an error. */
  failed = 0;
  /** Not run: too few or too many arguments, a user who may not, no memory, … */
  rejected = 0;
  #places: Uint32Array | null = null;

  add(milliseconds: number, hasFailed: boolean): void {
    this.calls++;
    this.milliseconds += milliseconds;
    if (hasFailed) this.failed++;
    this.#places ??= new Uint32Array(PLACES);
    const microseconds = (milliseconds * MICROSECONDS) | 0;
    this.#places[32 - Math.clz32(microseconds)]!++;
  }

  /** One that was added while its answer was still to come was answered with an error. */
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
    for (const [place, count] of (this.#places ?? []).entries()) {
      sum += count;
      if (count > 0) found.push([2 ** place, sum]);
    }
    return found;
  }

  /** About how many microseconds a share of the calls took at most. @param share  0 to 1 */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.calls));
    return this.distribution.find(([, calls]) => calls >= wanted)?.[0] ?? 0;
  }

  reset(): void {
    this.calls = 0;
    this.milliseconds = 0;
    this.failed = 0;
    this.rejected = 0;
    this.#places = null;
  }
}
