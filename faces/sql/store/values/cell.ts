/**
 * The value of a column in a row: a number, a text (its UTF-8 bytes) or null. Dates are texts, written in a form that
 * sorts by time. A number is finite, and a stored number is never -0.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";

export type Cell = number | ByteString | null;

/** The cells of a table's row, one for each column. A row never changes; it is replaced. */
export type Row = readonly Cell[];

/** The value of an expression: a cell, or the result of a comparison, which no table stores. */
export type Scalar = Cell | boolean;

/** Returns a key by which duplicates are found: only equal rows have the same key. -0 counts as 0. */
export function rowKey(row: readonly Scalar[]): string {
  let key = "";
  for (const cell of row) key += cellKey(cell);
  return key;
}

/** Returns a string that is the same for equal values of the same type. None is a prefix of another. */
export function cellKey(cell: Scalar): string {
  if (typeof cell === "string") return `t${cell.length}:${cell}`;
  return `${cell};`;
}
