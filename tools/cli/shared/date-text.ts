/** Parses and formats dates on the command line. They are in UTC, so that they mean the same on every machine. */

import { DbsyncError } from "../../../client/shared/errors.js";
import { calendarDate } from "../../../protocol/calendar-date.js";
import { dateText } from "../../../protocol/version-2/envelope.js";

const FORMS =
  "a date such as 2027-01-31 or 2027-01-31T12:00Z, a time from now such as 90d, 12h, 30m or 45s, or milliseconds since 1970";

const PAST_FORMS =
  "a time before now such as -30m, -2h or -7d, a date such as 2027-01-31 or 2027-01-31T12:00Z, or milliseconds since 1970";

const WITHOUT_ZONE = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?$/;

/** Refuses a time without a zone, which would mean another time on another machine. */
function requireZone(text: string, option: string): void {
  if (!WITHOUT_ZONE.test(text)) return;
  const time = text.replace(" ", "T");
  const detail = `${option} is ${JSON.stringify(text)}, without a time zone: write ${time}Z for UTC, or an offset such as ${time}+01:00`;
  throw new DbsyncError("bad-option", detail);
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Parses a date. Returns milliseconds since 1970.
 * @param end     whether a day without a time means its last millisecond instead of its first
 * @throws DbsyncError `bad-option`
 */
export function parseDate(
  text: string,
  { option, now, end }: { option: string; now: number; end: boolean },
): number {
  requireZone(text, option);
  const ahead = /^(\d{1,6})([smhd])$/.exec(text);
  if (ahead !== null) return Math.floor(now) + Number(ahead[1]) * (UNIT_MS[ahead[2] as string] as number);
  // A shorter number may be a mistyped year.
  if (/^\d{12,15}$/.test(text)) return Number(text);
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  const isDateTime = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const time = isDay || isDateTime ? calendarDate(text) : undefined;
  if (time === undefined)
    throw new DbsyncError("bad-option", `${option} is ${JSON.stringify(text)}, allowed: ${FORMS}`);
  return isDay && end ? time + (UNIT_MS["d"] as number) - 1 : time;
}

/**
 * Parses a date in the past: `-2h` is two hours before now.
 * @throws DbsyncError `bad-option`
 */
export function parsePastDate(text: string, context: { option: string; now: number; end: boolean }): number {
  const { option, now } = context;
  requireZone(text, option);
  const before = /^-(\d{1,6})([smhd])$/.exec(text);
  if (before !== null) return Math.floor(now) - Number(before[1]) * (UNIT_MS[before[2] as string] as number);
  // A time without the minus sign would be in the future.
  if (!/^\d+[a-z]$/.test(text)) {
    try {
      return parseDate(text, context);
    } catch (problem) {
      if (!(problem instanceof DbsyncError)) throw problem;
    }
  }
  throw new DbsyncError("bad-option", `${option} is ${JSON.stringify(text)}, allowed: ${PAST_FORMS}`);
}

/** Formats a date as `2027-01-31 12:00:00.000Z`. */
export function formatExactDate(ms: number): string {
  return dateText(ms).replace("T", " ");
}

/** Formats a date as `2027-01-31 12:00:00Z`. */
export function formatDate(ms: number): string {
  return formatExactDate(ms).replace(/\.\d+Z$/, "Z");
}
