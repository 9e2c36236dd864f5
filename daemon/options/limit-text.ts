/** Parses and formats limits and retention times. */

/** Units of limits, in bytes and milliseconds. */
export const KIB = 1024;
export const MIB = 1024 * KIB;
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** The unit of a limit; `time` is stored in milliseconds. */
export type LimitUnit = "bytes" | "time" | "count";

export interface LimitRow {
  /** The option's name; null if there is no option, as docs/decisions/0062-limits-without-an-option.md explains. */
  readonly flag: string | null;
  readonly unit: LimitUnit;
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
  readonly summary: string;
  /** The reason for the default. */
  readonly reason: string;
  /** Whether a new value needs a restart. If absent, it applies immediately. */
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
 * Parses a limit.
 * @throws RangeError  the message says what is expected
 */
export function parseLimit(row: LimitRow, text: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]*)$/.exec(text.trim());
  const scale = match === null ? undefined : SCALES[row.unit][match[2] as string];
  const value = match === null || scale === undefined ? Number.NaN : Number(match[1]) * scale;
  if (!Number.isInteger(value)) throw new RangeError(`Expected ${EXAMPLES[row.unit]}.`);
  if (value < row.min || value > row.max) {
    throw new RangeError(`Expected ${formatLimit(row, row.min)} to ${formatLimit(row, row.max)}.`);
  }
  return value;
}

/** Formats a limit in the largest unit that divides it; the inverse of `parseLimit`. */
export function formatLimit(row: LimitRow, value: number): string {
  const units = Object.entries(SCALES[row.unit]).filter(([name]) => name !== "");
  const [name, scale] = units.findLast(([, size]) => value % size === 0 && value >= size) ?? ["", 1];
  return `${value / scale}${name}`;
}

const DAY = 24 * HOUR;
const RETAINED_MAX = 36_500 * DAY;
const RETAINED_UNITS: Readonly<Record<string, number>> = { "": DAY, d: DAY, h: HOUR, m: MINUTE };

/**
 * Parses the value of --retain.
 * @returns milliseconds, or Infinity for forever
 * @throws RangeError  the message says what is expected
 */
export function parseRetention(text: string): number {
  if (text === "forever") return Number.POSITIVE_INFINITY;
  const match = /^(\d{1,8})([dhm]?)$/.exec(text);
  const value = match === null ? 0 : Number(match[1]) * (RETAINED_UNITS[match[2] as string] as number);
  if (value < MINUTE || value > RETAINED_MAX)
    throw new RangeError("Expected forever, 1 to 36500 days, or a time such as 12h or 90m.");
  return value;
}

/** Formats a retention time; the inverse of `parseRetention`. */
export function formatRetention(milliseconds: number): string {
  if (milliseconds === Number.POSITIVE_INFINITY) return "forever";
  const [unit, size] = Object.entries(RETAINED_UNITS).find(([, size]) => milliseconds % size === 0) ?? [
    "m",
    MINUTE,
  ];
  return `${milliseconds / size}${unit}`;
}
