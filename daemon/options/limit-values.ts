/** The limits' values, by their options. */
import { type Command, Option } from "commander";
import { LIMITS, type LimitName, type LimitRow, type Limits } from "./limits.js";

/** What the options of a parsed command line hold. */
export function limitsOf(program: Command): Limits {
  const values = program.opts<Readonly<Record<string, number | undefined>>>();
  return Object.fromEntries(
    Object.entries(LIMITS).map(([name, { flag, fallback }]) => [name, values[attributeOf(flag)] ?? fallback]),
  ) as Record<LimitName, number>;
}

/** Under which commander keeps an option's value. */
const attributeOf = (flag: string) => new Option(`--${flag}`).attributeName();

/** The row of a limit's option, for printing its value. */
export function limitRowOf(flag: string): LimitRow | undefined {
  return Object.values(LIMITS).find((row) => row.flag === flag);
}
