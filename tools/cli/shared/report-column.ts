/** Columns of a table of daemons' reports, with descriptions that --explain prints. */

export interface Column<Row> {
  readonly head: string;
  /** The description, which follows the head on a line. */
  readonly about: string;
  readonly cell: (row: Row) => string;
}

/** Returns the row of heads and a row of cells for each item. */
export function rowsOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[][] {
  return [columns.map(({ head }) => head), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
}

/** Formats a value; `-` if it is not known. */
export const cellOf = <Value>(value: Value | null | undefined, format: (value: Value) => string): string =>
  value === null || value === undefined ? "-" : format(value);
