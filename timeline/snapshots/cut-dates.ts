/**
 * Chooses the dates of snapshots. Every daemon of the cluster independently chooses the same dates, so that members can
 * compare their states there. Each daemon chooses the possible date that is the roundest binary number. A daemon with
 * a longer range selects the same date as the other daemons, or a rounder one; the other daemons select that one too as
 * soon as their ranges contain it. Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
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
