/**
 * Steps that the recorded cache forwarded or answered itself, and that ours treats differently: the only table,
 * repeated in docs/proxy.md.
 */
export interface CacheDifference {
  readonly reason: string;
  readonly steps: Readonly<Record<string, readonly number[]>>;
}

export const CACHE_DIFFERENCES: readonly CacheDifference[] = [
  {
    reason: "USE empties nothing: it changes nothing that others read",
    steps: { "cache-invalidated-by-use": [1, 4], "cache-shared-between-clients": [2] },
  },
  {
    reason: "errors are not kept",
    steps: { "cache-stores-errors": [4] },
  },
];
