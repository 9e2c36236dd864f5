/**
 * The steps in which our cache differs from the recorded one: it forwards what the recorded one answered, or the
 * reverse. There is no other table of differences; docs/proxy.md repeats it.
 */
export interface CacheDifference {
  readonly reason: string;
  readonly steps: Readonly<Record<string, readonly number[]>>;
}

export const CACHE_DIFFERENCES: readonly CacheDifference[] = [
  {
    reason: "USE removes no answers: it does not change what other clients read",
    steps: { "cache-invalidated-by-use": [1, 4], "cache-shared-between-clients": [2] },
  },
  {
    reason: "the cache does not store errors",
    steps: { "cache-stores-errors": [4] },
  },
];
