/** Limits of a cache's size and of the lifetime of answers. */
export interface CacheLimits {
  /** Milliseconds from the moment of storing; a hit does not renew it. */
  readonly life: number;
  /** Answers; the one that was wanted longest ago goes first. */
  readonly maxEntries: number;
  /** Maximum bytes of answers and their statements. */
  readonly maxBytes: number;
}

/** The first two are those of the original. */
export const CACHE_LIMITS: CacheLimits = { life: 3_000, maxEntries: 200, maxBytes: 64 * 1024 * 1024 };
