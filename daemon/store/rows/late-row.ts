/** The row of a command whose code is loaded later: the data of the row, with a mark in place of each function. */
import type { Row } from "./command-row.js";

/** Stands for a function of the row, which the loaded code has. */
export const RULE = Symbol("rule");

// biome-ignore lint/complexity/noBannedTypes: any function.
type Late<Value> = Value extends Function
  ? typeof RULE
  : Value extends readonly unknown[]
    ? Value
    : Value extends object
      ? { readonly [Name in keyof Value]: Late<Value[Name]> }
      : Value;

export type LateRow = { readonly [Name in keyof Omit<Row, "run">]: Late<Row[Name]> } & {
  /** The group of the command, as in `Command`. */
  readonly group: string;
};
