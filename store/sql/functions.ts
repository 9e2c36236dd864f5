/**
 * The functions of SQL, by their names in lower case. Only the standard form has scalar functions: the recorded form,
 * which Malagasy statements always have, supports only the aggregate functions.
 */

/** The functions that compute one value from the rows of a group. */
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

/** The functions that compute a value from one row, with their arguments. */
export const SCALAR_FUNCTIONS: ReadonlyMap<string, Arguments> = new Map([
  ["lower", { ...ONE, words: "lower(text)" }],
  ["upper", { ...ONE, words: "upper(text)" }],
  ["length", { ...ONE, words: "length(text)" }],
  ["abs", { ...ONE, words: "abs(number)" }],
  ["round", { least: 1, most: 2, words: "round(number), round(number, digits)" }],
  ["coalesce", { least: 2, most: 500, words: "coalesce(value, value, …)" }],
]);
