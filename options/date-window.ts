/** The dates of envelopes that a daemon accepts from clients, relative to its clock: the value of --window. */

import type { LimitRow } from "./limit-text.js";
import { formatLimit, parseLimit } from "./limit-text.js";

/** Milliseconds. */
export interface DateWindow {
  readonly past: number;
  readonly future: number;
}

const SECOND = 1000;

export const DATE_WINDOW_DEFAULT: DateWindow = { past: 30 * SECOND, future: 5 * SECOND };

/**
 * Dates of envelopes that are applied, around the time of their message in the stream of --order. The same on all daemons, whatever
 * their --window, and wider than that by what clocks may differ.
 */
export const ORDER_WINDOW: DateWindow = { past: 60 * SECOND, future: 30 * SECOND };

/** Both halves; ids are remembered for the whole. */
const HALF: LimitRow = {
  flag: "window",
  unit: "time",
  fallback: DATE_WINDOW_DEFAULT.past,
  least: 100,
  most: 600 * SECOND,
  summary: "dates of envelopes that are taken",
  reason: "longer than a client retries; clocks within the seconds that NTP keeps",
};

/** @throws RangeError  a sentence: what is expected */
export function parseDateWindow(text: string): DateWindow {
  const [past, future, ...more] = text.split(",");
  if (past === undefined || future === undefined || more.length > 0) {
    throw new RangeError("Expected two times with a comma between, past and future, such as 30s,5s.");
  }
  return { past: parseLimit(HALF, past), future: parseLimit(HALF, future) };
}

/** `parseDateWindow` reads it back. */
export function formatDateWindow({ past, future }: DateWindow): string {
  return `${formatLimit(HALF, past)},${formatLimit(HALF, future)}`;
}
