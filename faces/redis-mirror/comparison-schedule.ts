/**
 * Schedules comparisons of all keys, and reports their results. Only one comparison runs at a time; if there is a new
 * reason to compare, the comparison starts again.
 */

import type { ComparisonContext } from "./compare-keys.js";
import { Comparison } from "./comparison.js";
import type { ComparisonReport, MirrorCounts, MirrorParts } from "./mirror-parts.js";
import type { RedisConnections } from "./redis-connections.js";

const IDLE_MS = 60_000;
const SECOND_MS = 1000;

export class Comparing {
  readonly #parts: MirrorParts;
  readonly #context: ComparisonContext;
  readonly #counts: MirrorCounts;
  readonly #onEnded: (report: ComparisonReport) => void;
  #comparison: Comparison | null = null;
  /** The number of comparisons so far. */
  #number = 0;
  /**
   * After all keys were compared: the value of `#handled` at which all keys that were then waiting have been written or
   * refused. Null while keys are being compared.
   */
  #drainedAt: number | null = null;
  #different = 0;
  /** The uptimes in milliseconds of the next slice and of the next regular comparison. */
  #sliceAt = 0;
  #dueAt: number;
  /** The last comparison whose differences have all been written, or null if there is none. */
  last: (ComparisonReport & { readonly at: number }) | null = null;

  constructor(
    parts: MirrorParts,
    context: ComparisonContext,
    counts: MirrorCounts,
    onEnded: (report: ComparisonReport) => void,
  ) {
    this.#parts = parts;
    this.#context = context;
    this.#counts = counts;
    this.#onEnded = onEnded;
    this.#dueAt = this.#nextDue();
  }

  /** Whether any key in Redis may differ from the fold. */
  get isUrgent(): boolean {
    return this.#comparison?.isUrgent ?? false;
  }

  /** The report of the running comparison, or null if none is running. */
  get report(): ComparisonReport | null {
    return this.#comparison?.report ?? null;
  }

  /** The number of differing keys that all comparisons have found so far. */
  get different(): number {
    return this.#different + (this.report?.different ?? 0);
  }

  /** Starts a comparison. @returns its number */
  begin(reason: string, isUrgent: boolean): number {
    const before = this.#comparison;
    this.#different = this.different;
    const about = before?.isUrgent && !isUrgent ? before : { reason, isUrgent };
    this.#comparison = new Comparison(++this.#number, about.reason, about.isUrgent, this.#context);
    this.#drainedAt = null;
    this.#sliceAt = 0;
    return this.#number;
  }

  /**
   * Compares a slice if one is scheduled now.
   * @returns milliseconds until the next slice
   * @throws Error  the connections have closed, or Redis refuses the requests
   */
  async step(connections: RedisConnections): Promise<number> {
    const { environment, compareRate } = this.#parts;
    const now = environment.uptime();
    if (this.#comparison === null && now >= this.#dueAt) this.begin("scheduled", false);
    const comparison = this.#comparison;
    if (comparison === null) return Math.min(IDLE_MS, this.#dueAt - now);
    if (comparison.isDone) {
      this.#drainedAt ??= this.#handled + this.#context.dirty.size;
      if (this.#handled >= this.#drainedAt) this.#end(comparison);
      return 0;
    }
    if (now < this.#sliceAt) return this.#sliceAt - now;
    const comparedKeys = await comparison.step(connections);
    if (!comparison.isUrgent) this.#sliceAt = now + (comparedKeys * SECOND_MS) / compareRate;
    return Math.max(0, this.#sliceAt - now);
  }

  #end({ report }: Comparison): void {
    this.#different = this.different;
    this.last = { ...report, at: Math.floor(this.#parts.environment.clock()) };
    this.#comparison = null;
    this.#drainedAt = null;
    this.#dueAt = this.#nextDue();
    this.#onEnded(report);
  }

  /** The number of waiting keys that have been written or refused so far. */
  get #handled(): number {
    return this.#counts.written + this.#counts.refused;
  }

  #nextDue(): number {
    const { compareEvery, environment } = this.#parts;
    return compareEvery === 0 ? Number.POSITIVE_INFINITY : environment.uptime() + compareEvery;
  }
}
