/** Columns of a table of what daemons say, each with what it means: --explain tells the latter. */

export interface Column<Row> {
  readonly head: string;
  /** What it means, as the end of a line. */
  readonly about: string;
  readonly cell: (row: Row) => string;
}

/** The head and a row for each. */
export function rowsOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[][] {
  return [columns.map(({ head }) => head), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
}
