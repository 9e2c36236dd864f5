/** Limits, and how long things are kept, as they are written, and read. */

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** What a limit counts; `time` is kept in milliseconds. */
export type LimitUnit = "bytes" | "time" | "count";

export interface LimitRow {
  readonly flag: string;
  readonly unit: LimitUnit;
  readonly fallback: number;
  readonly least: number;
  readonly most: number;
  readonly summary: string;
  /** Why the fallback is what it is. */
  readonly reason: string;
  /** A new value waits for a restart; absent: it holds at once. */
  readonly restart?: true;
}

const SCALES: Readonly<Record<LimitUnit, Readonly<Record<string, number>>>> = {
  bytes: { "": 1, B: 1, KiB: KIB, MiB: MIB, GiB: KIB * MIB },
  time: { "": SECOND, ms: 1, s: SECOND, m: MINUTE, h: HOUR },
  count: { "": 1 },
};

const EXAMPLES: Readonly<Record<LimitUnit, string>> = {
  bytes: "a number of bytes such as 65536, 512KiB or 64MiB",
  time: "a number of seconds, or a time such as 500ms, 30s or 5m",
  count: "a whole number",
};

/**
 * The limit that `text` states.
 * @throws RangeError  a sentence: what is expected, and the bounds
 */
export function parseLimit(row: LimitRow, text: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]*)$/.exec(text.trim());
  const scale = match === null ? undefined : SCALES[row.unit][match[2] as string];
  const value = match === null || scale === undefined ? Number.NaN : Number(match[1]) * scale;
  if (!Number.isInteger(value)) throw new RangeError(`Expected ${EXAMPLES[row.unit]}.`);
  if (value < row.least || value > row.most) {
    throw new RangeError(`Expected ${formatLimit(row, row.least)} to ${formatLimit(row, row.most)}.`);
  }
  return value;
}

/** In the largest unit that divides it; `parseLimit` reads it back. */
export function formatLimit(row: LimitRow, value: number): string {
  const units = Object.entries(SCALES[row.unit]).filter(([name]) => name !== "");
  const [name, scale] = units.findLast(([, size]) => value % size === 0 && value >= size) ?? ["", 1];
  return `${value / scale}${name}`;
}

const MS_PER_DAY = 24 * 60 * 60 * 1000;
const DAYS_MAX = 36_500;

/** The value of --retain, how long the commands themselves are kept below the snapshots. @returns milliseconds; infinity: for ever. @throws RangeError  a sentence: what is expected */
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
