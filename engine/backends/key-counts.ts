/** How many keys the databases hold, for INFO. */
import type { Database } from "../../store/database.js";
import { NO_EXPIRY } from "../../store/keyspace/keyspace.js";

/** Keys whose remaining time is looked at, of each database. */
const SAMPLES_MAX = 1000;

export interface KeyCounts {
  readonly db: number;
  readonly keys: number;
  readonly expiring: number;
  /** Milliseconds on average, of a sample; 0: none expires. */
  readonly ttl: number;
}

/** Of the databases that are not empty; keys that have expired do not count. @param now  milliseconds since 1970 */
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
