/**
 * The functions of SQL, by their names in lower case. Only the standard form has scalar functions: the original form,
 * which Malagasy statements always have, supports only the aggregate functions.
 */

/** The functions that compute one value from the rows of a group. */
export const AGGREGATE_NAMES = ["count", "sum", "avg", "min", "max"] as const;
export type AggregateName = (typeof AGGREGATE_NAMES)[number];
export const AGGREGATES: ReadonlySet<string> = new Set(AGGREGATE_NAMES);

interface Arguments {
  readonly min: number;
  readonly max: number;
  /** The expected arguments, for the error. */
  readonly words: string;
}

const ONE = { min: 1, max: 1 } as const;

/** The functions that compute a value from one row, with their arguments. */
export const SCALAR_FUNCTIONS: ReadonlyMap<string, Arguments> = new Map([
  ["lower", { ...ONE, words: "lower(text)" }],
  ["upper", { ...ONE, words: "upper(text)" }],
  ["length", { ...ONE, words: "length(text)" }],
  ["abs", { ...ONE, words: "abs(number)" }],
  ["round", { min: 1, max: 2, words: "round(number), round(number, digits)" }],
  ["coalesce", { min: 2, max: 500, words: "coalesce(value, value, …)" }],
]);
