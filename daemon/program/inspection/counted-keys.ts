/** Counts of keys in memory and of commands of listeners, which are read when a client requests metrics. */
import type { KeyCounts } from "../../engine/backends/key-counts.js";

export interface CountedKeys {
  /** Counts of the databases that are not empty. */
  readonly keyCounts: readonly KeyCounts[];
  /** Number of keys that have expired. */
  readonly expiredKeys: number;
  /** Lookups of keys by reading commands. */
  readonly changes: { readonly lookups: { readonly hits: number; readonly misses: number } };
}

/** Counts of the commands of one family since the start. */
export interface CountedFamily {
  readonly family: string;
  readonly calls: number;
  readonly failed: number;
  readonly seconds: number;
}
