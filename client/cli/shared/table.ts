/** Tables for people: columns as wide as what stands in them, two blanks between. */
import { shown } from "./shown-text.js";

/** @param given  the first is the head; the last cell of a row is not filled up */
export function formatTable(given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map(shown));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.slice(0, -1).entries())
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join("  ");
  return rows.map((row) => `${line(row).trimEnd()}\n`).join("");
}
