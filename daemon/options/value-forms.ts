/**
 * The forms of option values. A form parses values from the command line, a variable or the configuration file, and
 * formats them. An invalid value causes a RangeError whose message says what is expected. Limits and retention times
 * have units.
 */
import { resolve } from "node:path";
import type { Option } from "commander";
import { formatHostAndPort, type ListenAddress, parseHostAndPort } from "../net/process/host-and-port.js";

/** A value as a configuration file could contain it. */
export type Shown = string | number | boolean | readonly string[];

export interface FileContext {
  /** The folder of the file; paths in the file are relative to it. */
  readonly folder: string;
  /** An example of the option's value. */
  readonly example: string;
}

export interface Form<Value> {
  /** Sets commander's parser for the option. */
  prepare(option: Option): Option;
  /** Parses a TOML value. @throws WrongType @throws RangeError */
  fromFile(value: unknown, context: FileContext): Value;
  show(value: Value): Shown;
  /** Describes the default in the help. If absent, commander formats it. */
  describe?(value: Value): string;
}

/** Thrown for a TOML value of the wrong type; the message names the expected type. */
export class WrongType extends Error {}

/** The form of a switch. */
export const toggle: Form<boolean> = {
  prepare: (option) => option,
  fromFile: (value) => {
    if (typeof value === "boolean") return value;
    throw new WrongType("true or false");
  },
  show: (value) => value,
};

/** Returns the form of a value that is one of several words. */
export function choice<const Choice extends string>(choices: readonly Choice[]): Form<Choice> {
  return {
    prepare: (option) => option.choices(choices),
    fromFile: (value) => {
      const choice = choices.find((one) => one === textOf(value));
      if (choice === undefined) throw new RangeError(`Allowed choices are ${choices.join(", ")}.`);
      return choice;
    },
    show: (value) => value,
  };
}

/** Returns a form whose values are shown unchanged. @param parse  parses a text */
export function plain<Value extends string | number>(parse: (text: string) => Value): Form<Value> {
  return {
    prepare: (option) => option.argParser((text: string) => explained(() => parse(text))),
    fromFile: (value) => parse(textOf(value)),
    show: (value) => value,
  };
}

/** Returns a form made of a parser and a formatter. @param format  the inverse of `parse` */
export function text<Value>(
  parse: (text: string) => Value,
  format: (value: Value) => string,
): Form<Value> & { describe(value: Value): string } {
  return {
    prepare: (option) => option.argParser((value: string) => explained(() => parse(value))),
    fromFile: (value) => parse(textOf(value)),
    show: format,
    describe: (value) => format(value) || noneOf(),
  };
}

/** The form of the address of a listener. */
export const listenAddress: Form<ListenAddress> = text(parseHostAndPort, formatHostAndPort);

/** Returns the same form for a flag that may have no value. @param port  the port that it then means */
export const listenAddressOr = (port: string): Form<ListenAddress> => ({
  ...listenAddress,
  prepare: (option) => listenAddress.prepare(option.preset(port)),
});

export function limit(row: LimitRow): Form<number> {
  const form = text(
    (value) => parseLimit(row, value),
    (value) => formatLimit(row, value),
  );
  return row.unit === "count" ? { ...form, show: (value) => value } : form;
}

/** The form of a file or folder. */
export const path: Form<string> = {
  ...plain(parsePath),
  fromFile: (value, { folder }) =>
    typeof value === "string" && value !== "" ? resolve(folder, value) : parsePath(textOf(value)),
};

/** The form of several files or folders; the option is repeated for each. */
export const paths: Form<readonly string[]> = {
  prepare: (option) =>
    option.argParser((value: string, before: readonly string[]) =>
      explained(() => [...before, parsePath(value)]),
    ),
  fromFile: (value, { folder }) => {
    const all: readonly unknown[] = Array.isArray(value) ? value : [value];
    return all.map((one) => {
      if (typeof one === "string" && one !== "") return resolve(folder, one);
      throw new WrongType("a path, or a list of paths");
    });
  },
  show: (value) => value,
  describe: noneOf,
};

export interface ListParts<Item> {
  /** @throws RangeError */
  readonly parse: (text: string) => Item;
  /** The inverse of `parse`. */
  readonly format: (item: Item) => string;
  /** Checks all items together. @throws RangeError */
  readonly check: (items: readonly Item[]) => void;
}

/**
 * Returns a form of several values. The option may be repeated, or may have several values separated by commas, because
 * an environment variable cannot be repeated.
 */
export function list<Item>({ parse, format, check }: ListParts<Item>): Form<readonly Item[]> {
  const add = (texts: readonly string[], before: readonly Item[] = []): readonly Item[] => {
    const items = [...before, ...texts.map((one) => parse(one.trim()))];
    check(items);
    return items;
  };

  return {
    prepare: (option) =>
      option.argParser((value: string, before?: readonly Item[]) =>
        explained(() => add(value.split(","), before)),
      ),
    fromFile: (value, { example }) => {
      if (!Array.isArray(value)) return add(textOf(value).split(","));
      const texts = value.filter((one: unknown): one is string => typeof one === "string");
      if (texts.length < value.length) throw new WrongType(`a list of texts such as "${example}"`);
      return add(texts);
    },
    show: (value) => value.map(format),
    describe: noneOf,
  };
}

function noneOf(): string {
  return "none";
}

function textOf(value: unknown): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw new WrongType("a text or a number");
}

export function parsePath(value: string): string {
  if (value === "") throw new RangeError("Expected a path.");
  return value;
}

/** An error that commander reports with the option's name. Threads that load this file do not load commander. */
class InvalidValue extends Error {
  readonly code = "commander.invalidArgument";
}

/** Converts parsing errors to errors that commander recognizes. */
export function explained<Value>(parse: () => Value): Value {
  try {
    return parse();
  } catch (problem) {
    throw new InvalidValue(problem instanceof Error ? problem.message : String(problem));
  }
}

/** Units of limits, in bytes and milliseconds. */
export const KIB = 1024;
export const MIB = 1024 * KIB;
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** The unit of a limit; `time` is stored in milliseconds. */
type LimitUnit = "bytes" | "time" | "count";

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
  /** The setting after which the help shows this one: see `OptionRow`. */
  readonly after?: string;
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
