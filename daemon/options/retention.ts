/** The value of --retain: how long the commands themselves are kept below the snapshots. */
const MS_PER_DAY = 24 * 60 * 60 * 1000;
const DAYS_MAX = 36_500;

/** @returns milliseconds; infinity: for ever. @throws RangeError  a sentence: what is expected */
export function parseRetention(text: string): number {
  if (text === "forever") return Number.POSITIVE_INFINITY;
  const days = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (days < 1 || days > DAYS_MAX) throw new RangeError(`Expected forever, or 1 to ${DAYS_MAX} days.`);
  return days * MS_PER_DAY;
}

/** `parseRetention` reads it back. */
export function formatRetention(milliseconds: number): string {
  return milliseconds === Number.POSITIVE_INFINITY ? "forever" : String(milliseconds / MS_PER_DAY);
}
