/**
 * Chooses the dates of snapshots. Every daemon of the cluster independently chooses the same dates, so that members can
 * compare their states at these dates. From a range of possible dates, a daemon chooses the roundest one: the date that
 * the highest power of two divides. A daemon with a longer range chooses the same date as the other daemons, or a
 * rounder one, which the other daemons choose as soon as their ranges contain it.
 * Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

/** Returns the date after `after` and up to `upTo` that the highest power of two divides, or null if there is none. */
export function roundestDate(after: number, upTo: number): number | null {
  if (upTo <= after || upTo < 0) return null;
  if (after < 0) return 0;
  let unit = 1;
  while (Math.floor(upTo / (2 * unit)) * 2 * unit > after) unit *= 2;
  return Math.floor(upTo / unit) * unit;
}

/** Returns the roundness of a date: the highest power of two that divides it. */
export function roundnessOf(date: number): number {
  let unit = 1;
  while (date > 0 && date % (2 * unit) === 0) unit *= 2;
  return unit;
}
