/**
 * Steps that the earlier cache forwarded or answered itself, and that this cache treats differently. docs/proxy.md
 * repeats the table.
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
