/** Columns of a table of daemons' reports, each with a description, which --explain prints. */

export interface Column<Row> {
  readonly head: string;
  /** The description, as the end of a line. */
  readonly about: string;
  readonly cell: (row: Row) => string;
}

/** The head and a row for each. */
export function rowsOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[][] {
  return [columns.map(({ head }) => head), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
}
