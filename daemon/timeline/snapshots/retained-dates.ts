/** Selects the valid snapshots to retain, because each takes as much space as the complete state. */
import { roundnessOf } from "./cut-dates.js";

/** The number of newest snapshots to retain in any case. The older one is needed when late entries arrive. */
const RETAINED = 2;
/** The number of further snapshots, spread over the time for which entries are retained. */
const RETAINED_OVER_TIME = 8;

/**
 * Returns the dates of the snapshots to retain.
 * @param dates      the dates of the valid snapshots, ascending
 * @param base       the date of the snapshot that replaces removed entries, or null if nothing was removed
 * @param certified  the dates for which enough members have the same snapshot
 * @param retainMs   milliseconds for which entries are stored; infinity means forever
 */
export function datesToRetain(
  dates: readonly number[],
  base: number | null,
  certified: ReadonlySet<number>,
  retainMs: number,
): number[] {
  const newest = dates.slice(-RETAINED);
  const awaited = awaitedOf(dates, base, certified);
  const stays = (date: number) => newest.includes(date) || date === base || date === awaited;
  if (retainMs === Number.POSITIVE_INFINITY) return dates.filter(stays);
  // Retain one snapshot that is older than the retention time, so that entries up to it can be pruned.
  const oldest = dates.findLast((date) => date <= (newest.at(-1) as number) - retainMs) ?? -1;
  let last = Number.NEGATIVE_INFINITY;
  return dates.filter((date) => {
    if (stays(date)) return true;
    if (date < oldest || date - last < retainMs / RETAINED_OVER_TIME) return false;
    last = date;
    return true;
  });
}

/**
 * Returns the newest certified snapshot after the base or, if there is none, the snapshot whose date most members will
 * choose. If this snapshot were not retained, members that make snapshots faster than they compare them could never
 * certify one, and could never remove entries.
 */
function awaitedOf(
  dates: readonly number[],
  base: number | null,
  certified: ReadonlySet<number>,
): number | null {
  const last = dates.findLast((date) => certified.has(date)) ?? -1;
  if (last > (base ?? -1)) return last;
  const open = dates.filter((date) => date > last);
  return open.reduce<number | null>(
    (best, date) => (best === null || roundnessOf(date) > roundnessOf(best) ? date : best),
    null,
  );
}
