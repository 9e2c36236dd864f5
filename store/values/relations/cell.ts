/**
 * The value of a column in a row: a number, a text (its UTF-8 bytes), or null. Dates are texts, written so that their order is that of
 * time.
 * A number is finite, and never -0 where it is stored.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

export type Cell = number | ByteString | null;

/** The cells of a table's row, one for each column. Never changed: another takes its place. */
export type Row = readonly Cell[];

/** The value of an expression: a cell, or the result of a comparison, which no table stores. */
export type Scalar = Cell | boolean;

/** Returns a key that is equal for equal rows only, to drop duplicates. -0 counts as 0. */
export function rowKey(row: readonly Scalar[]): string {
  let key = "";
  for (const cell of row) key += cellKey(cell);
  return key;
}

/** Equal for the same value of the same type, and the beginning of no other's. */
export function cellKey(cell: Scalar): string {
  if (typeof cell === "string") return `t${cell.length}:${cell}`;
  return `${cell};`;
}
