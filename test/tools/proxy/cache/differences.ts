/**
 * The steps in which our cache differs from the recorded one: our cache forwards a statement that the recorded cache
 * answered, or vice versa. There are no other differences. docs/proxy.md repeats this table.
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
