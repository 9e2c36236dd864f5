/** Relations as tables for people. */
import { shown } from "../../net/terminal/shown-text.js";
import type { Cell, Relation } from "./answer.js";

/** Columns as wide as what stands in them, numbers on the right; the last line counts the rows. */
export function tableOf({ columns, rows }: Relation): string {
  const heads = columns.map(shown);
  const lines = rows.map((row) => row.map(cellText));
  const widths = heads.map((head, i) =>
    lines.reduce((w, line) => Math.max(w, widthOf(line[i])), widthOf(head)),
  );
  const isNumeric = heads.map((_, i) => rows.some((row) => typeof row[i] === "number"));
  const place = (cells: readonly string[]) =>
    cells
      .map((cell, i) => {
        const blanks = " ".repeat((widths[i] ?? 0) - widthOf(cell));
        return isNumeric[i] ? blanks + cell : cell + blanks;
      })
      .join(" | ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("-+-");
  const count = `(${rows.length} ${rows.length === 1 ? "row" : "rows"})`;
  return `${[place(heads), rule, ...lines.map(place), count].join("\n")}\n`;
}

const cellText = (cell: Cell) => (typeof cell === "string" ? shown(cell) : String(cell));

const widthOf = (text = "") => [...text].length;
