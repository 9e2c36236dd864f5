/** Which of the snapshots that hold are kept, as each takes as much room as the whole state. */
import { roundnessOf } from "./cut-dates.js";

/** How many are kept: an older one serves entries that came late. */
const KEPT = 2;
/** Where entries are kept for a time, so many more are kept over that time. */
const KEPT_OVER_TIME = 8;

/**
 * Returns the dates of the snapshots that stay.
 * @param dates      of those that hold, rising
 * @param base       the one that stands for what is forgotten; null: nothing is
 * @param certified  those that enough members have found the same
 * @param retainMs   milliseconds for which entries are stored; infinite: for ever
 */
export function keptDates(
  dates: readonly number[],
  base: number | null,
  certified: ReadonlySet<number>,
  retainMs: number,
): number[] {
  const newest = dates.slice(-KEPT);
  const awaited = awaitedOf(dates, base, certified);
  const stays = (date: number) => newest.includes(date) || date === base || date === awaited;
  if (retainMs === Number.POSITIVE_INFINITY) return dates.filter(stays);
  // One that is older than that, to forget up to it.
  const oldest = dates.findLast((date) => date <= (newest.at(-1) as number) - retainMs) ?? -1;
  let last = Number.NEGATIVE_INFINITY;
  return dates.filter((date) => {
    if (stays(date)) return true;
    if (date < oldest || date - last < retainMs / KEPT_OVER_TIME) return false;
    last = date;
    return true;
  });
}

/**
 * Of those that members have not found the same yet, or that are the newest found so, the one that most of them will come
 * upon: without it entries could never go where snapshots are made faster than members compare them.
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
