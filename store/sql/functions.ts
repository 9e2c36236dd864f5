/**
 * Functions of statements, by their names in lower case. Malagasy and recorded statements have only the aggregate
 * functions.
 */

/** Functions of a group's rows. */
export const AGGREGATE_NAMES = ["count", "sum", "avg", "min", "max"] as const;
export type AggregateName = (typeof AGGREGATE_NAMES)[number];
export const AGGREGATES: ReadonlySet<string> = new Set(AGGREGATE_NAMES);

interface Arguments {
  readonly least: number;
  readonly most: number;
  /** The expected arguments, for the error. */
  readonly words: string;
}

const ONE = { least: 1, most: 1 } as const;

/** The functions of one row, with their arguments. */
export const SCALAR_FUNCTIONS: ReadonlyMap<string, Arguments> = new Map([
  ["lower", { ...ONE, words: "lower(text)" }],
  ["upper", { ...ONE, words: "upper(text)" }],
  ["length", { ...ONE, words: "length(text)" }],
  ["abs", { ...ONE, words: "abs(number)" }],
  ["round", { least: 1, most: 2, words: "round(number), round(number, digits)" }],
  ["coalesce", { least: 2, most: 500, words: "coalesce(value, value, …)" }],
]);
