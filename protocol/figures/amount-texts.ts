/**
 * Formats amounts for people. The functions named …Cell write the narrow cells of tables on a terminal, the others
 * sentences and the page of --admin. Programs read the numbers themselves, from --json and /metrics.
 */

const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB"];
const COUNT_UNITS = ["", "k", "M", "G", "T"];
/** The smallest count that a cell shows with a unit. */
const UNITS_FROM = 10_000;
const SECOND_MS = 1000;

/** Formats a size with one decimal, such as `1.2 MB` or `12.3 MB`. */
export const bytesCell = (bytes: number): string => inBytes(bytes, Number.POSITIVE_INFINITY);

/** Formats a size, with a decimal below 10, such as `1.2 MB` or `12 MB`. */
export const bytesText = (bytes: number): string => inBytes(bytes, 10);

/** @param roundFrom  the smallest number before the unit that is shown without decimals */
function inBytes(bytes: number, roundFrom: number): string {
  const { size, unit } = scaled(bytes, BYTE_UNITS.length);
  return `${unit === 0 ? size : size.toFixed(size < roundFrom ? 1 : 0)} ${BYTE_UNITS[unit]}`;
}

function scaled(amount: number, units: number): { size: number; unit: number } {
  let size = amount;
  let unit = 0;
  for (; size >= 1000 && unit < units - 1; unit++) size /= 1000;
  return { size, unit };
}

/** Converts bytes to MiB, rounded down. */
export const mebibytes = (bytes: number): number => Math.floor(bytes / 1024 ** 2);

/** Formats a count, such as `1234` or `12.3k`. */
export function countCell(count: number): string {
  if (count < UNITS_FROM) return String(Math.round(count));
  const { size, unit } = scaled(count, COUNT_UNITS.length);
  return `${size.toFixed(size < 100 ? 1 : 0)}${COUNT_UNITS[unit]}`;
}

/** Formats a count, such as `12,345`. */
export const countText = (count: number): string => Math.round(count).toLocaleString("en");

/** Formats a count with its unit, such as `1 key` or `2 keys`. */
export const countOf = (count: number, unit: string): string =>
  `${countText(count)} ${unit}${count === 1 ? "" : "s"}`;

/** Formats a number for an axis, such as `1.2k` or `3M`. */
export function shortCountText(count: number): string {
  if (count < 1000) return Number(count.toPrecision(3)).toLocaleString("en");
  return new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(count);
}

/** Formats a rate per second. */
export const rateText = (rate: number): string => `${shortCountText(rate)}/s`;

/** Formats a time span in milliseconds, such as `12 s`, or from 10 minutes `3.4 h`, or from 48 hours `5 d`. */
export function spanCell(time: number): string {
  const seconds = Math.round(time / SECOND_MS);
  return seconds < 600 ? `${seconds} s` : inHours(time);
}

/**
 * Formats a time span in milliseconds, such as `12 s`, or from 2 minutes `5 min`, from 2 hours `3.4 h`, from 48 hours
 * `5 d`. A negative one counts as 0.
 */
export function spanText(time: number): string {
  const seconds = Math.max(0, time / SECOND_MS);
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : inHours(time);
}

function inHours(time: number): string {
  const hours = time / SECOND_MS / 3600;
  return hours < 48 ? `${hours.toFixed(1)} h` : `${Math.round(hours / 24)} d`;
}

/** Formats milliseconds, such as `0.05 ms` or `12 ms`. */
export function millisecondsCell(time: number): string {
  const size = Math.abs(time);
  return `${time.toFixed(size < 1 ? 2 : size < 10 ? 1 : 0)} ms`;
}

/** Formats milliseconds, such as `0.05 ms` or `12 ms`; from one second, formats them like `spanText`. */
export function millisecondsText(time: number): string {
  if (time >= SECOND_MS) return spanText(time);
  return `${time < 10 ? Number(time.toPrecision(2)) : Math.round(time)} ms`;
}

/** Formats the time of a request or of a signature, such as `0.6 ms`. */
export const tripText = (time: number): string => `${time.toFixed(1)} ms`;

/** Formats a difference between two clocks in milliseconds, always with an ASCII sign: `+1 ms`, `+0 ms` or `-1 ms`. */
export const differenceCell = (time: number): string => `${time < 0 ? "" : "+"}${time.toFixed(0)} ms`;

/** Formats a difference between two clocks in milliseconds, such as `+1 ms`, `0 ms` or `−1 ms`. */
export function differenceText(time: number): string {
  const rounded = Math.round(time);
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : ""}${Math.abs(rounded)} ms`;
}
