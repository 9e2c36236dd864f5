/**
 * At which dates snapshots are made: at dates that every daemon of the cluster comes upon by itself, so that members can
 * compare what they hold there. Of all dates that would do the roundest is taken, as a number of two: whoever chooses from a
 * longer stretch of time that holds another's choice takes the same, or one that all will take.
 * Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

/** @returns the date after `after`, and up to `upTo`, that the highest power of two divides; null: there is none */
export function roundestDate(after: number, upTo: number): number | null {
  if (upTo <= after || upTo < 0) return null;
  if (after < 0) return 0;
  let unit = 1;
  while (Math.floor(upTo / (2 * unit)) * 2 * unit > after) unit *= 2;
  return Math.floor(upTo / unit) * unit;
}

/** How round a date is: the highest power of two that divides it. */
export function roundnessOf(date: number): number {
  let unit = 1;
  while (date > 0 && date % (2 * unit) === 0) unit *= 2;
  return unit;
}
