/**
 * The value of a column in a row: a number, a text (its UTF-8 bytes) or null. Dates are texts, written in a form that
 * sorts by time. A number is finite, and a stored number is never -0.
 */
import type { ValueReader, ValueWriter } from "../../../../daemon/store/values/object-value.js";
import { DamagedSnapshot } from "../../../../daemon/timeline/snapshots/snapshot-stream.js";
import type { ByteString } from "../../../../protocol/byte-string.js";

/** Precede cells in snapshots, as indexes into this list: add new items only at the end. */
const CELLS = ["null", "number", "text"] as const;

export type Cell = number | ByteString | null;

/** The cells of a table's row, one for each column. A row never changes; it is replaced. */
export type TableRow = readonly Cell[];

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

export function writeCell(writer: ValueWriter, cell: Cell): void {
  writer.number(CELLS.indexOf(cell === null ? "null" : typeof cell === "number" ? "number" : "text"));
  if (typeof cell === "number") writer.double(cell);
  else if (cell !== null) writer.bytes(cell);
}

/** @throws DamagedSnapshot */
export function readCell(reader: ValueReader): Cell {
  switch (CELLS[reader.number()]) {
    case "null":
      return null;
    case "number":
      return readNumber(reader);
    case "text":
      return reader.bytes();
    default:
      throw new DamagedSnapshot("a table has a cell of an unknown kind");
  }
}

function readNumber(reader: ValueReader): number {
  const number = reader.double();
  if (!Number.isFinite(number)) throw new DamagedSnapshot("a cell's number is not finite");
  return number;
}
