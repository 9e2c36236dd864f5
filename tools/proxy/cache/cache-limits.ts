/** The limits for the size of a cache and the lifetime of its answers. */
export interface CacheLimits {
  /** The lifetime of an answer in milliseconds. A hit does not extend it. */
  readonly life: number;
  /** The maximum number of answers. The least recently used one is removed first. */
  readonly maxEntries: number;
  /** The maximum number of bytes of answers and their statements. */
  readonly maxBytes: number;
}

/** The default limits. The first two are those of the original. */
export const CACHE_LIMITS: CacheLimits = { life: 3_000, maxEntries: 200, maxBytes: 64 * 1024 * 1024 };
