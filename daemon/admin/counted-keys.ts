/** What databases in memory count of their keys anyway, and what listeners count of commands; read when somebody asks. */
import type { KeyCounts } from "../../engine/backends/key-counts.js";

export interface CountedKeys {
  /** Of the databases that are not empty. */
  readonly keyCounts: readonly KeyCounts[];
  /** How many have expired. */
  readonly expiredKeys: number;
  /** Of keys that were looked for to be read. */
  readonly changes: { readonly lookups: { readonly hits: number; readonly misses: number } };
}

/** Of the commands of one family, since the start. */
export interface CountedFamily {
  readonly family: string;
  readonly calls: number;
  readonly failed: number;
  readonly seconds: number;
}
