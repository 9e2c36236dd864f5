/**
 * The functions of SQL, by their names in lower case. Only the standard form has scalar functions: the original form,
 * which statements with Malagasy keywords always have, supports only the aggregate functions.
 */
import type { SqlForm } from "./syntax-tree.js";

/** The functions that compute one value from the rows of a group, in both forms. */
const COMMON_AGGREGATES = ["count", "sum", "avg", "min", "max"] as const;
/** The aggregate functions of the standard form. */
const STANDARD_AGGREGATES = [...COMMON_AGGREGATES, "total", "group_concat"] as const;
export type AggregateName = (typeof STANDARD_AGGREGATES)[number];
/** The names of the aggregate functions of the standard form. */
export const STANDARD_AGGREGATE_NAMES: ReadonlySet<string> = new Set(STANDARD_AGGREGATES);

/** Returns the aggregate function with this name (case-insensitive), or undefined if the form has none. */
export function findAggregate(name: string, form: SqlForm): AggregateName | undefined {
  const names: readonly AggregateName[] = form === "standard" ? STANDARD_AGGREGATES : COMMON_AGGREGATES;
  return names.find((each) => each === name.toLowerCase());
}

interface ScalarSignature {
  readonly min: number;
  readonly max: number;
  /** The expected arguments, for the error. */
  readonly words: string;
}

const ONE_ARGUMENT = { min: 1, max: 1 } as const;

/** The functions that compute a value from one row, with their arguments. */
export const SCALAR_FUNCTIONS: ReadonlyMap<string, ScalarSignature> = new Map([
  ["lower", { ...ONE_ARGUMENT, words: "lower(text)" }],
  ["upper", { ...ONE_ARGUMENT, words: "upper(text)" }],
  ["length", { ...ONE_ARGUMENT, words: "length(text)" }],
  ["abs", { ...ONE_ARGUMENT, words: "abs(number)" }],
  ["round", { min: 1, max: 2, words: "round(number), round(number, digits)" }],
  ["coalesce", { min: 2, max: 500, words: "coalesce(value, value, …)" }],
  ["nullif", { min: 2, max: 2, words: "nullif(value, value)" }],
]);
