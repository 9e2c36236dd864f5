/** What a cache keeps, and for how long. */
export interface CacheLimits {
  /** Milliseconds from the moment of storing; a hit does not renew it. */
  readonly life: number;
  /** Answers; the one that was wanted longest ago goes first. */
  readonly maxEntries: number;
  /** Of answers and what they answer. */
  readonly maxBytes: number;
}

/** The first two are those of the original. */
export const CACHE_LIMITS: CacheLimits = { life: 3_000, maxEntries: 200, maxBytes: 64 * 1024 * 1024 };
