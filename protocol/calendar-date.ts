/** Reads dates in ISO 8601. */

/**
 * Returns the date in milliseconds since 1970, or undefined if it is not in the calendar. JavaScript engines convert 30
 * February to a day in March, and hour 24 to the next day.
 * @param text  a day, or a day and a time with a zone; the caller has checked the form
 */
export function calendarDate(text: string): number | undefined {
  const [, day, hour] = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d))?/.exec(text) ?? [];
  const [at, midnight] = [Date.parse(text), Date.parse(day ?? "")];
  if (day === undefined || hour === "24" || Number.isNaN(at) || Number.isNaN(midnight)) return undefined;
  return new Date(midnight).toISOString().startsWith(day) ? at : undefined;
}
