/**
 * The values of --window, the dates of envelopes that a daemon accepts from clients, relative to its clock, and of
 * --fsync.
 */
import { formatLimit, type LimitRow, parseLimit, SECOND } from "./value-forms.js";

/** A window in milliseconds before and after the daemon's clock. */
export interface DateWindow {
  readonly past: number;
  readonly future: number;
}

export const DATE_WINDOW_DEFAULT: DateWindow = { past: 30 * SECOND, future: 5 * SECOND };

/**
 * The window of --order: the dates of envelopes that are applied, relative to the time of their message in the stream.
 * It is the same on all daemons, and wider than --window, because clocks may differ.
 */
export const ORDER_WINDOW: DateWindow = { past: 60 * SECOND, future: 30 * SECOND };

/** The maximum of each half of the window, in milliseconds. */
export const DATE_WINDOW_MAX = 600 * SECOND;

/** The limit for each half of the window. */
const HALF: LimitRow = {
  flag: "window",
  unit: "time",
  fallback: DATE_WINDOW_DEFAULT.past,
  min: 100,
  max: DATE_WINDOW_MAX,
  summary: "dates of envelopes that are accepted",
  reason: "longer than a client retries; NTP keeps clocks within a few seconds",
};

/** Parses a window. @throws RangeError  the message says what is expected */
export function parseDateWindow(text: string): DateWindow {
  const [past, future, ...more] = text.split(",");
  if (past === undefined || future === undefined || more.length > 0) {
    throw new RangeError("Expected two times separated by a comma, past and future, such as 30s,5s.");
  }
  return { past: parseLimit(HALF, past), future: parseLimit(HALF, future) };
}

/** Formats a window; the inverse of `parseDateWindow`. */
export function formatDateWindow({ past, future }: DateWindow): string {
  return `${formatLimit(HALF, past)},${formatLimit(HALF, future)}`;
}

/** When writes are forced to the disk: before each answer, never, or at an `interval` in milliseconds. */
export type Fsync = "always" | "never" | { readonly interval: number };

const INTERVAL: LimitRow = {
  flag: "fsync",
  unit: "time",
  fallback: 1000,
  min: 1,
  max: 60_000,
  summary: "milliseconds between two syncs",
  reason: "a crash of the machine may lose the writes of this time",
};

const FORM = /^interval=(\d{1,15})(ms)?$/;

/** Parses the value. @throws RangeError  the message says what is expected */
export function parseFsync(text: string): Fsync {
  if (text === "always" || text === "never") return text;
  const [, milliseconds] = FORM.exec(text) ?? [];
  if (milliseconds === undefined)
    throw new RangeError("Expected always, never, or interval= followed by milliseconds.");
  return { interval: parseLimit(INTERVAL, `${milliseconds}ms`) };
}

/** Formats the value; the inverse of `parseFsync`. */
export function formatFsync(fsync: Fsync): string {
  return typeof fsync === "string" ? fsync : `interval=${fsync.interval}`;
}
