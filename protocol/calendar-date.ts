/** The dates of the calendar, in ISO 8601. JavaScript engines convert 30 February to a day in March. */

const DAY = /^\d{4}-\d\d-\d\d/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether a text begins with a day that exists, such as `2027-01-31`. */
export function beginsWithDay(text: string): boolean {
  if (!DAY.test(text)) return false;
  const year = Number(text.slice(0, 4));
  const month = Number(text.slice(5, 7));
  const day = Number(text.slice(8, 10));
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = (DAYS[month - 1] ?? 0) + (isLeapYear && month === 2 ? 1 : 0);
  return day >= 1 && day <= days;
}

/**
 * Returns the date in milliseconds since 1970, or undefined if it is not in the calendar. Engines accept hour 24 as the
 * next day; this function does not.
 * @param text  a day, or a day and a time with a zone; the caller has checked the form
 */
export function calendarDate(text: string): number | undefined {
  const at = Date.parse(text);
  const isInDay = beginsWithDay(text) && !/^.{10}[T ]24/.test(text);
  return isInDay && !Number.isNaN(at) ? at : undefined;
}
