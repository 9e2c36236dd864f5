/** The mutators of tables, each with its inverse: see daemon/store/keyspace/mutators.ts. */

import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import {
  ARRAY_SLOT_BYTES,
  ELEMENT_BYTES,
  type Inverse,
  NO_BYTES,
} from "../../../../daemon/store/keyspace/undo.js";
import type { TableRow } from "../values/cell.js";
import type { NumberedRows, Table } from "../values/table.js";
import type { TableIndex } from "../values/table-index.js";

/** Cost in steps of a row without its cells. */
const ROW_STEPS = 4;
/** Cost in steps of each cell of a row. */
const CELL_STEPS = 2;

/** `old` is the number of rows. */
const rowsPushed: Inverse<Table, number> = {
  undo: (table, count) => table.pop(count),
  bytes: NO_BYTES,
};

const rowsSet: Inverse<Table, NumberedRows> = {
  undo: (table, old) => void table.set(old),
  bytes: bytesOfRows,
};

const rowsRemoved: Inverse<Table, NumberedRows> = {
  undo: (table, removed) => table.restore(removed),
  bytes: bytesOfRows,
};

const indexesSet: Inverse<Table, readonly TableIndex[]> = {
  undo: (table, old) => void table.setCreatedIndexes(old),
  bytes: (old) => ELEMENT_BYTES * old.length,
};

/** Appends rows. */
export function pushRows(data: Data, entry: Typed<Table>, rows: readonly TableRow[]): void {
  if (rows.length === 0) return;
  produce(data, entry, rows);
  data.record(rowsPushed, entry.value, rows.length);
  for (const row of rows) entry.value.push(row);
  data.touch(entry);
}

/** Replaces existing rows. */
export function setRows(data: Data, entry: Typed<Table>, changed: NumberedRows): void {
  if (changed.numbers.length === 0) return;
  produce(data, entry, changed.rows);
  data.record(rowsSet, entry.value, entry.value.set(changed));
  data.touch(entry);
}

/**
 * Removes existing rows. The key remains even if the table becomes empty.
 * @param numbers  the numbers of the rows, ascending
 */
export function removeRows(data: Data, entry: Typed<Table>, numbers: readonly number[]): void {
  if (numbers.length === 0) return;
  data.effort.countProduced(ROW_STEPS * numbers.length);
  data.record(rowsRemoved, entry.value, entry.value.remove(numbers));
  data.touch(entry);
}

/** Replaces the indexes that statements have created. */
export function setCreatedIndexes(data: Data, entry: Typed<Table>, created: readonly TableIndex[]): void {
  data.record(indexesSet, entry.value, entry.value.setCreatedIndexes(created));
  data.touch(entry);
}

function produce(data: Data, { value: { columns } }: Typed<Table>, rows: readonly TableRow[]): void {
  for (const row of rows)
    data.effort.countProduced(
      ROW_STEPS + CELL_STEPS * columns.length,
      row.reduce<number>((bytes, cell) => (typeof cell === "string" ? bytes + cell.length : bytes), 0),
    );
}

function bytesOfRows({ rows }: NumberedRows): number {
  let bytes = 0;
  for (const row of rows) {
    bytes += ELEMENT_BYTES;
    for (const cell of row) bytes += ARRAY_SLOT_BYTES + (typeof cell === "string" ? cell.length : 0);
  }
  return bytes;
}
