/**
 * What a row holds: numbers, texts (their UTF-8 bytes), or nothing. Dates are texts, written so that their order is that of time.
 * A number is finite, and never -0 where it is kept.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

export type Cell = number | ByteString | null;

/** The cells of a table's row, one for each column. Never changed: another takes its place. */
export type Row = readonly Cell[];

/** What expressions give besides: what comparisons say. Kept by no table. */
export type Scalar = Cell | boolean;

/** Equal for the same rows and no others: what drops duplicates. Of numbers -0 is 0. */
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
