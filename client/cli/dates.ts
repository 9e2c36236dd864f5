/** Dates on the command line, and as people are shown them: in UTC, so that nobody has to ask whose. */
import { DbsyncError } from "../errors.js";

const FORMS =
  "a date as 2027-01-31 or 2027-01-31T12:00Z, a time from now as 90d, 12h or 30m, or milliseconds since 1970";

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A date as milliseconds since 1970.
 * @param end     whether a day without a time means its last moment instead of its first
 * @throws DbsyncError `bad-option`
 */
export function parseDate(
  text: string,
  { option, now, end }: { option: string; now: number; end: boolean },
): number {
  const ahead = /^(\d{1,6})([mhd])$/.exec(text);
  if (ahead !== null) return Math.floor(now) + Number(ahead[1]) * (UNIT_MS[ahead[2] as string] as number);
  // Shorter numbers would be years.
  if (/^\d{12,15}$/.test(text)) return Number(text);
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  const isMoment = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const time = isDay || isMoment ? Date.parse(text) : Number.NaN;
  // Date.parse takes the 30th of February for a day of March.
  const exists = !isDay || (!Number.isNaN(time) && new Date(time).toISOString().startsWith(text));
  if (Number.isNaN(time) || !exists)
    throw new DbsyncError("bad-option", `${option} is ${JSON.stringify(text)}, allowed: ${FORMS}`);
  return isDay && end ? time + (UNIT_MS["d"] as number) - 1 : time;
}

/** `2027-01-31 12:00:00Z`. */
export function formatDate(ms: number): string {
  const isSensible = Math.abs(ms) <= 8.64e15;
  return isSensible
    ? new Date(ms)
        .toISOString()
        .replace("T", " ")
        .replace(/\.\d+Z$/, "Z")
    : `${ms} ms`;
}
