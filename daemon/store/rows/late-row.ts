/** The row of a command of a face as data: with a mark in place of each function, which only the face's code has. */
import type { CommandRow } from "./command-row.js";

/** Stands for a function of the row, which the face's code has. */
export const RULE = Symbol("rule");

// biome-ignore lint/complexity/noBannedTypes: any function.
type Late<Value> = Value extends Function
  ? typeof RULE
  : Value extends readonly unknown[]
    ? Value
    : Value extends object
      ? { readonly [Name in keyof Value]: Late<Value[Name]> }
      : Value;

export type LateRow = { readonly [Name in keyof Omit<CommandRow, "run">]: Late<CommandRow[Name]> } & {
  /** The group of the command, as in `Command`. */
  readonly group: string;
};
