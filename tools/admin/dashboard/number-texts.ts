/** Formats numbers as texts of the page. */

const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB"];

export function bytesText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  for (; size >= 1000 && unit < BYTE_UNITS.length - 1; unit++) size /= 1000;
  return `${unit === 0 ? size : size.toFixed(size < 10 ? 1 : 0)} ${BYTE_UNITS[unit]}`;
}

export function countText(count: number): string {
  return Math.round(count).toLocaleString("en");
}

/** Formats a count with its unit, such as `1 key` or `2 keys`. */
export const countOf = (count: number, unit: string): string =>
  `${countText(count)} ${unit}${count === 1 ? "" : "s"}`;

const NAMES_MAX = 3;

/** Lists the first three names, and the number of the remaining ones. */
export function namesText(names: readonly string[]): string {
  const more = names.length - NAMES_MAX;
  return `${names.slice(0, NAMES_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Formats a number for an axis, such as 1.2k or 3M. */
export function shortCountText(count: number): string {
  if (count < 1000) return Number(count.toPrecision(3)).toLocaleString("en");
  return new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(count);
}

/** Formats a rate per second. */
export const rateText = (rate: number): string => `${shortCountText(rate)}/s`;

export function millisecondsText(time: number): string {
  if (time >= 1000) return spanText(time);
  return `${time < 10 ? Number(time.toPrecision(2)) : Math.round(time)} ms`;
}

/** Formats a time that has passed. */
export function spanText(time: number): string {
  const seconds = Math.max(0, time / 1000);
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  const hours = seconds / 3600;
  return hours < 48 ? `${hours.toFixed(1)} h` : `${Math.round(hours / 24)} d`;
}

/** Formats a difference between two clocks. */
export function differenceText(time: number | null): string {
  if (time === null) return "–";
  const rounded = Math.round(time);
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : ""}${Math.abs(rounded)} ms`;
}
