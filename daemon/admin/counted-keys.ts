/** Counts that databases in memory keep of their keys, and listeners of commands; read when a client requests them. */
import type { KeyCounts } from "../../engine/backends/key-counts.js";

export interface CountedKeys {
  /** Counts of the databases that are not empty. */
  readonly keyCounts: readonly KeyCounts[];
  /** How many have expired. */
  readonly expiredKeys: number;
  /** Lookups of keys for reads. */
  readonly changes: { readonly lookups: { readonly hits: number; readonly misses: number } };
}

/** Counts of the commands of one family, since the start. */
export interface CountedFamily {
  readonly family: string;
  readonly calls: number;
  readonly failed: number;
  readonly seconds: number;
}
