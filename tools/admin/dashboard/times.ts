/** Formats points in time for people, by the clock of 24 hours and with the browser's time zone. */

const TIME = {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
  timeZoneName: "short",
} as const;
// This locale writes dates as ISO 8601 does, which no reader can take for another date.
const LOCALE = "en-CA";
const OF_DAY = new Intl.DateTimeFormat(LOCALE, TIME);
const WITH_DATE = new Intl.DateTimeFormat(LOCALE, {
  ...TIME,
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
});

/** Formats the time of day, such as `07:28:09 UTC`. @param at  milliseconds since 1970 */
export const timeText = (at: number): string => OF_DAY.format(at);

/** Formats a date with the time, such as `2026-11-28, 07:28:09 UTC`. @param at  milliseconds since 1970 */
export const dateText = (at: number): string => WITH_DATE.format(at);
