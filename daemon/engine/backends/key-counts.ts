/** Counts the keys of the databases, for INFO. */
import type { Database } from "../../store/database.js";
import { NO_EXPIRY } from "../../store/keyspace/keyspace.js";

/** The maximum number of keys in each database whose time to live is sampled. */
const SAMPLES_MAX = 1000;

export interface KeyCounts {
  readonly db: number;
  readonly keys: number;
  readonly expiring: number;
  /** The average time to live of the sampled keys in milliseconds, or 0 if no key expires. */
  readonly ttl: number;
}

/**
 * Returns the counts of the databases that are not empty, excluding expired keys.
 * @param now  milliseconds since 1970
 */
export function keyCountsOf({ keyspaces }: Database, now: number): readonly KeyCounts[] {
  return keyspaces.flatMap((keyspace, db) => {
    const expired = keyspace.expired(now);
    const keys = keyspace.size - expired;
    if (keys === 0) return [];
    const expiring = keyspace.expiring - expired;

    let sum = 0;
    let sampled = 0;
    if (expiring > 0)
      for (const { expire } of keyspace.entries.slice(0, SAMPLES_MAX)) {
        if (expire === NO_EXPIRY || expire < now) continue;
        sum += expire - now;
        sampled++;
      }
    return [{ db, keys, expiring, ttl: sampled === 0 ? 0 : Math.round(sum / sampled) }];
  });
}
