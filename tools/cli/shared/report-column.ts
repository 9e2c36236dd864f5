/** Columns of a table of daemons' reports, with descriptions that --explain prints, and the texts of amounts in them. */

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

const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB"];
const COUNT_UNITS = ["", "k", "M", "G", "T"];
/** The smallest count that is shown with a unit. */
const UNITS_FROM = 10_000;

/** Formats a size, such as `12.3 MB`. */
export function bytesText(bytes: number): string {
  const { size, unit } = scaled(bytes, BYTE_UNITS.length);
  return `${unit === 0 ? size : size.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** Formats a count, such as `1234` or `12.3k`. */
export function countText(count: number): string {
  if (count < UNITS_FROM) return String(Math.round(count));
  const { size, unit } = scaled(count, COUNT_UNITS.length);
  return `${size.toFixed(size < 100 ? 1 : 0)}${COUNT_UNITS[unit]}`;
}

/** Formats a time span, such as `12 s`, `3.4 h` or `5 d`. */
export function spanText(seconds: number): string {
  const rounded = Math.round(seconds);
  if (rounded < 600) return `${rounded} s`;
  const hours = seconds / 3600;
  return hours < 48 ? `${hours.toFixed(1)} h` : `${(hours / 24).toFixed(0)} d`;
}

/** Formats milliseconds, such as `0.05 ms` or `12 ms`. */
export function millisecondsText(milliseconds: number): string {
  const size = Math.abs(milliseconds);
  const digits = size < 1 ? 2 : size < 10 ? 1 : 0;
  return `${milliseconds.toFixed(digits)} ms`;
}

function scaled(amount: number, units: number): { size: number; unit: number } {
  let size = amount;
  let unit = 0;
  for (; size >= 1000 && unit < units - 1; unit++) size /= 1000;
  return { size, unit };
}
