/** The indexes that statements have created on a table. */

import type { ValueReader, ValueWriter } from "../../../../daemon/store/values/object-value.js";
import { DamagedSnapshot } from "../../../../daemon/timeline/snapshots/snapshot-stream.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Cell, rowKey, type TableRow } from "./cell.js";

export interface TableIndex {
  readonly name: ByteString;
  /** The positions of its columns in the table. */
  readonly columns: readonly number[];
  /** Whether no two rows have the same values in these columns; rows with a null among them are not compared. */
  readonly isUnique: boolean;
}

/** Returns the cell by which an index of several columns finds a row; null if one of the columns is null. */
export function combinedCell(row: TableRow, columns: readonly number[]): Cell {
  if (columns.length === 1) return row[columns[0] as number] as Cell;
  const cells = columns.map((column) => row[column] as Cell);
  return cells.includes(null) ? null : rowKey(cells);
}

/** Returns texts that are equal only for equal indexes, for digests and the canonical state. */
export const indexTexts = ({ name, columns, isUnique }: TableIndex): readonly ByteString[] => [
  name,
  `${isUnique ? "unique " : ""}${columns.join(" ")}`,
];

export function writeIndex(writer: ValueWriter, { name, columns, isUnique }: TableIndex): void {
  writer.bytes(name);
  writer.number(isUnique ? 1 : 0);
  writer.number(columns.length);
  for (const column of columns) writer.number(column);
}

/** @param width the number of columns of the table @throws DamagedSnapshot */
export function readIndex(reader: ValueReader, width: number): TableIndex {
  const name = reader.bytes();
  const unique = reader.number();
  const columns: number[] = [];
  for (let remaining = reader.number(); remaining > 0; remaining--) columns.push(reader.number());
  if (unique > 1 || columns.length === 0 || columns.some((column) => column >= width))
    throw new DamagedSnapshot("a table has an index of an unknown kind");
  return { name, columns, isUnique: unique === 1 };
}
